/* SPDX-License-Identifier: MIT */
/* fork_test.c - processes that fork and exec while they have connections and
 * servers */
#include "testlib.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

/* ---- a client forks ----------------------------------------------------- */

struct client {
	const char *name;
	struct skyipc_conn *conn;
};

static void all_say_echild(struct skyipc_conn *conn)
{
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 };
	struct skyipc_stats stats = { .size = sizeof(stats) };
	size_t size;
	void *buf;

	CHECK(skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT) == -ECHILD);
	CHECK(skyipc_errmsg()[0]);
	CHECK(skyipc_call(conn, OP_ECHO, (uint64_t[SKYIPC_WORDS]){ 0 }, NULL,
			  NULL, LIMIT) == -ECHILD);
	CHECK(skyipc_call_msg(conn, &req, &rep, LIMIT) == -ECHILD);
	CHECK(skyipc_callv(conn, &req, NULL, 0, &rep, NULL, 0, LIMIT) ==
	      -ECHILD);
	CHECK(skyipc_submit(conn, &req) == -ECHILD);
	CHECK(skyipc_poll(conn, &rep, 1) == -ECHILD);
	CHECK(skyipc_wait(conn, &rep, 1, 1, LIMIT) == -ECHILD);
	CHECK(skyipc_buffer(conn, &buf, &size) == -ECHILD);
	CHECK(skyipc_conn_stats(conn, &stats) == -ECHILD);
}

static int forked_client(struct child *me, void *arg)
{
	struct client *c = arg;
	struct skyipc_conn *own;
	int before = fds_open(getpid());

	(void)me;
	all_say_echild(c->conn);
	CHECK(skyipc_connect(c->name, NULL, &own) == 0);
	for (int i = 0; i < 100; i++)
		CHECK(skyipc_call(own, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0);
	all_say_echild(c->conn);
	skyipc_close(c->conn);
	CHECK(skyipc_call(own, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0);
	skyipc_close(own);
	/* A thread that has called by VMFUNC keeps one until it ends. */
	CHECK(fds_open(getpid()) <= before + !strcmp(transport, "vmfunc"));
	return 0;
}

static void client(void **state)
{
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 };
	struct skyipc_server_info info;
	struct fixture f;
	struct client c;
	struct child child;

	fixture_up(&f, state, NULL, NULL);
	c.name = f.name;
	c.conn = f.conn;
	for (int used = 0; used < 3; used++) {
		/* never called; called; with something outstanding */
		if (used == 2)
			assert_int_equal(skyipc_submit(f.conn, &req), 0);
		child_start(&child, forked_client, &c);
		ask(f.conn, OP_ECHO, 0, 0);
		if (used == 2)
			assert_int_equal(skyipc_wait(f.conn, &rep, 1, 1, LIMIT),
					 1);
		assert_int_equal(child_end(&child), 0);
		ask(f.conn, OP_ECHO, 0, 0);
	}
	query_of(f.name, &info);
	assert_in_range(info.stats.conns, 1, 4);
	assert_true(WAIT_FOR((query_of(f.name, &info), info.stats.conns) == 1));
	fixture_down(&f);
}

/* A client's death is seen although its child lives. */
static int client_with_child(struct child *me, void *arg)
{
	struct skyipc_conn *conn;
	pid_t pid;

	CHECK(skyipc_connect(arg, NULL, &conn) == 0);
	CHECK(skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0);
	pid = fork();
	if (!pid) {
		child_await_end(me); /* outlives its parent, not the test */
		_exit(0);
	}
	child_say(me, pid);
	child_await_end(me);
	return 0;
}

static void client_dies(void **state)
{
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_stats stats;
	struct child c;
	pid_t pid;

	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	server = server_here(name, &plain);
	child_start(&c, client_with_child, (void *)name);
	pid = (pid_t)child_hear(&c);
	server_stats_of(server, &stats);
	assert_int_equal(stats.conns, 1);
	kill(c.pid, SIGKILL);
	assert_int_equal(wait_exit(c.pid), 1000 + SIGKILL);
	assert_true(WAIT_FOR((server_stats_of(server, &stats), !stats.conns)));
	assert_true(WAIT_FOR((server_stats_of(server, &stats), !stats.mem)));
	assert_int_equal(kill(pid, 0), 0);
	c.pid = pid;
	assert_int_equal(child_end(&c), 0);
	skyipc_server_destroy(server);
}

/* ---- a server forks ----------------------------------------------------- */

static void server_says_echild(struct skyipc_server *server)
{
	struct skyipc_stats stats = { .size = sizeof(stats) };

	CHECK(skyipc_server_start(server) == -ECHILD);
	CHECK(skyipc_server_run(server) == -ECHILD);
	CHECK(skyipc_server_stop(server, LIMIT) == -ECHILD);
	CHECK(skyipc_server_fd(server) == -ECHILD);
	CHECK(skyipc_server_dispatch(server, SKYIPC_NS(1)) == -ECHILD);
	CHECK(skyipc_server_stats(server, &stats) == -ECHILD);
	skyipc_server_shutdown(server); /* nothing happens */
}

static int server_with_child(struct child *me, void *arg)
{
	struct skyipc_server *server = server_here(arg, &plain);
	pid_t pid;

	/* Serve somebody first. */
	child_say(me, 0);
	child_hear(me);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		server_says_echild(server);
		skyipc_server_destroy(server);
		child_say(me, getpid());
		child_await_end(me);
		_exit(0);
	}
	child_await_end(me);
	return 0;
}

static void server(void **state)
{
	const char *name = new_name();
	struct skyipc_conn *conn;
	struct child c, next;
	uint64_t t0, best = UINT64_MAX;
	pid_t pid;
	int err;

	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < 5; i++) {
		child_start(&c, server_with_child, (void *)name);
		child_hear(&c);
		conn = connect_to(name, NULL);
		ask(conn, OP_ECHO, 0, 0);
		child_say(&c, 1);
		pid = (pid_t)child_hear(&c);
		assert_int_not_equal(pid, c.pid);
		/* The child has taken nothing away. */
		ask(conn, OP_ECHO, 0, 0);
		assert_int_equal(server_try_spawn(&next, name, &plain),
				 -EADDRINUSE);
		/* and keeps nothing. */
		t0 = time_ns();
		kill(c.pid, SIGKILL);
		do {
			err = skyipc_call(conn, OP_ECHO, NULL, NULL, NULL,
					  LIMIT);
		} while (!err);
		t0 = time_ns() - t0;
		assert_true(err == -ECONNRESET || err == -EPIPE);
		assert_true(t0 < 100000000 * (uint64_t)slowness);
		best = t0 < best ? t0 : best;
		assert_int_equal(wait_exit(c.pid), 1000 + SIGKILL);
		assert_int_equal(kill(pid, 0), 0);
		server_spawn(&next, name, &plain);
		skyipc_close(conn);
		conn = connect_to(name, NULL);
		ask(conn, OP_ECHO, 0, 0);
		skyipc_close(conn);
		assert_int_equal(child_end(&next), 0);
		c.pid = pid;
		assert_int_equal(child_end(&c), 0);
	}
	assert_true(best < 10000000 * (uint64_t)slowness);
}

/* A server made after fork() in the child is the child's. */
static int server_after_fork(struct child *me, void *arg)
{
	struct skyipc_server *old = *(struct skyipc_server **)arg;
	struct skyipc_server *server = server_here("after-fork", &plain);

	CHECK(skyipc_server_stop(old, LIMIT) == -ECHILD);
	child_say(me, 0);
	child_await_end(me);
	CHECK(skyipc_server_stop(server, LIMIT) == 0);
	skyipc_server_destroy(server);
	skyipc_server_destroy(old);
	return 0;
}

static void both(void **state)
{
	const char *name = new_name();
	struct skyipc_server *here = server_here(name, &plain);
	struct skyipc_conn *conn, *other;
	struct child c;

	(void)state;
	conn = connect_to(name, NULL); /* to ourselves */
	ask(conn, OP_ECHO, 0, 0);
	child_start(&c, server_after_fork, &here);
	child_hear(&c);
	other = connect_to("after-fork", NULL);
	for (int i = 0; i < 100; i++) {
		ask(conn, OP_ECHO, 0, 0);
		ask(other, OP_ECHO, 0, 0);
	}
	skyipc_close(other);
	assert_int_equal(child_end(&c), 0);
	ask(conn, OP_ECHO, 0, 0);
	skyipc_close(conn);
	skyipc_server_destroy(here);
}

/* ---- a handler forks ---------------------------------------------------- */

struct in_handler {
	struct skyipc_server *server;
	struct skyipc_conn *to_self;
	const char *other;
	int destroy;
};

/*
 * Here the thread is no worker: a call that sleeps does not look for another
 * one to leave the seat to, in a server that may be gone.
 */
static int child_of_handler(struct child *me, void *arg)
{
	struct skyipc_connect_attr ca = { .size = sizeof(ca), .spin_ns = 1 };
	struct skyipc_stats stats = { .size = sizeof(stats) };
	uint64_t in[SKYIPC_WORDS] = { 1000000 };
	struct in_handler *h = arg;
	struct skyipc_conn *own;
	int threads = threads_of(getpid());

	(void)me;
	all_say_echild(h->to_self);
	server_says_echild(h->server);
	if (h->destroy) {
		skyipc_server_destroy(h->server);
		skyipc_close(h->to_self);
	}
	CHECK(skyipc_connect(h->other, &ca, &own) == 0);
	do {
		CHECK(skyipc_call(own, OP_SPIN, in, NULL, NULL,
				  LIMIT * slowness) == 0);
		/* In a view the thread spins itself; this needs the kernel. */
		CHECK(skyipc_call(own, OP_PID, in, NULL, NULL,
				  LIMIT * slowness) == 0);
		CHECK(skyipc_conn_stats(own, &stats) == 0);
	} while (!stats.parks);
	/* The watch, nobody else (but what the sanitizer may have) */
	if (!under_tsan())
		CHECK(threads_of(getpid()) == threads + 1);
	skyipc_close(own);
	return 0;
}

static int32_t forks(struct skyipc_call *call, void *arg)
{
	struct in_handler *h = arg;
	struct child c;

	if (call->op == OP_ECHO)
		return 0;
	h->destroy = (int)call->in[0];
	child_start(&c, child_of_handler, h);
	call->out[0] = (uint64_t)child_end(&c);
	/* The parent's thread still is one, and leaves its seat. */
	return skyipc_call(h->to_self, OP_ECHO, NULL, NULL, NULL,
			   SKYIPC_SEC(10) * slowness);
}

static void handler(void **state)
{
	const char *name = new_name(), *other = new_name();
	struct in_handler h = { .other = other };
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .handler = forks,
					   .arg = &h };
	struct skyipc_conn *conn;
	struct child c;

	(void)state;
	server_spawn(&c, other, &plain);
	h.server = server_here(name, &attr);
	h.to_self = connect_to(name, NULL);
	conn = connect_to(name, NULL);
	/* First with no idle thread that a seat could be left to */
	for (uint64_t i = 0; i < 6; i++)
		assert_int_equal(ask(conn, OP_COUNT, i & 1, 0), 0);
	skyipc_close(conn);
	assert_int_equal(skyipc_server_stop(h.server, LIMIT), 0);
	skyipc_server_destroy(h.server);
	skyipc_close(h.to_self);
	assert_int_equal(child_end(&c), 0);
}

/* ---- while others call -------------------------------------------------- */

static _Atomic int enough;

static void *keep_calling(void *arg)
{
	static char data[2000];
	struct skyipc_msg req = { .op = OP_ECHO,
				  .data = data,
				  .len = sizeof(data) };
	struct skyipc_msg rep = { .op = 0 };
	int fd = 0;

	while (!enough) {
		for (int i = 0; i < 10; i++)
			CHECK(skyipc_call(arg, OP_ECHO, NULL, NULL, NULL,
					  LIMIT * slowness) == 0);
		req.fds = &fd;
		req.nfds = 1;
		CHECK(skyipc_call_msg(arg, &req, &rep, LIMIT * slowness) == 0);
		CHECK(rep.len == sizeof(data));
	}
	return NULL;
}

/* Threads that come and go, connections that are opened and closed */
static void *keep_connecting(void *arg)
{
	struct skyipc_conn *conn;

	while (!enough) {
		CHECK(skyipc_connect(arg, NULL, &conn) == 0);
		CHECK(skyipc_call(conn, OP_ECHO, NULL, NULL, NULL,
				  LIMIT * slowness) == 0);
		skyipc_close(conn);
	}
	return NULL;
}

static int short_life(struct child *me, void *arg)
{
	struct client *c = arg;
	struct skyipc_conn *own;

	(void)me;
	CHECK(skyipc_call(c->conn, OP_ECHO, NULL, NULL, NULL, LIMIT) ==
	      -ECHILD);
	CHECK(skyipc_connect(c->name, NULL, &own) == 0);
	CHECK(skyipc_call(own, OP_ECHO, NULL, NULL, NULL, LIMIT * slowness) ==
	      0);
	skyipc_close(own);
	skyipc_close(c->conn);
	return 0;
}

static void busy(void **state)
{
	pthread_t thread[4];
	struct fixture f;
	struct client c;
	struct child child;

	/* Their allocators are not fit for fork() among threads. */
	if (under_asan() || under_tsan())
		skip();
	fixture_up(&f, state, NULL, NULL);
	c.name = f.name;
	c.conn = f.conn;
	enough = 0;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, keep_calling, f.conn),
			0);
	assert_int_equal(pthread_create(&thread[3], NULL, keep_connecting,
					(void *)f.name),
			 0);
	for (unsigned i = 0; i < 100 / slowness; i++) {
		child_start(&child, short_life, &c);
		assert_int_equal(child_end(&child), 0);
	}
	enough = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	fixture_down(&f);
}

/* ---- exec --------------------------------------------------------------- */

static char *program;

static int count_in_exec(void)
{
	char *argv[] = { program, (char *)"--count", NULL };
	pid_t pid = fork();

	if (!pid) {
		execv("/proc/self/exe", argv);
		_exit(250);
	}
	return wait_exit(pid);
}

static void exec(void **state)
{
	int fds[2] = { 0, 0 }, got[2], before;
	struct skyipc_msg req = { .op = OP_FDS_BACK, .fds = fds, .nfds = 2 };
	struct skyipc_msg rep = { .op = 0, .fds = got, .nfds = 2 };
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn;

	(void)state;
	if (under_valgrind())
		skip();
	before = count_in_exec();
	assert_in_range(before, 1, 100);
	server = server_here(name, &plain);
	conn = connect_to(name, NULL);
	assert_int_equal(skyipc_call_msg(conn, &req, &rep, LIMIT), 0);
	assert_int_equal(rep.nfds, 2);
	assert_true(fds_open(getpid()) > before + 8);
	/* None of all that */
	assert_int_equal(count_in_exec(), before);
	close(got[0]);
	close(got[1]);
	skyipc_close(conn);
	skyipc_server_destroy(server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client),  cmocka_unit_test(client_dies),
		cmocka_unit_test(server),  cmocka_unit_test(both),
		cmocka_unit_test(handler), cmocka_unit_test(busy),
		cmocka_unit_test(exec),
	};

	program = argv[0];
	if (argc > 1 && !strcmp(argv[1], "--count"))
		return fds_open(getpid());
	return run_variants("fork", tests, ARRAY_LEN(tests), 0);
}
