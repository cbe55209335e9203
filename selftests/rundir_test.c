/* SPDX-License-Identifier: MIT */
/*
 * rundir_test.c - the runtime directory in /tmp, where anybody could have made
 * it. The tests have a /tmp of their own: nobody sees it, and it ends with
 * them.
 */
#include "testlib.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* If we are root, who does not use /tmp, somebody else takes our place. */
#define SOMEBODY 65531
#define STRANGER 65530

/* What a child ends with if it may not do what the test needs */
#define SKIP_NAMESPACE 77
#define SKIP_STRANGER 78

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

static char rundir[64], aside[80];
static const char *name; /* found nowhere else */

static int put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = write(fd, text, strlen(text));
		close(fd);
	}
	return n == (ssize_t)strlen(text);
}

/* An empty /tmp; 0: not permitted. */
static int own_tmp(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (unshare(uid ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS))
		return 0;
	if (uid) {
		snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		if (!put_file("/proc/self/uid_map", map) ||
		    !put_file("/proc/self/setgroups", "deny"))
			return 0;
		snprintf(map, sizeof(map), "%u %u 1", gid, gid);
		if (!put_file("/proc/self/gid_map", map))
			return 0;
	}
	return !mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) &&
	       !mount("skyipc", "/tmp", "tmpfs", 0, "mode=1777");
}

/* A user who has nothing but /tmp. The saved uid remains, to come back. */
static int settle(void)
{
	if (!own_tmp())
		return SKIP_NAMESPACE;
	if (!geteuid()) {
		CHECK(setresuid(SOMEBODY, SOMEBODY, 0) == 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* that cleared it */
	}
	CHECK(unsetenv("SKYIPC_DIR") == 0);
	CHECK(unsetenv("XDG_RUNTIME_DIR") == 0);
	snprintf(rundir, sizeof(rundir), "/tmp/skyipc-%u", geteuid());
	snprintf(aside, sizeof(aside), "%s.aside", rundir);
	return 0;
}

static int seen(const char *path, void *arg)
{
	/* The system's directory is looked at, too. */
	*(int *)arg += !strncmp(path, rundir, strlen(rundir));
	return 0;
}

static int listed(void)
{
	int n = 0;

	CHECK(skyipc_list(seen, &n) == 0);
	return n;
}

static int connects(void)
{
	struct skyipc_conn *conn;
	int err = skyipc_connect(name, NULL, &conn);

	if (!err)
		skyipc_close(conn);
	return err;
}

static int creates(void)
{
	struct skyipc_server *server;
	int err = skyipc_server_create("more", &plain, &server);

	if (!err)
		skyipc_server_destroy(server);
	return err;
}

/* Neither for servers nor for clients, and servers are told why. */
static void refused(void)
{
	CHECK(creates() == -EACCES);
	CHECK(strstr(skyipc_errmsg(), "not a private directory"));
	CHECK(strstr(skyipc_errmsg(), rundir));
	CHECK(connects() == -EACCES);
	CHECK(strstr(skyipc_errmsg(), rundir));
	CHECK(listed() == 0);
}

static void welcome(void)
{
	CHECK(creates() == 0);
	CHECK(connects() == 0);
	CHECK(listed() == 1);
}

/* With a server in it that was there before. */
static struct skyipc_server *inhabit(void)
{
	struct skyipc_server *server;
	struct stat st;

	umask(0);
	CHECK(skyipc_server_create(name, &plain, &server) == 0);
	CHECK(skyipc_server_start(server) == 0);
	CHECK(!strncmp(skyipc_server_path(server), rundir, strlen(rundir)));
	CHECK(lstat(rundir, &st) == 0);
	CHECK(S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0700);
	welcome();
	return server;
}

static void open_to_others(void)
{
	static const mode_t modes[] = { 0701, 0702, 0704, 0710,	 0720,
					0740, 0755, 0777, 01777, 02750 };
	struct skyipc_server *server;

	server = inhabit();
	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		CHECK(chmod(rundir, modes[i]) == 0);
		refused();
	}
	CHECK(chmod(rundir, 0700) == 0);
	welcome();
	skyipc_server_destroy(server);
}

/* A link to a directory that would do: it could point elsewhere later. */
static void a_link(void)
{
	struct skyipc_server *server;

	server = inhabit();
	CHECK(rename(rundir, aside) == 0);
	CHECK(symlink(aside, rundir) == 0);
	refused();
	CHECK(unlink(rundir) == 0);
	CHECK(rename(aside, rundir) == 0);
	welcome();
	skyipc_server_destroy(server);
}

static void a_file(void)
{
	int fd;

	fd = open(rundir, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	close(fd);
	CHECK(creates() == -EACCES);
	CHECK(strstr(skyipc_errmsg(), "not a private directory"));
	CHECK(connects() == -ENOENT);
	CHECK(listed() == 0);
}

static void give_to(uid_t uid)
{
	uid_t me = geteuid();

	CHECK(seteuid(0) == 0);
	CHECK(chown(rundir, uid, (gid_t)-1) == 0);
	CHECK(seteuid(me) == 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* As private as can be, but somebody else's. */
static void a_strangers(void)
{
	struct skyipc_server *server;

	server = inhabit();
	give_to(STRANGER);
	CHECK(creates() == -EACCES);
	CHECK(strstr(skyipc_errmsg(), "not a private directory"));
	CHECK(connects() == -ENOENT); /* it cannot even be looked into */
	CHECK(listed() == 0);
	give_to(geteuid());
	welcome();
	skyipc_server_destroy(server);
}

static int somebody(struct child *me, void *arg)
{
	void (*const *fn)(void) = arg;
	int no = geteuid() && *fn == a_strangers ? SKIP_STRANGER : settle();

	(void)me;
	if (no)
		return no;
	(*fn)();
	/* Root again: ASan, which looks for leaks now, needs its rights. */
	if (geteuid() == SOMEBODY && seteuid(0) == 0)
		CHECK(setresuid(0, 0, 0) == 0);
	return 0;
}

static void run(void (*fn)(void))
{
	struct child c;
	int ret;

	name = new_name();
	child_start(&c, somebody, &fn);
	ret = child_end(&c);
	if (ret == SKIP_NAMESPACE)
		print_message("# no mount namespace is permitted here\n");
	if (ret == SKIP_STRANGER)
		print_message("# root is needed, for there is another user\n");
	if (ret == SKIP_NAMESPACE || ret == SKIP_STRANGER)
		skip();
	assert_int_equal(ret, 0);
}

static void mode(void **state)
{
	(void)state;
	run(open_to_others);
}

static void link_there(void **state)
{
	(void)state;
	run(a_link);
}

static void file_there(void **state)
{
	(void)state;
	run(a_file);
}

static void owner(void **state)
{
	(void)state;
	run(a_strangers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mode),
		cmocka_unit_test(link_there),
		cmocka_unit_test(file_there),
		cmocka_unit_test(owner),
	};

	return run_variants("the runtime directory", tests, ARRAY_LEN(tests),
			    0);
}
