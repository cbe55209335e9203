/* SPDX-License-Identifier: MIT */
/*
 * What views take of the kernel's memory, and who pays for it: as many links as
 *there are slots, no more than a user may have, all of it in the cgroup of who
 *makes them, and given back to the last page.
 *
 *	view_limits ROUNDS
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "leak.h"
#include "view.h"

#define LIMIT "/proc/sys/skyipc/user_view_pages"
#define CGROUPS "/tmp/cgroups"
#define GROUP CGROUPS "/view_limits"

enum { SLOTS = VIEW_SLOTS - VIEW_SLOT_FIRST, SOME = 40, PAGE = 4096 };

static void handler(struct view_msg *m)
{
	m->word[2] = view_slot_here();
	m->word[1]++;
}

/* ---- what there is
 * ------------------------------------------------------------ */

static unsigned long number_in(const char *path)
{
	char *line = read_line(path);
	const unsigned long n = strtoul(line, NULL, 10);

	free(line);
	return n;
}

/* Pages of views: root's, which all is here; and the sum of all that are shown
 */
static unsigned long charged(void)
{
	char *users = read_file(DEBUG "users"), *line = strchr(users, '\n') + 1;
	unsigned long pages = 0;

	/* 0: nobody has anything. */
	if (*line && sscanf(line, "0 %*d %*d %*d %*d %*d %lu", &pages) != 1)
		give_up(DEBUG "users");
	free(users);
	return pages;
}

static unsigned long shown(void)
{
	char *views = read_file(DEBUG "views"), *line = views;
	unsigned long sum = 0;

	while ((line = strchr(line, '\n')) && *++line) {
		unsigned long pages = 0;

		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %lu",
			   &pages) != 1)
			give_up(DEBUG "views");
		sum += pages;
	}
	free(views);
	return sum;
}

static void limit(unsigned long pages)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", pages);
	if (write_file(LIMIT, text))
		give_up(LIMIT);
}

/* ---- all slots
 * ---------------------------------------------------------------- */

static void unlink_all(struct view_way *w, int n)
{
	for (int i = 0; i < n; i++)
		close(w[i].link);
}

/* Links until there is an error, in @err; how many there were */
static int link_all(const struct view_caller *c, int conn, struct view_way *w,
		    int n, int *err)
{
	int i;

	for (i = 0, *err = 0; i < n; i++) {
		const int link = new_link(conn, 0);

		*err = view_way(c, link, &w[i]);
		if (*err) {
			close(link);
			break;
		}
	}
	return i;
}

/*
 * Its reply is right, and sooner or later from its own view: what has to be
 * mapped is by then, and nothing else has come in between.
 */
static bool is_called(const struct view_caller *c, const struct view_way *w)
{
	for (uint64_t i = 0; i < 5; i++) {
		struct view_msg m = { .word = { 0, i, 0, w->slot } };
		int err;

		/* (Its worker is at the end of the last one still.) */
		while ((err = view_call(c, w, &m)) == -EAGAIN)
			sched_yield();
		if (err || m.word[1] != i + 1 || m.word[3] != w->slot) {
			note("slot %u: %d", w->slot, err);
			return false;
		}
		if (m.word[2])
			return m.word[2] == w->slot;
	}
	return false;
}

static int call_all(const struct view_caller *c, const struct view_way *w,
		    int n)
{
	int good = 0;

	for (int i = 0; i < n; i++)
		good += is_called(c, &w[i]);
	return good;
}

static void all_slots(const struct view_caller *c, int conn)
{
	static struct view_way way[SLOTS + 1];
	int n, good, err;

	n = link_all(c, conn, way, SLOTS + 1, &err);
	ok(n == SLOTS && err == -EMFILE, "%d links, and not one more", SLOTS);
	note("%d, %d", n, err);
	good = call_all(c, way, n);
	ok(good == n, "each is called");
	note("%d of %d", good, n);
	ok(charged() == shown(), "their user is charged for all of them");
	note("%lu pages", charged());
	/* Each third goes; those that come take the same slots. */
	for (int i = 0; i < n; i += 3)
		close(way[i].link);
	for (int i = 0; i < n; i += 3)
		if (view_way(c, new_link(conn, 0), &way[i]))
			give_up("a way in");
	ok(call_all(c, way, n) == n, "and again with others among them");
	unlink_all(way, n);
}

/* ---- shares
 * ------------------------------------------------------------------- */

static void share(const struct view_caller *c, int conn)
{
	const unsigned long before = charged(), was = number_in(LIMIT);
	struct view_way way[SOME];
	unsigned long each;
	pid_t pid;
	int n, err;

	ok(link_all(c, conn, way, 1, &err) == 1, "a link");
	each = charged() - before;
	unlink_all(way, 1);
	ok(charged() == before, "its memory is given back");
	limit(before + 10 * each + each / 2);
	n = link_all(c, conn, way, SOME, &err);
	ok(n == 10 && err == -EDQUOT, "no more than its user may have");
	note("%d of %lu pages, %d", n, each, err);
	ok(charged() == before + 10 * each, "what was too much is given back");
	ok(call_all(c, way, n) == n, "those that there are go on");
	limit(before + 12 * each);
	ok(link_all(c, conn, way + n, SOME - n, &err) == 2, "a higher limit");
	unlink_all(way, n + 2);
	/* Not even another thread's gate */
	limit(before);
	pid = fork();
	if (!pid) {
		const int fd = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC);

		_exit(op(fd, SKYIPC_DEV_VIEW, NULL) != -EDQUOT);
	}
	ok(!status_of(pid), "nor a thread that has no links yet");
	limit(was);
	ok(charged() == before, "nothing is left");
}

/* ---- cgroups
 * ------------------------------------------------------------------- */

static void write_group(const char *file, const char *text)
{
	if (write_file(file, text))
		give_up(file);
}

static void cgroup(const struct view_caller *c, int conn)
{
	struct view_way way[SOME];
	unsigned long before, pages, after;
	char pid[16];
	int n, err;

	mkdir(CGROUPS, 0755);
	if (mount("none", CGROUPS, "cgroup2", 0, NULL))
		give_up("cgroup2");
	write_group(CGROUPS "/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755))
		give_up(GROUP);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	write_group(GROUP "/cgroup.procs", pid);
	/* Batches of 32 pages of each CPU are within what is not looked at. */
	before = number_in(GROUP "/memory.current");
	pages = charged();
	n = link_all(c, conn, way, SOME, &err);
	pages = charged() - pages;
	after = number_in(GROUP "/memory.current");
	ok(n == SOME && after - before >= (pages - 64) * PAGE,
	   "all is charged to the cgroup of who makes it");
	note("%lu pages, %lu of them", pages, (after - before) / PAGE);
	unlink_all(way, n);
	write_group(CGROUPS "/cgroup.procs", pid);
}

/* ---- many rounds
 * ------------------------------------------------------------------- */

static int rounds_of(const struct view_caller *c, int conn, int rounds)
{
	struct view_way w;
	int i, err;

	for (i = 0; i < rounds; i++) {
		if (link_all(c, conn, &w, 1, &err) != 1)
			break;
		if (i % 100 == 0 && !is_called(c, &w))
			break;
		close(w.link);
	}
	return i;
}

static void many_rounds(const struct view_caller *c, int conn, int rounds)
{
	int n;

	rounds_of(c, conn, 200);
	leak_begin();
	n = rounds_of(c, conn, rounds);
	ok(n == rounds, "%d times a link and none", rounds);
	leak_end(rounds, "links");
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 10000;
	const struct rlimit files = { 2048, 2048 };
	struct view_caller caller;
	pid_t server;
	int conn;

	load("skyipc.ko", "views=required");
	if (setrlimit(RLIMIT_NOFILE, &files))
		give_up("RLIMIT_NOFILE");
	view_map();
	server = view_server(handler, SLOTS + 1, &conn);
	view_attach(&caller);
	all_slots(&caller, conn);
	ok(unload("skyipc") == -EAGAIN, "rmmod is refused");
	share(&caller, conn);
	cgroup(&caller, conn);
	many_rounds(&caller, conn, rounds);
	view_detach(&caller);
	close(conn);
	end_process(server);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
