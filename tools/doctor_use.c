/* SPDX-License-Identifier: MIT */
/*
 * The runtime directory, and each transport: is it there, and does a call
 * through it come back.
 */
#include "doctor.h"
#include "text.h"

#include <skyipc.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* As skyipc_server_create() documents it. */
static int runtime_dir(char *buf, size_t size)
{
	const char *env = getenv("SKYIPC_DIR");
	int n;

	if (env && *env)
		n = snprintf(buf, size, "%s", env);
	else if (geteuid() == 0)
		n = snprintf(buf, size, "/run/skyipc");
	else if ((env = getenv("XDG_RUNTIME_DIR")) && *env)
		n = snprintf(buf, size, "%s/skyipc", env);
	else
		n = snprintf(buf, size, "/tmp/skyipc-%u", (unsigned)geteuid());
	return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static void check_missing(struct doctor *d, const char *dir)
{
	char parent[PATH_MAX];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", dir);
	slash = strrchr(parent, '/');
	if (slash && slash != parent)
		*slash = 0;
	else
		strcpy(parent, slash ? "/" : ".");
	if (access(parent, W_OK | X_OK) == 0)
		doctor_say(d, VERDICT_OK, "directory", NULL,
			   "%s will be made by the first server", dir);
	else
		doctor_say(d, VERDICT_FAIL, "directory",
			   "make it, owned by you with mode 0700, or set "
			   "SKYIPC_DIR to a directory that is",
			   "%s does not exist and cannot be made: %s", dir,
			   strerror(errno));
}

void doctor_directory(struct doctor *d)
{
	char dir[PATH_MAX];
	struct stat st;
	bool in_tmp;

	if (runtime_dir(dir, sizeof(dir))) {
		doctor_say(d, VERDICT_FAIL, "directory", "set SKYIPC_DIR",
			   "the path is too long");
		return;
	}
	if (lstat(dir, &st)) {
		if (errno == ENOENT)
			check_missing(d, dir);
		else
			doctor_say(d, VERDICT_FAIL, "directory",
				   "set SKYIPC_DIR to a directory of yours",
				   "%s: %s", dir, strerror(errno));
		return;
	}
	/* anybody can make things in /tmp, so the library is strict there */
	in_tmp = strncmp(dir, "/tmp/skyipc-", 12) == 0;
	if (S_ISLNK(st.st_mode) && !in_tmp && stat(dir, &st))
		memset(&st, 0, sizeof(st));
	if (!S_ISDIR(st.st_mode)) {
		doctor_say(d, VERDICT_FAIL, "directory",
			   "remove it, or set SKYIPC_DIR", "%s is no directory",
			   dir);
		return;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0)
		doctor_say(d, VERDICT_FAIL, "directory",
			   "set SKYIPC_DIR to a directory of yours: its owner "
			   "can put other servers under your names",
			   "%s belongs to %s", dir, text_user(st.st_uid).s);
	else if (access(dir, W_OK | X_OK))
		doctor_say(d, VERDICT_FAIL, "directory",
			   "set SKYIPC_DIR to a directory of yours to run "
			   "servers; clients need nothing",
			   "%s cannot be written: %s", dir, strerror(errno));
	else if (in_tmp && (st.st_uid != geteuid() || (st.st_mode & 0077)))
		doctor_say(d, VERDICT_FAIL, "directory",
			   "make it yours with mode 0700, or set SKYIPC_DIR",
			   "%s: owner %s, mode %04o", dir,
			   text_user(st.st_uid).s,
			   (unsigned)st.st_mode & 07777);
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		doctor_say(d, VERDICT_WARN, "directory",
			   "chmod go-w: whoever can write it can put other "
			   "servers under your names",
			   "%s has mode %04o", dir,
			   (unsigned)st.st_mode & 07777);
	else
		doctor_say(d, VERDICT_OK, "directory", NULL,
			   "%s, owner %s, mode %04o", dir,
			   text_user(st.st_uid).s,
			   (unsigned)st.st_mode & 07777);
}

static int32_t echo(struct skyipc_call *call, void *arg)
{
	(void)arg;
	memcpy(call->out, call->in, sizeof(call->out));
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* One transport, tried. */
struct trial {
	uint64_t best_ns; /* the shortest of some round trips */
	char why[256];	  /* what the library said of a failure */
};

/* The library forgets at its next call, so before anything is closed. */
static int failed(struct trial *t, int err)
{
	if (err)
		snprintf(t->why, sizeof(t->why), "%s", skyipc_errmsg());
	return err;
}

static int try_calls(const char *name, const char *transport, struct trial *t)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	const uint64_t in[SKYIPC_WORDS] = { 1, 2, 3, 4, 5, 6 };
	uint64_t out[SKYIPC_WORDS], start;
	struct skyipc_conn *conn;
	int err;

	attr.transport = transport;
	attr.call_ns = SKYIPC_SEC(5);
	err = failed(t, skyipc_connect(name, &attr, &conn));
	if (err)
		return err;
	t->best_ns = UINT64_MAX;
	for (int i = 0; i < 1000 && !err; i++) {
		start = now_ns();
		err = failed(
			t, skyipc_call(conn, 0, in, out, NULL, SKYIPC_DEFAULT));
		start = now_ns() - start;
		t->best_ns = start < t->best_ns ? start : t->best_ns;
		if (!err && memcmp(in, out, sizeof(in)) != 0)
			err = -EBADMSG;
	}
	skyipc_close(conn);
	return err;
}

static int try_transport(const char *transport, struct trial *t)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct skyipc_server *server;
	char name[SKYIPC_NAME_MAX + 1];
	int err;

	snprintf(name, sizeof(name), "skyctl-doctor-%d", (int)getpid());
	attr.handler = echo;
	attr.sock_mode = SKYIPC_SOCK_MODE(0600);
	err = failed(t, skyipc_server_create(name, &attr, &server));
	if (err)
		return err;
	err = failed(t, skyipc_server_start(server));
	if (!err)
		err = try_calls(skyipc_server_path(server), transport, t);
	skyipc_server_destroy(server);
	return err;
}

/* "NAME WHY", one after the other */
static void add_reason(char *text, size_t size, const char *name,
		       const char *why)
{
	size_t n = strlen(text);

	snprintf(text + n, size - n, "%s %s %s", n ? "," : ":", name, why);
}

void doctor_transports(struct doctor *d)
{
	struct skyipc_transport_info t = { .size = sizeof(t) };
	char check[64];
	char choice[sizeof(t.name)] = "", better[256] = "";
	int err;

	for (unsigned i = 0; skyipc_transport(i, &t) == 0; i++) {
		struct trial trial = { 0 };

		snprintf(check, sizeof(check), "transport %.*s",
			 (int)sizeof(t.name), t.name);
		if (!t.available) {
			doctor_say(d, VERDICT_WARN, check, NULL, "%.*s",
				   (int)sizeof(t.detail), t.detail);
			if (!*choice)
				add_reason(better, sizeof(better), t.name,
					   "cannot be had");
		} else if ((err = try_transport(t.name, &trial))) {
			doctor_say(d, VERDICT_FAIL, check,
				   "the lines above should tell why",
				   "a call failed: %s: %s", strerror(-err),
				   trial.why);
			if (!*choice)
				add_reason(better, sizeof(better), t.name,
					   "fails");
		} else {
			if (!*choice)
				memcpy(choice, t.name, sizeof(choice));
			doctor_say(d, VERDICT_OK, check, NULL,
				   "fastest of 1000 calls %s",
				   text_ns(trial.best_ns).s);
		}
		t = (struct skyipc_transport_info){ .size = sizeof(t) };
	}
	if (!*choice)
		doctor_say(d, VERDICT_FAIL, "connections", NULL,
			   "no transport can be used");
	else
		doctor_say(d, VERDICT_OK, "connections", NULL, "take %s%s",
			   choice, better);
}
