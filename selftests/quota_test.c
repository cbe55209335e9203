/* SPDX-License-Identifier: MIT */
/* quota_test.c - who may connect, and how much of a server they may have */
#include "testlib.h"
#include "conn.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define NOBODY 65534

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

static int try(const char *name, struct skyipc_conn **conn)
{
	struct skyipc_connect_attr a = { .size = sizeof(a),
					 .transport = transport };

	return skyipc_connect(name, &a, conn);
}

/* ---- quotas ------------------------------------------------------------- */

static void connections(const struct skyipc_server_attr *attr, const char *says)
{
	const char *name = new_name();
	struct skyipc_conn *conn[4];
	struct skyipc_server_info info;
	struct child c;

	server_spawn(&c, name, attr);
	for (int i = 0; i < 3; i++) {
		conn[i] = connect_to(name, NULL);
		ask(conn[i], OP_ECHO, 0, 0);
	}
	for (int i = 0; i < 5; i++) {
		assert_int_equal(try(name, &conn[3]), -EDQUOT);
		assert_non_null(strstr(skyipc_errmsg(), says));
	}
	ask(conn[2], OP_ECHO, 0, 0);
	skyipc_close(conn[1]);
	assert_true(WAIT_FOR(try(name, &conn[3]) == 0));
	assert_int_equal(try(name, &conn[1]), -EDQUOT);
	skyipc_close(conn[0]);
	skyipc_close(conn[2]);
	/* Room for the question itself */
	assert_true(WAIT_FOR(try(name, &conn[0]) == 0));
	skyipc_close(conn[0]);
	assert_true(
		WAIT_FOR((info.size = sizeof(info),
			  skyipc_query(name, &info, NULL, NULL, LIMIT) == 0) &&
			 info.stats.conns == 1));
	assert_true(info.stats.refused >= 6);
	skyipc_close(conn[3]);
	assert_int_equal(child_end(&c), 0);
}

static void max_conns(void **state)
{
	struct skyipc_server_attr attr = plain;

	(void)state;
	attr.max_conns = 3;
	connections(&attr, "max_conns");
}

static void max_conns_per_uid(void **state)
{
	struct skyipc_server_attr attr = plain;

	(void)state;
	attr.max_conns_per_uid = 3;
	connections(&attr, "max_conns_per_uid");
}

static void *no_channel(void *arg)
{
	CHECK(skyipc_call(arg, OP_ECHO, NULL, NULL, NULL, LIMIT) == -EDQUOT);
	CHECK(strstr(skyipc_errmsg(), "max_mem_per_uid"));
	return NULL;
}

static void *a_channel(void *arg)
{
	CHECK(skyipc_call(arg, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0);
	return NULL;
}

static void max_mem(void **state)
{
	struct skyipc_connect_attr ca = { .size = sizeof(ca),
					  .transport = transport };
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 };
	struct skyipc_server_attr attr = plain;
	const char *name = new_name();
	struct skyipc_conn *conn, *idle;
	struct skyipc_stats stats;
	pthread_t thread;
	uint64_t channel;
	struct child c;

	(void)state;
	over_shm_only();
	/* What does a channel take? */
	server_spawn(&c, name, &attr);
	conn = connect_to(name, &ca);
	ask(conn, OP_ECHO, 0, 0);
	conn_stats_of(conn, &stats);
	channel = stats.mem;
	assert_in_range(channel, 1, 1 << 20);
	skyipc_close(conn);
	assert_int_equal(child_end(&c), 0);

	attr.max_mem_per_uid = 2 * channel;
	server_spawn(&c, name, &attr);
	idle = connect_to(name, NULL); /* the user stays known all the time */
	for (int i = 0; i < 5; i++) {
		conn = connect_to(name, &ca);
		/* from the second round on: what the last had is free again */
		assert_true(WAIT_FOR(skyipc_call(conn, OP_ECHO, NULL, NULL,
						 NULL, LIMIT) == 0));
		/* No buffers: long calls are refused, short ones work. */
		for (int k = 0; k < 3; k++) {
			assert_int_equal(
				skyipc_call_msg(conn, &req, &rep, LIMIT),
				-EDQUOT);
			assert_non_null(
				strstr(skyipc_errmsg(), "max_mem_per_uid"));
			ask(conn, OP_ECHO, 0, 0);
		}
		assert_int_equal(pthread_create(&thread, NULL, a_channel, conn),
				 0);
		pthread_join(thread, NULL);
		/* Its channel is idle: one more is not needed yet ... */
		assert_int_equal(pthread_create(&thread, NULL, a_channel, conn),
				 0);
		pthread_join(thread, NULL);
		conn_stats_of(conn, &stats);
		assert_int_equal(stats.conns, 2);
		skyipc_close(conn);
	}
	skyipc_close(idle);
	assert_int_equal(child_end(&c), 0);

	attr.max_mem_per_uid = channel;
	server_spawn(&c, name, &attr);
	conn = connect_to(name, &ca);
	ask(conn, OP_ECHO, 0, 0);
	/* ... and here it is, while the first is in use. */
	assert_int_equal(pthread_create(&thread, NULL, no_channel, conn), 0);
	pthread_join(thread, NULL);
	ask(conn, OP_ECHO, 0, 0);
	skyipc_close(conn);
	assert_int_equal(child_end(&c), 0);
}

/* ---- the server decides ------------------------------------------------- */

static struct skyipc_peer seen;
static int answer;

static int decide(const struct skyipc_peer *peer, void *arg)
{
	seen = *peer;
	return *(int *)arg;
}

static void accept_callback(void **state)
{
	static const int answers[][2] = {
		{ 0, 0 },	    { -EACCES, -EACCES },
		{ -EXDEV, -EXDEV }, { -EAGAIN, -EAGAIN },
		{ 5, -EACCES },	    { -70000, -EACCES },
		{ 0, 0 },
	};
	struct skyipc_server_attr attr = plain;
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn;
	struct skyipc_stats stats;

	(void)state;
	attr.accept = decide;
	attr.accept_arg = &answer;
	server = server_here(name, &attr);
	for (unsigned i = 0; i < ARRAY_LEN(answers); i++) {
		answer = answers[i][0];
		memset(&seen, 0xff, sizeof(seen));
		assert_int_equal(try(name, &conn), answers[i][1]);
		assert_int_equal(seen.pid, getpid());
		assert_int_equal(seen.uid, getuid());
		assert_int_equal(seen.gid, getgid());
		if (!answers[i][1]) {
			ask(conn, OP_ECHO, 0, 0);
			skyipc_close(conn);
		}
	}
	assert_true(WAIT_FOR((server_stats_of(server, &stats), !stats.conns)));
	assert_int_equal(stats.refused, 5);
	assert_int_equal(stats.conns_total, 2);
	skyipc_server_destroy(server);
}

static mode_t mode_of(const char *path, struct stat *st)
{
	assert_int_equal(lstat(path, st), 0);
	return st->st_mode & 07777;
}

static void modes(void **state)
{
	static const struct {
		uint32_t set;
		mode_t want;
	} m[] = {
		{ 0, 0600 },
		{ 0666, 0666 },
		{ 0660, 0660 },
		{ SKYIPC_SOCK_MODE(0), 0 },
		{ SKYIPC_SOCK_MODE(0620), 0620 },
	};
	struct skyipc_server_attr attr = plain;
	const char *name = new_name();
	struct skyipc_server *server;
	struct stat st;
	mode_t old = umask(077);

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(m); i++) {
		attr.sock_mode = m[i].set;
		assert_int_equal(skyipc_server_create(name, &attr, &server), 0);
		assert_int_equal(mode_of(skyipc_server_path(server), &st),
				 m[i].want);
		skyipc_server_destroy(server);
	}
	umask(old);
	if (geteuid())
		return;
	attr.set_owner = 1;
	attr.owner = NOBODY;
	assert_int_equal(skyipc_server_create(name, &attr, &server), 0);
	mode_of(skyipc_server_path(server), &st);
	assert_int_equal(st.st_uid, NOBODY);
	assert_int_equal(st.st_gid, getegid());
	skyipc_server_destroy(server);
	attr.set_owner = 0;
	attr.set_group = 1;
	attr.group = 12345;
	assert_int_equal(skyipc_server_create(name, &attr, &server), 0);
	mode_of(skyipc_server_path(server), &st);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(st.st_gid, 12345);
	skyipc_server_destroy(server);
}

/* ---- another user ------------------------------------------------------- */

/* In a child: somebody else from now on. */
static void become_nobody(void)
{
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* setuid() cleared it */
}

static int as_nobody(struct child *me, void *arg)
{
	struct skyipc_server_info info = { .size = sizeof(info) };
	struct skyipc_conn_info *conns;
	struct skyipc_conn *conn;
	uint64_t out[SKYIPC_WORDS];
	size_t n = 99;
	int err;

	become_nobody();
	err = try(arg, &conn);
	child_say(me, err);
	if (err)
		return 0;
	CHECK(skyipc_call(conn, OP_PEER, NULL, out, NULL, LIMIT) == 0);
	CHECK(out[0] == (uint64_t)getpid());
	CHECK(out[1] == NOBODY && out[2] == NOBODY);
	/* Of the connections it sees its own. */
	CHECK(skyipc_query(arg, &info, &conns, &n, LIMIT) == 0);
	CHECK(n == 1);
	CHECK(conns[0].peer.uid == NOBODY);
	free(conns);
	/* It is too much for this user alone. */
	CHECK(try(arg, &conn) == 0);
	CHECK(try(arg, &conn) == -EDQUOT);
	CHECK(strstr(skyipc_errmsg(), "65534"));
	child_say(me, 1);
	child_await_end(me);
	return 0;
}

static void another_user(void **state)
{
	struct skyipc_server_info info = { .size = sizeof(info) };
	struct skyipc_server_attr attr = plain;
	struct skyipc_conn_info *conns;
	const char *name = new_name();
	struct skyipc_conn *conn[2];
	struct child s, c;
	struct stat st;
	size_t n;

	(void)state;
	if (geteuid())
		skip();
	/* The directory lets others look up what they know. */
	assert_int_equal(stat(getenv("SKYIPC_DIR"), &st), 0);
	assert_int_equal(chmod(getenv("SKYIPC_DIR"), 0711), 0);
	attr.max_conns_per_uid = 2;

	server_spawn(&s, name, &attr);
	child_start(&c, as_nobody, (void *)name);
	assert_int_equal(child_hear(&c), -EACCES);
	assert_int_equal(child_end(&c), 0);
	assert_int_equal(child_end(&s), 0);

	attr.sock_mode = 0666;
	server_spawn(&s, name, &attr);
	/* Our own quota is used up; that is nothing to others. */
	conn[0] = connect_to(name, NULL);
	conn[1] = connect_to(name, NULL);
	child_start(&c, as_nobody, (void *)name);
	assert_int_equal(child_hear(&c), 0);
	assert_int_equal(child_hear(&c), 1);
	/* We are the server's user and see all. */
	skyipc_close(conn[1]);
	assert_true(
		WAIT_FOR(skyipc_query(name, &info, &conns, &n, LIMIT) == 0));
	assert_true(n >= 3);
	free(conns);
	assert_int_equal(child_end(&c), 0);
	skyipc_close(conn[0]);
	assert_int_equal(child_end(&s), 0);
	chmod(getenv("SKYIPC_DIR"), st.st_mode & 07777);
}

/* ---- out of descriptors ------------------------------------------------- */

static void limit_to(int n)
{
	struct rlimit rl;

	CHECK(getrlimit(RLIMIT_NOFILE, &rl) == 0);
	rl.rlim_cur =
		n < 0 ? rl.rlim_max < 1024 ? rl.rlim_max : 1024 : (rlim_t)n;
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
}

/* Descriptors are the lowest there are: leave room for @n more. */
static int highest(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	close(fd);
	return fd;
}

static void *no_fds_left(void *arg)
{
	CHECK(skyipc_call(arg, OP_ECHO, NULL, NULL, NULL, LIMIT) == -EMFILE);
	CHECK(skyipc_errmsg()[0]);
	return NULL;
}

static int poor_client(struct child *me, void *arg)
{
	struct skyipc_msg req = { .op = OP_FDS_MAKE, .w = { 10 } };
	struct skyipc_msg rep = { .op = 0 };
	struct skyipc_conn *conn, *more;
	int fds[10], before, base;
	pthread_t thread;

	(void)me;
	CHECK(try(arg, &conn) == 0);
	CHECK(skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0);
	before = fds_open(getpid());
	base = highest();
	/* A socket, and a bell if the transport has one */
	for (int room = 0; room < 1 + (conn->bell >= 0); room++) {
		limit_to(base + room);
		CHECK(try(arg, &more) == -EMFILE);
		CHECK(skyipc_errmsg()[0]);
		CHECK(skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0);
		limit_to(-1);
		CHECK(fds_open(getpid()) == before);
	}
	CHECK(try(arg, &more) == 0);
	skyipc_close(more);
	/* A thread without a channel, a channel without buffers */
	limit_to(base);
	CHECK(pthread_create(&thread, NULL, no_fds_left, conn) == 0);
	pthread_join(thread, NULL);
	CHECK(skyipc_call_msg(conn, &req, &rep, LIMIT) == -EMFILE);
	CHECK(skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0);
	limit_to(-1);
	rep.fds = fds;
	rep.nfds = 10;
	CHECK(skyipc_call_msg(conn, &req, &rep, LIMIT) == 0);
	CHECK(rep.nfds == 10);
	for (int i = 0; i < 10; i++)
		close(fds[i]);
	/* Descriptors that come and find no room, or not for all */
	for (int room = 0; room < 10; room += 3) {
		limit_to(highest() + room);
		rep.nfds = 10;
		CHECK(skyipc_call_msg(conn, &req, &rep, LIMIT) == -EMFILE);
		CHECK(skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0);
		limit_to(-1);
		CHECK(fds_open(getpid()) == before);
	}
	rep.nfds = 10;
	CHECK(skyipc_call_msg(conn, &req, &rep, LIMIT) == 0);
	CHECK(rep.nfds == 10);
	skyipc_close(conn);
	return 0;
}

static void client_emfile(void **state)
{
	const char *name = new_name();
	struct child s, c;

	(void)state;
	if (under_valgrind()) /* which has limits of its own making */
		skip();
	server_spawn(&s, name, &plain);
	child_start(&c, poor_client, (void *)name);
	assert_int_equal(child_end(&c), 0);
	assert_int_equal(child_end(&s), 0);
}

static int poor_server(struct child *me, void *arg)
{
	struct skyipc_server *server;

	CHECK(skyipc_server_create(arg, &plain, &server) == 0);
	CHECK(skyipc_server_start(server) == 0);
	limit_to(highest() + 12);
	child_say(me, 0);
	child_await_end(me);
	CHECK(skyipc_server_stop(server, LIMIT) == 0);
	skyipc_server_destroy(server);
	return 0;
}

static void server_emfile(void **state)
{
	int files[20];
	struct skyipc_msg req = { .op = OP_FDS_IN, .fds = files, .nfds = 20 };
	struct skyipc_msg rep = { .op = 0 };
	const char *name = new_name();
	struct skyipc_conn *conn[32];
	struct child s;
	int n, err;

	(void)state;
	if (under_valgrind())
		skip();
	for (int i = 0; i < 20; i++)
		files[i] = 0;
	child_start(&s, poor_server, (void *)name);
	child_hear(&s);
	for (n = 0; n < 32; n++) {
		err = try(name, &conn[n]);
		if (err)
			break;
	}
	assert_int_equal(err, -EMFILE);
	assert_true(skyipc_errmsg()[0]);
	assert_in_range(n, 2, 12);
	/* Who is in has no harm, but what needs descriptors is refused. */
	skyipc_close(conn[--n]);
	assert_true(WAIT_FOR(
		skyipc_call(conn[0], OP_ECHO, NULL, NULL, NULL, LIMIT) == 0));
	assert_int_equal(skyipc_call_msg(conn[0], &req, &rep, LIMIT), -EMFILE);
	assert_true(skyipc_errmsg()[0]);
	ask(conn[0], OP_ECHO, 0, 0);
	/* It does not go round in circles: all its threads sleep. */
	assert_true(WAIT_FOR(all_sleep(s.pid)));
	while (n > 1)
		skyipc_close(conn[--n]);
	req.nfds = 3;
	assert_true(WAIT_FOR(skyipc_call_msg(conn[0], &req, &rep, LIMIT) == 0));
	assert_int_equal(rep.w[0], 3);
	assert_true(WAIT_FOR(try(name, &conn[1]) == 0));
	ask(conn[1], OP_ECHO, 0, 0);
	skyipc_close(conn[1]);
	skyipc_close(conn[0]);
	assert_int_equal(child_end(&s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(max_conns),
		cmocka_unit_test(max_conns_per_uid),
		cmocka_unit_test(max_mem),
		cmocka_unit_test(accept_callback),
		cmocka_unit_test(modes),
		cmocka_unit_test(another_user),
		cmocka_unit_test(client_emfile),
		cmocka_unit_test(server_emfile),
	};

	return run_variants("quotas", tests, ARRAY_LEN(tests), 0);
}
