/* SPDX-License-Identifier: MIT */
/* server_test.c - a server's life: create, start, run, stop, dispatch */
#include "testlib.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

static int file_is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* ---- attributes --------------------------------------------------------- */

static void bad_attributes(void **state)
{
	struct skyipc_op ops[1] = { { NULL, NULL } };
	struct skyipc_server *server;
	struct skyipc_server_attr a;
	const char *name = new_name();
	cpu_set_t none;

	(void)state;
#define REFUSED(change)                                                        \
	do {                                                                   \
		a = plain;                                                     \
		change;                                                        \
		assert_int_equal(skyipc_server_create(name, &a, &server),      \
				 -EINVAL);                                     \
		assert_true(skyipc_errmsg()[0]);                               \
	} while (0)
	REFUSED(a.size = 0);
	REFUSED(a.handler = NULL);
	REFUSED(a.handler = NULL; a.ops = ops);
	REFUSED(a.mode = (enum skyipc_mode)3);
	REFUSED(a.workers = 4; a.max_threads = 3);
	REFUSED(a.depth = 4097);
	REFUSED(a.buf_size = UINT64_C(1) << 32);
	REFUSED(CPU_ZERO(&none); a.cpus = &none; a.cpus_size = sizeof(none));
	assert_int_equal(skyipc_server_create(name, NULL, &server), -EINVAL);
	/* The largest there may be */
	a = plain;
	a.depth = 4096;
	a.buf_size = (UINT64_C(1) << 32) - 4096;
	assert_int_equal(skyipc_server_create(name, &a, &server), 0);
	skyipc_server_destroy(server);
	skyipc_server_destroy(NULL);

	/* A structure of an older program is shorter: the rest is default. */
	a = plain;
	a.size = offsetof(struct skyipc_server_attr, arg);
	memset((char *)&a + a.size, 0xff, sizeof(a) - a.size);
	assert_int_equal(skyipc_server_create(name, &a, &server), 0);
	skyipc_server_destroy(server);
}

static void bad_cpu(void **state)
{
	struct skyipc_server_attr a = plain;
	struct skyipc_server *server;
	struct skyipc_conn *conn;
	const char *name = new_name();
	cpu_set_t set;

	(void)state;
	CPU_ZERO(&set);
	CPU_SET(CPU_SETSIZE - 1, &set);
	a.cpus = &set;
	a.cpus_size = sizeof(set);
	assert_int_equal(skyipc_server_create(name, &a, &server), 0);
	assert_int_equal(skyipc_server_start(server), -EINVAL);
	assert_true(skyipc_errmsg()[0]);
	skyipc_server_destroy(server);
	assert_int_equal(skyipc_connect(name, NULL, &conn), -ENOENT);
}

/* ---- life --------------------------------------------------------------- */

static void cycles(void **state)
{
	struct skyipc_server_attr a = plain;
	const struct variant *v = *state;
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn;
	int fds = 0, threads = 0;
	char path[128];

	a.mode = v->mode;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(skyipc_server_create(name, &a, &server), 0);
		snprintf(path, sizeof(path), "%s", skyipc_server_path(server));
		assert_true(file_is_there(path));
		if (i % 4 == 3) { /* never started */
			skyipc_server_destroy(server);
			continue;
		}
		assert_int_equal(skyipc_server_start(server), 0);
		assert_int_equal(skyipc_server_start(server), -EALREADY);
		conn = connect_to(name, NULL);
		assert_int_equal(ask(conn, OP_ECHO, 1, 0), 2);
		if (i & 1)
			skyipc_close(conn);
		assert_int_equal(skyipc_server_stop(server, LIMIT), 0);
		assert_false(file_is_there(path));
		assert_int_equal(skyipc_server_stop(server, LIMIT), 0);
		assert_int_equal(skyipc_server_start(server), -EALREADY);
		skyipc_server_destroy(server);
		if (!(i & 1))
			skyipc_close(conn);
		/*
		 * What a round needs, it gives back. (A thread that has been
		 * joined may be seen for a moment yet.)
		 */
		if (i < 3) {
			fds = fds_open(getpid());
			threads = threads_of(getpid());
		}
		assert_int_equal(fds_open(getpid()), fds);
		assert_true(WAIT_FOR(threads_of(getpid()) <= threads));
	}
}

struct late {
	struct skyipc_server *server;
	pthread_t thread;
	int ret;
};

static void *stop_it(void *arg)
{
	struct late *l = arg;

	l->ret = skyipc_server_stop(l->server, LIMIT);
	return NULL;
}

/* What was submitted before is served; what comes later is not. */
static void drain(void **state)
{
	struct skyipc_server_attr a = plain;
	const struct variant *v = *state;
	const char *name = new_name();
	struct skyipc_msg req = { .op = OP_BLOCK }, rep[32];
	struct skyipc_server *server;
	struct skyipc_conn *conn, *more;
	struct late l;
	int err;

	memset(rep, 0, sizeof(rep));
	a.mode = v->mode;
	server = server_here(name, &a);
	conn = connect_to(name, NULL);
	assert_int_equal(skyipc_submit(conn, &req), 0);
	for (req.tag = 1; req.tag < 30; req.tag++) {
		req.op = OP_ECHO;
		assert_int_equal(skyipc_submit(conn, &req), 0);
	}
	assert_true(WAIT_FOR(test_blocked() == 1));
	assert_int_equal(skyipc_server_stop(server, SKYIPC_MS(20)), -ETIMEDOUT);
	assert_true(skyipc_errmsg()[0]);
	/* It goes on stopping: the name is free for a successor already. */
	assert_int_equal(skyipc_connect(name, NULL, &more), -ENOENT);
	l.server = server;
	assert_int_equal(pthread_create(&l.thread, NULL, stop_it, &l), 0);
	assert_int_equal(skyipc_poll(conn, rep, 32), 0);
	test_unblock(1);
	assert_int_equal(skyipc_wait(conn, rep, 32, 30, LIMIT), 30);
	for (uint64_t i = 0; i < 30; i++) {
		assert_int_equal(rep[i].result, 0);
		assert_true(rep[i].tag == i);
	}
	pthread_join(l.thread, NULL);
	assert_int_equal(l.ret, 0);
	/* Nobody is there any more, and soon everybody knows. */
	do {
		err = skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT);
		assert_true(err == -EPIPE || err == -ECONNRESET);
	} while (err != -EPIPE);
	assert_int_equal(skyipc_submit(conn, &req), -EPIPE);
	assert_int_equal(skyipc_call_msg(conn, &req, rep, LIMIT), -EPIPE);
	assert_true(skyipc_errmsg()[0]);
	skyipc_close(conn);
	skyipc_server_destroy(server);
}

static struct skyipc_server *me;

static int32_t stop_me(struct skyipc_call *call, void *arg)
{
	(void)arg;
	if (call->op == 1)
		skyipc_server_shutdown(me);
	return call->op == 0 ? skyipc_server_stop(me, LIMIT) : 7;
}

static void *run_it(void *arg)
{
	struct late *l = arg;

	l->ret = skyipc_server_run(l->server);
	return NULL;
}

/* From a handler: stop says no, shutdown does it. */
static void from_handler(void **state)
{
	const struct variant *v = *state;
	struct skyipc_server_attr a = plain;
	const char *name = new_name();
	struct skyipc_conn *conn;
	int32_t status = 0;
	struct late l;

	a.mode = v->mode;
	a.handler = stop_me;
	assert_int_equal(skyipc_server_create(name, &a, &me), 0);
	l.server = me;
	assert_int_equal(pthread_create(&l.thread, NULL, run_it, &l), 0);
	conn = connect_to(name, NULL);
	assert_int_equal(skyipc_call(conn, 0, NULL, NULL, &status, LIMIT), 0);
	assert_int_equal(status, -EDEADLK);
	assert_int_equal(skyipc_call(conn, 2, NULL, NULL, &status, LIMIT), 0);
	assert_int_equal(status, 7);
	assert_int_equal(skyipc_call(conn, 1, NULL, NULL, &status, LIMIT), 0);
	assert_int_equal(status, 7);
	pthread_join(l.thread, NULL);
	assert_int_equal(l.ret, 0);
	skyipc_server_destroy(me);
	skyipc_close(conn);
}

static void on_signal(int sig)
{
	(void)sig;
	skyipc_server_shutdown(me);
}

/* A process whose main thread runs the server until SIGTERM. */
static int until_sigterm(struct child *c, void *arg)
{
	struct sigaction sa = { .sa_handler = on_signal };

	CHECK(skyipc_server_create(arg, &plain, &me) == 0);
	CHECK(sigaction(SIGTERM, &sa, NULL) == 0);
	child_say(c, 0);
	CHECK(skyipc_server_run(me) == 0);
	CHECK(!file_is_there(skyipc_server_path(me)));
	skyipc_server_destroy(me);
	return 42;
}

static void from_signal(void **state)
{
	const char *name = new_name();
	struct skyipc_conn *conn;
	struct child c;

	(void)state;
	for (int i = 0; i < 5; i++) {
		child_start(&c, until_sigterm, (void *)name);
		child_hear(&c);
		conn = connect_to(name, NULL);
		assert_int_equal(ask(conn, OP_ECHO, 1, 0), 2);
		kill(c.pid, SIGTERM);
		assert_int_equal(child_end(&c), 42);
		skyipc_close(conn);
	}
}

/* Shut down before it runs: it runs, serves what is there, and stops. */
static void shutdown_first(void **state)
{
	const char *name = new_name();
	struct skyipc_server *server;

	(void)state;
	assert_int_equal(skyipc_server_create(name, &plain, &server), 0);
	skyipc_server_shutdown(server);
	skyipc_server_shutdown(server);
	assert_int_equal(skyipc_server_run(server), 0);
	assert_int_equal(skyipc_server_start(server), -EALREADY);
	skyipc_server_destroy(server);
}

/* ---- an event loop ------------------------------------------------------ */

struct loop {
	const char *name;
	pthread_t thread;
	_Atomic int done;
	int calls;
};

static void *loop_client(void *arg)
{
	struct skyipc_msg req = { .op = OP_INPLACE }, rep = { .op = 0 };
	static char data[20000];
	struct loop *l = arg;
	struct skyipc_conn *conn;
	uint64_t out[SKYIPC_WORDS], in[SKYIPC_WORDS] = { 0 };

	CHECK(skyipc_connect(l->name, NULL, &conn) == 0);
	req.data = data;
	req.len = sizeof(data);
	pattern_fill(data, sizeof(data), 8);
	for (l->calls = 0; l->calls < 600 / (int)slowness; l->calls += 3) {
		in[0] = (uint64_t)l->calls;
		CHECK(skyipc_call(conn, OP_ECHO, in, out, NULL, LIMIT) == 0);
		CHECK(out[0] == in[0] + 1);
		CHECK(skyipc_call_msg(conn, &req, &rep, LIMIT) == 0);
		CHECK(rep.len == req.len && pattern_is(rep.data, rep.len, 8));
		req.fds = (int[]){ 0 };
		req.nfds = 1;
		CHECK(skyipc_call_msg(conn, &req, &rep, LIMIT) == 0);
		req.nfds = 0;
	}
	skyipc_close(conn);
	l->done = 1;
	return NULL;
}

static void event_loop(void **state)
{
	const struct variant *v = *state;
	struct skyipc_server_attr a = plain;
	struct loop l = { .name = new_name() };
	struct skyipc_server *server;
	struct pollfd pfd = { .events = POLLIN };
	int served = 0, n, threads;
	struct skyipc_stats stats;

	a.mode = v->mode;
	threads = threads_of(getpid());
	assert_int_equal(skyipc_server_create(l.name, &a, &server), 0);
	pfd.fd = skyipc_server_fd(server);
	assert_true(pfd.fd >= 0);
	assert_int_equal(skyipc_server_fd(server), pfd.fd);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(skyipc_server_dispatch(server, SKYIPC_NS(1)), 0);
	assert_int_equal(skyipc_server_dispatch(server, SKYIPC_MS(5)), 0);
	assert_int_equal(skyipc_server_start(server), -EBUSY);
	assert_int_equal(pthread_create(&l.thread, NULL, loop_client, &l), 0);
	while (!l.done) {
		if (!poll(&pfd, 1, 10))
			continue;
		n = skyipc_server_dispatch(server, SKYIPC_NS(1));
		assert_true(n >= 0);
		served += n;
	}
	pthread_join(l.thread, NULL);
	assert_int_equal(served, l.calls);
	server_stats_of(server, &stats);
	assert_int_equal(stats.calls, served);
	/* Nobody's threads but the client's watch, which has gone, too. */
	assert_true(WAIT_FOR(threads_of(getpid()) <= threads));

	skyipc_server_shutdown(server);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_int_equal(skyipc_server_dispatch(server, LIMIT), -ESHUTDOWN);
	assert_int_equal(skyipc_server_dispatch(server, LIMIT), -ESHUTDOWN);
	assert_false(file_is_there(skyipc_server_path(server)));
	skyipc_server_destroy(server);

	server = server_here(l.name, &a);
	assert_int_equal(skyipc_server_fd(server), -EBUSY);
	assert_int_equal(skyipc_server_dispatch(server, SKYIPC_NS(1)), -EBUSY);
	skyipc_server_destroy(server);
}

static void *dispatch_too(void *arg)
{
	struct late *l = arg;

	/* The other thread may be inside for a moment. */
	do {
		l->ret = skyipc_server_dispatch(l->server, LIMIT);
	} while (l->ret == -EBUSY);
	return NULL;
}

/* Blocking in dispatch until something comes; only one thread at a time. */
static void dispatch_waits(void **state)
{
	const char *name = new_name();
	struct skyipc_server *server;
	struct late l;
	int ret;

	(void)state;
	assert_int_equal(skyipc_server_create(name, &plain, &server), 0);
	l.server = server;
	l.ret = 1;
	assert_int_equal(pthread_create(&l.thread, NULL, dispatch_too, &l), 0);
	assert_true(WAIT_FOR(
		(ret = skyipc_server_dispatch(server, SKYIPC_NS(1))) != 0));
	assert_int_equal(ret, -EBUSY);
	skyipc_server_shutdown(server);
	pthread_join(l.thread, NULL);
	assert_int_equal(l.ret, -ESHUTDOWN);
	skyipc_server_destroy(server);
}

int main(void)
{
	const struct CMUnitTest by_mode[] = {
		cmocka_unit_test(cycles),
		cmocka_unit_test(drain),
		cmocka_unit_test(from_handler),
	};
	const struct CMUnitTest once[] = {
		cmocka_unit_test(bad_attributes),
		cmocka_unit_test(bad_cpu),
		cmocka_unit_test(from_signal),
		cmocka_unit_test(shutdown_first),
		cmocka_unit_test(event_loop),
		cmocka_unit_test(dispatch_waits),
	};

	return run_variants("a server's life", by_mode, ARRAY_LEN(by_mode),
			    BY_MODE) +
	       run_variants("a server's life, once", once, ARRAY_LEN(once), 0);
}
