/* SPDX-License-Identifier: MIT */
/* connect_test.c - names, connecting, who is there, being out of descriptors */
#include "testlib.h"
#include "conn.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

static const char *dir(void)
{
	const char *d = getenv("SKYIPC_DIR");

	if (!d)
		fail_msg("SKYIPC_DIR is not set");
	return d;
}

static int create(const char *name)
{
	struct skyipc_server *server;
	int err = skyipc_server_create(name, &plain, &server);

	if (!err)
		skyipc_server_destroy(server);
	return err;
}

static int try(const char *name)
{
	struct skyipc_conn *conn;
	int err = skyipc_connect(name, NULL, &conn);

	if (!err)
		skyipc_close(conn);
	else
		assert_true(skyipc_errmsg()[0]);
	return err;
}

/* ---- names -------------------------------------------------------------- */

static void names(void **state)
{
	static const char *const bad[] = {
		"", ".", "..", ".hidden", "a b", "a\tb", "\xc3\xa4", "a:b",
	};
	char name[200], path[200];
	struct skyipc_server *server;
	struct stat st;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(create(bad[i]), -EINVAL);
		assert_true(skyipc_errmsg()[0]);
		assert_int_equal(try(bad[i]), -EINVAL);
	}
	memset(name, 'n', sizeof(name));
	name[SKYIPC_NAME_MAX + 1] = '\0';
	assert_int_equal(create(name), -EINVAL);
	assert_int_equal(try(name), -EINVAL);
	name[SKYIPC_NAME_MAX] = '\0';
	assert_int_equal(create(name), 0);

	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[sizeof(((struct sockaddr_un *)0)->sun_path)] = '\0';
	assert_int_equal(create(path), -ENAMETOOLONG);
	assert_int_equal(try(path), -ENAMETOOLONG);
	assert_int_equal(create("/no/such/directory/x"), -ENOENT);
	assert_int_equal(try("/no/such/directory/x"), -ENOENT);
	assert_int_equal(try("nobody-has-this-name"), -ENOENT);

	/* A plain name is NAME.sock in the directory; a path is itself. */
	assert_int_equal(skyipc_server_create("A.b_c-9", &plain, &server), 0);
	snprintf(path, sizeof(path), "%s/A.b_c-9.sock", dir());
	assert_string_equal(skyipc_server_path(server), path);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(skyipc_server_start(server), 0);
	assert_int_equal(try("A.b_c-9"), 0);
	assert_int_equal(try(path), 0);
	skyipc_server_destroy(server);

	snprintf(path, sizeof(path), "%s/by-path", dir());
	assert_int_equal(skyipc_server_create(path, &plain, &server), 0);
	assert_string_equal(skyipc_server_path(server), path);
	assert_int_equal(skyipc_server_start(server), 0);
	assert_int_equal(try(path), 0);
	assert_int_equal(try("by-path"), -ENOENT);
	skyipc_server_destroy(server);
	assert_int_equal(lstat(path, &st), -1);
}

static void owned(void **state)
{
	const char *name = new_name();
	char path[200];
	struct child c, d;
	struct skyipc_server *server;
	int fd;

	(void)state;
	server_spawn(&c, name, &plain);
	assert_int_equal(create(name), -EADDRINUSE);
	assert_true(skyipc_errmsg()[0]);
	assert_int_equal(server_try_spawn(&d, name, &plain), -EADDRINUSE);
	assert_int_equal(try(name), 0);
	assert_int_equal(child_end(&c), 0);
	assert_int_equal(try(name), -ENOENT);

	/* Twice in one process */
	assert_int_equal(skyipc_server_create(name, &plain, &server), 0);
	assert_int_equal(create(name), -EADDRINUSE);
	skyipc_server_destroy(server);
	assert_int_equal(create(name), 0);

	/* Something that is no socket is left alone. */
	snprintf(path, sizeof(path), "%s/file.sock", dir());
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(create("file"), -EEXIST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(create("file"), 0);
}

/* A killed server's name: refused, then taken over. */
static void stale(void **state)
{
	const char *name = new_name();
	struct skyipc_conn *conn;
	struct child c;

	(void)state;
	for (int i = 0; i < 10; i++) {
		server_spawn(&c, name, &plain);
		conn = connect_to(name, NULL);
		ask(conn, OP_ECHO, 0, 0);
		child_kill(&c);
		assert_int_equal(try(name), -ECONNREFUSED);
		skyipc_close(conn);
	}
	server_spawn(&c, name, &plain);
	assert_int_equal(try(name), 0);
	assert_int_equal(child_end(&c), 0);
}

/* Several at once want the name of a dead one: exactly one gets it. */
static int racer(struct child *me, void *arg)
{
	struct skyipc_server *server;
	int err;

	child_say(me, 0);
	child_hear(me);
	err = skyipc_server_create(arg, &plain, &server);
	child_say(me, err);
	child_await_end(me);
	if (!err)
		skyipc_server_destroy(server);
	return 0;
}

static void takeover_race(void **state)
{
	const char *name = new_name();
	struct child c, r[4];
	int64_t go = 1;

	(void)state;
	for (int round = 0; round < 10; round++) {
		int won = 0;

		server_spawn(&c, name, &plain);
		child_kill(&c);
		for (int i = 0; i < 4; i++) {
			child_start(&r[i], racer, (void *)name);
			child_hear(&r[i]);
		}
		for (int i = 0; i < 4; i++)
			child_say(&r[i], go);
		for (int i = 0; i < 4; i++) {
			int64_t err = child_hear(&r[i]);

			assert_true(err == 0 || err == -EADDRINUSE);
			won += !err;
		}
		assert_int_equal(won, 1);
		for (int i = 0; i < 4; i++)
			assert_int_equal(child_end(&r[i]), 0);
	}
}

/* ---- what connect says -------------------------------------------------- */

static void bad_attributes(void **state)
{
	struct skyipc_server_attr attr = plain;
	struct skyipc_connect_attr a, good = SKYIPC_CONNECT_ATTR_INIT;
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn;

	(void)state;
	attr.buf_size = 65536;
	attr.depth = 128;
	server = server_here(name, &attr);
#define SAYS(change, want)                                                     \
	do {                                                                   \
		a = good;                                                      \
		change;                                                        \
		assert_int_equal(skyipc_connect(name, &a, &conn), want);       \
		if (want)                                                      \
			assert_true(skyipc_errmsg()[0]);                       \
		else                                                           \
			skyipc_close(conn);                                    \
	} while (0)
	SAYS(a.size = 0, -EINVAL);
	SAYS(a.depth = 4097, -EINVAL);
	SAYS(a.bufs = 100, -EINVAL);
	SAYS(a.buf_size = UINT64_C(1) << 33, -EINVAL);
	SAYS(a.transport = "pigeon", -EPROTONOSUPPORT);
	SAYS(a.transport = "", -EPROTONOSUPPORT);
	SAYS(a.buf_size = 65537, -EMSGSIZE);
	SAYS(a.depth = 129, -EMSGSIZE);
	SAYS(a.buf_size = 65536, 0);
	SAYS(a.depth = 128; a.bufs = 128, 0);
	SAYS(a.depth = 1; a.buf_size = 1, 0);
	SAYS(a.transport = transport, 0);
	setenv("SKYIPC_TRANSPORT", "pigeon", 1);
	SAYS(, -EPROTONOSUPPORT);
	SAYS(a.transport = "shm", 0);
	setenv("SKYIPC_TRANSPORT", "", 1);
	SAYS(, 0);
	setenv("SKYIPC_TRANSPORT", "shm", 1);
	assert_int_equal(skyipc_connect(name, NULL, &conn), 0);
	assert_string_equal(skyipc_conn_transport(conn), "shm");
	skyipc_close(conn);
	unsetenv("SKYIPC_TRANSPORT");
	a = good;
	a.size = sizeof(a.size); /* of an older program */
	a.transport = "pigeon";
	assert_int_equal(skyipc_connect(name, &a, &conn), 0);
	skyipc_close(conn);
	skyipc_close(NULL);
	skyipc_server_destroy(server);
}

/* Somebody else's socket. */
static void *answer_nonsense(void *arg)
{
	int sock = accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC);
	char buf[4096];

	CHECK(sock >= 0);
	CHECK(recv(sock, buf, sizeof(buf), 0) > 0);
	CHECK(send(sock, "220 smtp ready", 14, MSG_NOSIGNAL) == 14);
	close(sock);
	return NULL;
}

static void strangers(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	pthread_t thread;
	int sock, err;

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/stranger",
			 dir());
		sock = socket(AF_UNIX,
			      (kind ? SOCK_STREAM : SOCK_SEQPACKET) |
				      SOCK_CLOEXEC,
			      0);
		assert_int_equal(bind(sock, (void *)&addr, sizeof(addr)), 0);
		assert_int_equal(listen(sock, 5), 0);
		if (!kind)
			assert_int_equal(pthread_create(&thread, NULL,
							answer_nonsense, &sock),
					 0);
		err = try(addr.sun_path);
		assert_int_equal(err, kind ? -EPROTOTYPE : -EPROTO);
		if (!kind)
			pthread_join(thread, NULL);
		close(sock);
		unlink(addr.sun_path);
	}
}

static void who(void **state)
{
	uint64_t out[SKYIPC_WORDS];
	struct skyipc_peer peer;
	struct fixture f;

	fixture_up(&f, state, NULL, NULL);
	assert_int_equal(skyipc_conn_peer(f.conn, &peer), 0);
	assert_int_equal(peer.pid, f.child.pid);
	assert_int_equal(peer.uid, getuid());
	assert_int_equal(peer.gid, getgid());
	assert_int_equal(skyipc_call(f.conn, OP_PEER, NULL, out, NULL, LIMIT),
			 0);
	assert_int_equal(out[0], getpid());
	assert_int_equal(out[1], getuid());
	assert_int_equal(out[2], getgid());
	if ((int64_t)out[3] < 0)
		assert_int_equal((int64_t)out[3], -EOPNOTSUPP);
	else
		assert_int_equal(out[4], getpid());
	fixture_down(&f);
}

/* ---- whom a doorbell is shared with ------------------------------------- */

#define STRANGER 65533

/* In a child: somebody else from now on. */
static void become_stranger(void)
{
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(STRANGER, STRANGER, STRANGER) == 0);
	CHECK(setresuid(STRANGER, STRANGER, STRANGER) == 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* setuid() cleared it */
}

static int server_of_stranger(struct child *me, void *arg)
{
	struct skyipc_server_attr attr = plain;
	struct skyipc_server *server;

	/* Every call of somebody who is idle has to wake it. */
	attr.mode = SKYIPC_BLOCKING;
	become_stranger();
	server = server_here(arg, &attr);
	child_say(me, 0);
	child_await_end(me);
	CHECK(skyipc_server_stop(server, LIMIT) == 0);
	skyipc_server_destroy(server);
	return 0;
}

static int client_of_root(struct child *me, void *arg)
{
	struct skyipc_conn *conn;

	(void)me;
	become_stranger();
	CHECK(skyipc_connect(arg, NULL, &conn) == 0);
	CHECK(conn->peer.uid == 0 && conn->bell >= 0);
	CHECK(skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0);
	skyipc_close(conn);
	return 0;
}

static void trust_own(void **state)
{
	struct fixture f;

	over_shm_only();
	fixture_up(&f, state, NULL, NULL);
	assert_true(f.conn->bell >= 0);
	fixture_down(&f);
}

static void trust_others(void **state)
{
	struct skyipc_server_attr attr = plain;
	int fds[2] = { 0, 1 }, back[2];
	struct skyipc_msg req = { .op = OP_FDS_BACK, .fds = fds, .nfds = 2 };
	struct skyipc_msg rep = { .fds = back };
	char open_dir[80], path[96];
	struct skyipc_conn *conn;
	struct child c, s;

	(void)state;
	over_shm_only(); /* the module is not for everybody */
	if (geteuid())
		skip();
	snprintf(open_dir, sizeof(open_dir), "%s/open", dir());
	snprintf(path, sizeof(path), "%s/x", open_dir);
	assert_int_equal(chmod(dir(), 0711), 0);
	assert_int_equal(mkdir(open_dir, 0700), 0);
	assert_int_equal(chown(open_dir, STRANGER, STRANGER), 0);

	child_start(&s, server_of_stranger, path);
	child_hear(&s);
	conn = connect_to(path, NULL);
	assert_int_equal(conn->peer.uid, STRANGER);
	assert_int_equal(conn->bell, -1);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(ask(conn, OP_ECHO, 1, 0), 2);
		rep.nfds = 2;
		assert_int_equal(skyipc_call_msg(conn, &req, &rep, LIMIT), 0);
		assert_int_equal(rep.nfds, 2);
		close(back[0]);
		close(back[1]);
	}
	skyipc_close(conn);
	assert_int_equal(child_end(&s), 0);

	/* Root could do anything to anybody anyway. */
	assert_int_equal(chmod(open_dir, 0711), 0);
	attr.sock_mode = 0666;
	server_spawn(&s, path, &attr);
	child_start(&c, client_of_root, path);
	assert_int_equal(child_end(&c), 0);
	assert_int_equal(child_end(&s), 0);
	assert_int_equal(rmdir(open_dir), 0);
	assert_int_equal(chmod(dir(), 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(owned),
		cmocka_unit_test(stale),
		cmocka_unit_test(takeover_race),
		cmocka_unit_test(bad_attributes),
		cmocka_unit_test(strangers),
		cmocka_unit_test(who),
		cmocka_unit_test(trust_own),
		cmocka_unit_test(trust_others),
	};

	return run_variants("connecting", tests, ARRAY_LEN(tests), 0);
}
