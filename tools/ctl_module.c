/* SPDX-License-Identifier: MIT */
/*
 * skyctl module: what goes through the kernel module, and who has what of that
 * which is limited. The module's tables say themselves what their columns are.
 */
#include "ctl.h"
#include "json.h"
#include "table.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE "/sys/class/misc/skyipc/"
#define TABLES "/sys/kernel/debug/skyipc/"
#define LIMITS "/proc/sys/skyipc/user_"

/* The columns of users that have a limit, and its file */
static const struct limit {
	const char *column, *file;
} limits[] = {
	{ "servers", LIMITS "servers" },
	{ "connections", LIMITS "connections" },
	{ "workers", LIMITS "workers" },
	{ "calls", LIMITS "calls" },
	{ "pinned-pages", LIMITS "pinned_pages" },
	{ "view-pages", LIMITS "view_pages" },
};
#define LIMITS_N (sizeof(limits) / sizeof(limits[0]))

static const char *const tables[] = { "users", "servers", "links", "views" };

/* The first line of a file, without its end. 0 or -errno */
static int first_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	int err = 0;

	buf[0] = '\0';
	if (!f)
		return -errno;
	if (!fgets(buf, (int)size, f))
		err = ferror(f) ? -EIO : 0;
	buf[strcspn(buf, "\n")] = '\0';
	fclose(f);
	return err;
}

struct state {
	char version[64], views[16], why[256];
};

static int read_state(struct state *s)
{
	int err = first_line(MODULE "version", s->version, sizeof(s->version));

	if (!err)
		err = first_line(MODULE "views", s->views, sizeof(s->views));
	if (!err)
		err = first_line(MODULE "views_why", s->why, sizeof(s->why));
	return err;
}

static unsigned long long limit_of(const struct limit *l)
{
	char line[64];

	return first_line(l->file, line, sizeof(line))
		       ? 0
		       : strtoull(line, NULL, 10);
}

/* ---- for people -----------------------------------------------------------
 */

/* Numbers that people know by another name */
static const char *people(const char *column, const char *value, char *buf,
			  size_t size)
{
	if (!strcmp(column, "uid"))
		snprintf(buf, size, "%s",
			 text_user((uid_t)strtoul(value, NULL, 10)).s);
	else if (!strcmp(column, "pid") || !strcmp(column, "server") ||
		 !strcmp(column, "client") || !strcmp(column, "thread"))
		snprintf(buf, size, "%s:%s", value,
			 text_comm((pid_t)strtol(value, NULL, 10)).s);
	else
		snprintf(buf, size, "%s", value);
	return buf;
}

static unsigned long long number_of(const struct table *t, size_t row,
				    const char *column)
{
	for (size_t c = 0; c < t->columns; c++)
		if (!strcmp(table_name(t, c), column))
			return strtoull(table_cell(t, row, c), NULL, 10);
	return 0;
}

/* Which handlers do not stay where they are fast, and why? */
static void print_slow_views(const struct table *t)
{
	unsigned long long syscalls, faults, server;

	for (size_t r = 0; r < t->rows; r++) {
		syscalls = number_of(t, r, "syscalls");
		faults = number_of(t, r, "faults");
		if (!syscalls && !faults)
			continue;
		server = number_of(t, r, "server");
		printf("  of thread %llu, slot %llu: calls moved to a thread "
		       "of %s's,\n    %llu for a system call, %llu for a fault "
		       "(skyipc(7), transport)\n",
		       number_of(t, r, "thread"), number_of(t, r, "slot"),
		       text_comm((pid_t)server).s, syscalls, faults);
	}
}

static void print_table(const char *name)
{
	char path[128];
	struct table t;
	int err;

	snprintf(path, sizeof(path), TABLES "%s", name);
	err = table_read(&t, path);
	if (err) {
		printf("\n%s: %s\n", name,
		       err == -EACCES	? "only root may see them"
		       : err == -ENOENT ? "debugfs is not mounted"
					: strerror(-err));
		return;
	}
	if (t.rows) {
		printf("\n%s\n", name);
		table_print(&t, people);
		if (!strcmp(name, "views"))
			print_slow_views(&t);
	} else {
		printf("\nno %s\n", name);
	}
	table_free(&t);
}

static void print_module(const struct state *s)
{
	printf("skyipc.ko %s, views %s%s%s\n\nlimits of each user\n",
	       s->version, s->views, s->why[0] ? ": " : "", s->why);
	for (size_t i = 0; i < LIMITS_N; i++)
		printf("  %-12s %llu\n", limits[i].column,
		       limit_of(&limits[i]));
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		print_table(tables[i]);
}

/* ---- for machines ---------------------------------------------------------
 */

static void json_cell(struct json *j, const char *column, const char *value)
{
	char *end;
	unsigned long long n = strtoull(value, &end, 10);

	if (*value >= '0' && *value <= '9' && !*end)
		json_u64(j, column, n);
	else
		json_str(j, column, value);
}

static void json_table(struct json *j, const char *name)
{
	char path[128];
	struct table t;

	snprintf(path, sizeof(path), TABLES "%s", name);
	/* Not there: who asks may not see it. */
	if (table_read(&t, path))
		return;
	json_open(j, name, '[');
	for (size_t r = 0; r < t.rows; r++) {
		json_open(j, NULL, '{');
		for (size_t c = 0; c < t.columns; c++)
			json_cell(j, table_name(&t, c), table_cell(&t, r, c));
		json_close(j);
	}
	json_close(j);
	table_free(&t);
}

static void json_module(const struct state *s)
{
	struct json j;

	json_init(&j, stdout);
	json_open(&j, NULL, '{');
	json_bool(&j, "loaded", s != NULL);
	if (s) {
		json_str(&j, "version", s->version);
		json_bool(&j, "views", !strcmp(s->views, "on"));
		json_str(&j, "views_why", s->why);
		json_open(&j, "limits", '{');
		for (size_t i = 0; i < LIMITS_N; i++)
			json_u64(&j, limits[i].column, limit_of(&limits[i]));
		json_close(&j);
		for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
			json_table(&j, tables[i]);
	}
	json_end(&j);
}

int ctl_module(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct state s;
	int json = 0, opt, err;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j')
			return ctl_usage();
		json = 1;
	}
	if (optind != argc)
		return ctl_usage();
	err = read_state(&s);
	if (json)
		json_module(err ? NULL : &s);
	else if (!err)
		print_module(&s);
	else
		puts("the module skyipc is not loaded; 'skyctl doctor' says "
		     "what it would do here");
	return err ? EXIT_FAILED : EXIT_OK;
}
