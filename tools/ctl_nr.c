/* SPDX-License-Identifier: MIT */
/*
 * skyctl nr: statistics of replicated structures of running programs, of those
 * that show them (libnr's nr_show()). It sees what that library tells anybody.
 */
#include "ctl.h"
#include "json.h"
#include "text.h"

#include <nr_show.h>
#include <nr_stats.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct looking {
	struct json *json; /* NULL: for people */
	unsigned long pid; /* 0: all */
	unsigned shown, failed;
};

static void print_who(const struct nr_seen *s)
{
	if (s->pid)
		printf("pid %d (%s), user %s: ", (int)s->pid,
		       text_comm(s->pid).s, text_user(s->uid).s);
	else
		fputs("a process: ", stdout);
}

static void print_one(const struct nr_seen *s)
{
	char name[4 * NR_SHOW_NAME + 1];

	print_who(s);
	if (s->err) {
		puts(text_errname(s->err));
		return;
	}
	puts(safe(name, sizeof(name), s->name, NR_SHOW_NAME));
	nr_stats_print(stdout, s->stats, s->replicas, s->n, 0);
}

/* What the library prints is a whole object. */
static int json_stats(struct json *j, const struct nr_seen *s)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int err = f ? nr_stats_print(f, s->stats, s->replicas, s->n,
				     NR_PRINT_JSON)
		    : -ENOMEM;

	if (f && fclose(f))
		err = -ENOMEM;
	if (!err)
		json_raw(j, "stats", text, len - 1); /* the newline */
	free(text);
	return err;
}

static int json_one(struct json *j, const struct nr_seen *s)
{
	int err = 0;

	json_open(j, NULL, '{');
	if (s->pid) {
		json_i64(j, "pid", s->pid);
		json_u64(j, "uid", s->uid);
		json_str(j, "comm", text_comm(s->pid).s);
	}
	if (s->err) {
		json_str(j, "error", text_errname(s->err));
	} else {
		json_strn(j, "name", s->name, NR_SHOW_NAME);
		err = json_stats(j, s);
	}
	json_close(j);
	return err;
}

static int see(const struct nr_seen *s, void *arg)
{
	struct looking *l = arg;

	if (l->pid && (unsigned long)s->pid != l->pid)
		return 0;
	l->shown++;
	l->failed += s->err != 0;
	if (l->json)
		return json_one(l->json, s);
	print_one(s);
	return 0;
}

static int look(struct looking *l, bool json)
{
	struct json j;
	int err;

	if (json) {
		l->json = &j;
		json_init(&j, stdout);
		json_open(&j, NULL, '{');
		json_open(&j, "structures", '[');
	}
	err = nr_look(see, l);
	if (json)
		json_end(&j);
	else if (!err && !l->shown)
		puts("no structures");
	if (err)
		return ctl_error("nr", err);
	/* Asked for by number: has to be there. */
	return l->pid && (!l->shown || l->failed) ? EXIT_FAILED : EXIT_OK;
}

int ctl_nr(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct looking l = { 0 };
	bool json = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j')
			return ctl_usage();
		json = true;
	}
	if (optind < argc - 1 ||
	    (optind == argc - 1 && !parse_count(argv[optind], &l.pid))) {
		fputs("skyctl: nr takes the number of a process\n", stderr);
		return ctl_usage();
	}
	return look(&l, json);
}
