/* SPDX-License-Identifier: MIT */
#include "nomem.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "imports.h"
#include "leak.h"

/* ---- what can fail ---------------------------------------------------------
 */

/* Names of what may be out of memory have one of these in them... */
static const char *const words[] = {
	"alloc",      "dup",	    "get_free",	      "zeroed_page",
	"anon_inode", "get_unused", "pin_user_pages", "insert_p",
	"remap_pfn",  "asprintf",   "vmap",	      "create",
	"register",   "seq_open",   "single_open",
};
/* ... but these are not asked for memory by programs: */
static const char *const others[] = {
	"is_vmalloc_addr", /* these only have a name like that */
	"vmalloc_to_page", "kmalloc_caches", "unpin_user_pages",
	"unpin_user_pages_dirty_lock",
	/* These have all they need with them. */
	"cpu_emergency_register_virt_callback",
	"cpu_emergency_unregister_virt_callback", "misc_deregister",
	"preempt_notifier_register", "register_die_notifier",
	"register_reboot_notifier", "register_syscore", "register_syscore_ops",
	"unregister_die_notifier", "unregister_reboot_notifier",
	"unregister_syscore", "unregister_syscore_ops",
	"unregister_sysctl_table", "user_return_notifier_register",
	"user_return_notifier_unregister",
	/* Nobody looks whether there are files for debuggers. */
	"debugfs_create_bool", "debugfs_create_dir", "debugfs_create_file",
	"perf_trace_buf_alloc", /* an event is not told then */
};

static char *failing;
static unsigned unknown;

static bool is_known(const char *name)
{
	const size_t n = strlen(name);

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (!strcmp(name, others[i]))
			return true;
	for (const char *at = failing; (at = strstr(at, name)); at += n)
		if ((at == failing || at[-1] == '\n') && at[n] == '\n')
			return true;
	return false;
}

static void look_at(const char *name)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strstr(name, words[i]) && !is_known(name)) {
			note("%s: kmod/fail.c does not make it fail", name);
			unknown++;
			return;
		}
}

void nomem_begin(void)
{
	int err;

	/* Of tests before this one; it has to come second. */
	err = unload("skyipc");
	if (err && err != -ENOENT)
		give_up("rmmod skyipc");
	err = load("skyipc_test.ko", "");
	if (err && err != -EEXIST)
		give_up("insmod skyipc_test.ko");
	failing = read_file(TEST "failing");
	imports_each("/lib/skyipc/skyipc.ko", look_at);
	ok(!unknown, "everything that asks for memory can be refused it");
}

/* ---- one at a time ---------------------------------------------------------
 */

static void arm(unsigned n, pid_t thread)
{
	char line[64];

	snprintf(line, sizeof(line), "%u %d", n, (int)thread);
	if (write_file(TEST "fail", line))
		give_up(TEST "fail");
}

/* Which has failed? "-": none */
static void disarm(char which[64])
{
	char *line;

	arm(0, 0);
	line = read_line(TEST "fail");
	if (sscanf(line, "%*u %63s", which) != 1)
		give_up(TEST "fail");
	free(line);
}

/* What all users have; and how many descriptors this process has */
static char *all_there_is(void)
{
	DIR *dir = opendir("/proc/self/fd");
	char *users, *all = NULL;
	int n = 0;

	if (!dir)
		give_up("/proc/self/fd");
	while (readdir(dir))
		n++;
	closedir(dir);
	users = access(DEBUG "users", F_OK) ? strdup("")
					    : read_file(DEBUG "users");
	if (!users || asprintf(&all, "%s%d descriptors", users, n) < 0)
		give_up("memory");
	free(users);
	return all;
}

static bool same(const char *before, const char *name)
{
	char *after = all_there_is();
	const bool is = !strcmp(before, after);

	if (!is)
		note("%s: %s -> %s", name, before, after);
	free(after);
	return is;
}

static bool failed_well(const struct nomem *what, const char *before, int err,
			const char *which)
{
	if (err >= 0 && what->may_do) {
		if (what->undo)
			what->undo(err);
		return true;
	}
	if (err != -ENOMEM) {
		note("%s, without %s: %d", what->name, which, err);
		return false;
	}
	if (!same(before, which))
		return false;
	err = what->does();
	if (err < 0) {
		note("%s, after %s has failed: %d", what->name, which, err);
		return false;
	}
	if (what->undo)
		what->undo(err);
	return true;
}

/* False: none was left to fail, or it is bad. */
static bool nth(const struct nomem *what, unsigned n, bool *bad, bool tell)
{
	char which[64], *before;
	int err;

	if (what->prepare)
		what->prepare();
	before = all_there_is();
	arm(n, what->thread ? *what->thread : getpid());
	err = what->does();
	disarm(which);
	if (!strcmp(which, "-")) {
		*bad = err < 0;
		if (*bad)
			note("%s: %d", what->name, err);
		else if (what->undo)
			what->undo(err);
		free(before);
		return false;
	}
	if (tell)
		note("%s: %u, %s: %d", what->name, n, which, err);
	*bad = !failed_well(what, before, err, which);
	free(before);
	return !*bad;
}

/* In haste, only one in so many of them fails. */
static unsigned one_in(void)
{
	const char *s = getenv("NOMEM_ONE_IN");
	const int n = s ? atoi(s) : 1;

	return n > 1 ? (unsigned)n : 1;
}

bool nomem_each(const struct nomem *what, bool quiet)
{
	const unsigned step = one_in();
	unsigned n = 1;
	bool bad = false;

	while (nth(what, n, &bad, !quiet))
		n += step;
	n--; /* or some fewer, with steps */
	bad |= n < what->least || (!what->least && n);
	if (bad || !quiet)
		ok(!bad, "%s: %u allocations, and without one in %u",
		   what->name, n, step);
	return !bad;
}

/* Until one is bad */
static bool many_times(const struct nomem *what, unsigned n, int rounds)
{
	for (int round = 0; round < rounds; round++)
		for (unsigned i = 0; i < n; i++)
			if (!nomem_each(&what[i], true))
				return false;
	return true;
}

void nomem_all(const struct nomem *what, unsigned n, int rounds)
{
	bool good = true;

	for (unsigned i = 0; i < n; i++)
		good &= nomem_each(&what[i], false);
	/* What stays for good is there by then. */
	if (!good || !rounds || !many_times(what, n, 5))
		return;
	leak_begin();
	if (many_times(what, n, rounds))
		leak_end(rounds, "all of that");
}
