/* SPDX-License-Identifier: MIT */
/*
 * skyctl list: every name in the runtime directories, who serves it and who
 * is connected. A name is only a file: each server is asked, for a limited
 * time, and one that does not answer is still listed, with the reason.
 */
#include "ctl.h"
#include "json.h"
#include "text.h"

#include <skyipc.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	char *path;
	int err; /* of the query */
	struct skyipc_server_info info;
	struct skyipc_conn_info *conns;
	size_t nconns;
};

struct listing {
	struct entry *entries;
	size_t n, room;
};

static int collect(const char *path, void *arg)
{
	struct listing *l = arg;

	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct entry *more = realloc(l->entries, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->entries = more;
		l->room = room;
	}
	l->entries[l->n] = (struct entry){ .path = strdup(path) };
	if (!l->entries[l->n].path)
		return -ENOMEM;
	l->n++;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path,
		      ((const struct entry *)b)->path);
}

static const char *state(const struct entry *e)
{
	switch (e->err) {
	case 0:
		return "running";
	case -ECONNREFUSED:
		return "stale";
	case -EACCES:
	case -EPERM:
		return "no access";
	case -ETIMEDOUT:
		return "no answer";
	default:
		return "error";
	}
}

static void print_conn(const struct skyipc_conn_info *c)
{
	char transport[4 * sizeof(c->transport) + 1];

	printf("  pid %-8d %-15s %-15s %-8s %s calls, %s\n", (int)c->peer.pid,
	       text_user(c->peer.uid).s, text_comm(c->peer.pid).s,
	       safe(transport, sizeof(transport), c->transport,
		    sizeof(c->transport)),
	       text_count(c->stats.calls).s, text_bytes(c->stats.mem).s);
}

static void print_entry(const struct entry *e, int width)
{
	char name[512], comm[4 * sizeof(e->info.comm) + 1], path[1024];
	size_t i, max;
	const char *plain = text_plain_name(e->path, SIZE_MAX, &max);

	safe(name, sizeof(name), plain, max);
	safe(path, sizeof(path), e->path, strlen(e->path));
	if (e->err) {
		printf("%-*s  %-9s  %-7s  %-8s  %-15s  %-8s  %7s  %7s  %7s  "
		       "%s\n",
		       width, name, state(e), "-", "-", "-", "-", "-", "-", "-",
		       path);
		return;
	}
	printf("%-*s  %-9s  %-7d  %-8s  %-15s  %-8s  %7u  %7s  %7s  %s\n",
	       width, name, state(e), (int)e->info.pid,
	       text_user(e->info.uid).s,
	       safe(comm, sizeof(comm), e->info.comm, sizeof(e->info.comm)),
	       text_mode(e->info.mode), e->info.workers,
	       text_count(e->info.stats.conns).s,
	       text_uptime(e->info.uptime_ns).s, path);
	for (i = 0; i < e->nconns; i++)
		print_conn(&e->conns[i]);
}

/* Asks every server, and drops names that went since they were listed. */
static void ask(struct listing *l, uint64_t timeout)
{
	size_t i, kept = 0;

	for (i = 0; i < l->n; i++) {
		struct entry *e = &l->entries[i];

		e->info.size = sizeof(e->info);
		e->err = skyipc_query(e->path, &e->info, &e->conns, &e->nconns,
				      timeout);
		if (e->err) {
			e->conns = NULL;
			e->nconns = 0;
		}
		if (e->err == -ENOENT)
			free(e->path);
		else
			l->entries[kept++] = *e;
	}
	l->n = kept;
}

static void print_listing(const struct listing *l)
{
	int width = 4;
	size_t i;

	if (!l->n) {
		puts("no servers");
		return;
	}
	for (i = 0; i < l->n; i++) {
		size_t max;
		const char *plain =
			text_plain_name(l->entries[i].path, SIZE_MAX, &max);
		char name[512];
		int len;

		len = (int)strlen(safe(name, sizeof(name), plain, max));
		if (len > width)
			width = len < 40 ? len : 40;
	}
	printf("%-*s  %-9s  %-7s  %-8s  %-15s  %-8s  %7s  %7s  %7s  %s\n",
	       width, "NAME", "STATE", "PID", "USER", "COMMAND", "MODE",
	       "WORKERS", "CLIENTS", "UP", "PATH");
	for (i = 0; i < l->n; i++)
		print_entry(&l->entries[i], width);
}

static void json_conn(struct json *j, const struct skyipc_conn_info *c)
{
	json_open(j, NULL, '{');
	json_u64(j, "id", c->id);
	json_i64(j, "pid", c->peer.pid);
	json_u64(j, "uid", c->peer.uid);
	json_u64(j, "gid", c->peer.gid);
	json_strn(j, "transport", c->transport, sizeof(c->transport));
	json_u64(j, "calls", c->stats.calls);
	json_u64(j, "mem", c->stats.mem);
	json_close(j);
}

static void json_listing(const struct listing *l)
{
	struct json j;
	size_t i, k;

	json_init(&j, stdout);
	json_open(&j, NULL, '{');
	json_open(&j, "servers", '[');
	for (i = 0; i < l->n; i++) {
		const struct entry *e = &l->entries[i];
		size_t max;
		const char *plain = text_plain_name(e->path, SIZE_MAX, &max);

		json_open(&j, NULL, '{');
		json_strn(&j, "name", plain, max);
		json_str(&j, "path", e->path);
		json_str(&j, "state", state(e));
		if (e->err) {
			json_str(&j, "error", text_errname(e->err));
			json_close(&j);
			continue;
		}
		json_i64(&j, "pid", e->info.pid);
		json_u64(&j, "uid", e->info.uid);
		json_strn(&j, "comm", e->info.comm, sizeof(e->info.comm));
		json_str(&j, "mode", text_mode(e->info.mode));
		json_u64(&j, "workers", e->info.workers);
		json_u64(&j, "threads", e->info.threads);
		json_u64(&j, "uptime_ns", e->info.uptime_ns);
		json_u64(&j, "conns", e->info.stats.conns);
		json_open(&j, "clients", '[');
		for (k = 0; k < e->nconns; k++)
			json_conn(&j, &e->conns[k]);
		json_close(&j);
		json_close(&j);
	}
	json_end(&j);
}

static void forget(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->entries[i].conns);
		free(l->entries[i].path);
	}
	free(l->entries);
}

int ctl_list(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "timeout", required_argument, NULL, 't' },
		{ 0 },
	};
	struct listing l = { 0 };
	uint64_t timeout = SKYIPC_SEC(1);
	int json = 0, opt, err;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			json = 1;
			break;
		case 't':
			if (parse_seconds(optarg, &timeout))
				break;
			fputs("skyctl: --timeout wants seconds\n", stderr);
			return ctl_usage();
		default:
			return ctl_usage();
		}
	}
	if (optind != argc)
		return ctl_usage();

	err = skyipc_list(collect, &l);
	if (err) {
		ctl_error("list", err);
		forget(&l);
		return EXIT_FAILED;
	}
	if (l.n)
		qsort(l.entries, l.n, sizeof(l.entries[0]), by_path);
	ask(&l, timeout);
	if (json)
		json_listing(&l);
	else
		print_listing(&l);
	forget(&l);
	return EXIT_OK;
}
