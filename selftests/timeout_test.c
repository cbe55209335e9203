/* SPDX-License-Identifier: MIT */
/* timeout_test.c - limits in time hold in every state a call can wait in */
#include "testlib.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "conn.h"

#define MS 1000000u

/* Run @expr, which has to fail with -ETIMEDOUT, and not before @ms. */
#define TIMES_OUT(expr, ms)                                                    \
	do {                                                                   \
		uint64_t t0_ = time_ns(), took_;                               \
		assert_int_equal(expr, -ETIMEDOUT);                            \
		took_ = time_ns() - t0_;                                       \
		assert_true(took_ >= (uint64_t)(ms)*MS);                       \
		assert_true(took_ < (uint64_t)((ms) + 5000u) * MS * slowness); \
		assert_true(skyipc_errmsg()[0]);                               \
	} while (0)

static void server_up(struct fixture *f, void **state,
		      const struct skyipc_connect_attr *cattr)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;

	memset(f, 0, sizeof(*f));
	f->v = *state;
	attr.mode = f->v->mode;
	attr.handler = test_handler;
	f->name = new_name();
	f->server = server_here(f->name, &attr);
	f->conn = connect_to(f->name, cattr);
}

/*
 * The call before may be in its handler, or (on a busy machine) may not have
 * come that far in its time: then it will not. Its late answer is nobody's.
 */
static void settle(struct skyipc_conn *conn)
{
	uint64_t in[SKYIPC_WORDS] = { 5 }, out[SKYIPC_WORDS];
	int err;

	do {
		if (test_blocked()) {
			test_unblock(1);
			assert_true(WAIT_FOR(test_blocked() == 0));
		}
		err = skyipc_call(conn, OP_ECHO, in, out, NULL, SKYIPC_MS(50));
		assert_true(err == 0 || err == -ETIMEDOUT);
	} while (err);
	assert_true(out[0] == 6);
}

/* The worker is busy with this call: in whatever way the client waits. */
static void while_running(void **state)
{
	static const uint64_t spins[] = { 0, 1, UINT64_C(10000000000) };
	struct skyipc_msg req = { .op = OP_BLOCK }, rep = { .op = 0 };

	for (unsigned i = 0; i < ARRAY_LEN(spins); i++) {
		struct skyipc_connect_attr cattr = { .size = sizeof(cattr),
						     .spin_ns = spins[i],
						     .call_ns = 15 * MS };
		struct fixture f;

		server_up(&f, state, &cattr);
		TIMES_OUT(skyipc_call(f.conn, OP_BLOCK, NULL, NULL, NULL,
				      SKYIPC_MS(20)),
			  20);
		settle(f.conn);
		TIMES_OUT(skyipc_call(f.conn, OP_BLOCK, NULL, NULL, NULL,
				      SKYIPC_AT(time_ns() + 20 * MS)),
			  20);
		settle(f.conn);
		TIMES_OUT(skyipc_call(f.conn, OP_BLOCK, NULL, NULL, NULL,
				      SKYIPC_DEFAULT),
			  15);
		settle(f.conn);
		TIMES_OUT(skyipc_call_msg(f.conn, &req, &rep, SKYIPC_MS(20)),
			  20);
		settle(f.conn);
		TIMES_OUT(skyipc_callv(f.conn, &req, NULL, 0, &rep, NULL, 0,
				       SKYIPC_MS(20)),
			  20);
		settle(f.conn);
		fixture_down(&f);
	}
}

/* The handler gets stuck for ever: the others' limits hold, too. */
static void *block(void *arg)
{
	CHECK(skyipc_call(arg, OP_BLOCK, NULL, NULL, NULL, SKYIPC_FOREVER) ==
	      0);
	return NULL;
}

static void not_started(void **state)
{
	struct skyipc_connect_attr cattr = { .size = sizeof(cattr),
					     .depth = 16 };
	struct skyipc_msg req = { .op = OP_COUNT }, rep = { .op = 0 };
	uint64_t before;
	struct fixture f;
	pthread_t thread;
	int n = 0, err;

	server_up(&f, state, &cattr);
	/* Its buffers, too: asking for them takes of a call's time. */
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
	before = ask(f.conn, OP_COUNTED, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, block, f.conn), 0);
	assert_true(WAIT_FOR(test_blocked() == 1));

	/* One worker, and it is busy: nothing of this is ever started ... */
	TIMES_OUT(skyipc_call(f.conn, OP_COUNT, NULL, NULL, NULL, SKYIPC_MS(5)),
		  5);
	TIMES_OUT(skyipc_call_msg(f.conn, &req, &rep, SKYIPC_MS(5)), 5);
	do {
		err = skyipc_call(f.conn, OP_COUNT, NULL, NULL, NULL,
				  SKYIPC_US(10));
		n++;
	} while (err == -ETIMEDOUT && n < 100);
	/* ... until the ring is full of them. */
	assert_int_equal(err, -EAGAIN);
	assert_int_equal(n, 16 - 2 + 1);
	test_unblock(1);
	pthread_join(thread, NULL);

	assert_true(WAIT_FOR(
		skyipc_call(f.conn, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0));
	assert_int_equal(ask(f.conn, OP_COUNTED, 0, 0), before);
	assert_int_equal(ask(f.conn, OP_COUNT, 0, 0), before + 1);
	/* All slots and buffers are back. */
	for (int i = 0; i < 100; i++)
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
	assert_int_equal(ask(f.conn, OP_COUNTED, 0, 0), before + 101);
	fixture_down(&f);
}

/* A limit that has passed already; one that does not come. */
static void extremes(void **state)
{
	struct skyipc_msg req = { .op = OP_COUNT }, rep = { .op = 0 };
	struct fixture f;
	int err;

	server_up(&f, state, NULL);
	/* Even the first call, which needs a channel, comes back. */
	err = skyipc_call(f.conn, OP_ECHO, NULL, NULL, NULL, SKYIPC_AT(0));
	assert_true(err == -ETIMEDOUT || err == 0);
	err = skyipc_call_msg(f.conn, &req, &rep, SKYIPC_AT(0));
	assert_true(err == -ETIMEDOUT || err == 0);
	err = skyipc_call(f.conn, OP_ECHO, NULL, NULL, NULL, SKYIPC_AT(1));
	assert_true(err == -ETIMEDOUT || err == 0);
	err = skyipc_call(f.conn, OP_ECHO, NULL, NULL, NULL, SKYIPC_NS(1));
	assert_true(err == -ETIMEDOUT || err == 0);
	assert_int_equal(ask(f.conn, OP_ECHO, 1, 0), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(skyipc_call(f.conn, OP_ECHO, NULL, NULL, NULL,
					     SKYIPC_FOREVER),
				 0);
		assert_int_equal(skyipc_call(f.conn, OP_ECHO, NULL, NULL, NULL,
					     SKYIPC_SEC(9000000000)),
				 0);
		assert_int_equal(skyipc_call(f.conn, OP_SPIN,
					     (uint64_t[6]){ 2 * MS }, NULL,
					     NULL, SKYIPC_AT(INT64_MAX / 2)),
				 0);
	}
	fixture_down(&f);
}

/*
 * So far away that "from now on" overflows, or no limit at all: wherever a
 * limit is given, that is not one that has passed.
 */
static const skyipc_time far_away[] = {
	SKYIPC_DEFAULT,
	SKYIPC_NS(INT64_MAX),
	SKYIPC_NS(INT64_MAX - 1000000000),
	SKYIPC_AT(INT64_MAX - 1),
	SKYIPC_FOREVER,
};

/* Long enough to have to wait for. */
static uint64_t busy[SKYIPC_WORDS] = { 2 * MS };

static void far_calls(void **state)
{
	struct skyipc_msg req = { .op = OP_SPIN, .w = { 2 * MS } };
	struct skyipc_msg rep = { .op = 0 };
	struct skyipc_server_info info = { .size = sizeof(info) };

	alarm(20 * slowness);
	for (unsigned i = 0; i < ARRAY_LEN(far_away); i++) {
		skyipc_time t = far_away[i];
		struct skyipc_connect_attr cattr = { .size = sizeof(cattr),
						     .timeout_ns = t,
						     .call_ns = t,
						     .wait = 1 };
		struct fixture f;

		server_up(&f, state, &cattr);
		/* First calls have a way of their own. */
		assert_int_equal(
			skyipc_call(f.conn, OP_SPIN, busy, NULL, NULL, t), 0);
		assert_int_equal(
			skyipc_call(f.conn, OP_SPIN, busy, NULL, NULL, t), 0);
		assert_int_equal(skyipc_call(f.conn, OP_SPIN, busy, NULL, NULL,
					     SKYIPC_DEFAULT),
				 0);
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, t), 0);
		assert_int_equal(
			skyipc_callv(f.conn, &req, NULL, 0, &rep, NULL, 0, t),
			0);
		assert_int_equal(skyipc_submit(f.conn, &req), 0);
		assert_int_equal(skyipc_wait(f.conn, &rep, 1, 1, t), 1);
		assert_int_equal(skyipc_query(f.name, &info, NULL, NULL, t), 0);
		skyipc_close(f.conn);
		f.conn = connect_to(f.name, &cattr);
		assert_int_equal(
			skyipc_callv(f.conn, &req, NULL, 0, &rep, NULL, 0, t),
			0);
		/* Stopping waits for a handler. */
		req.op = OP_BLOCK;
		assert_int_equal(skyipc_submit(f.conn, &req), 0);
		assert_true(WAIT_FOR(test_blocked() == 1));
		assert_int_equal(skyipc_server_stop(f.server, SKYIPC_NS(1)),
				 -ETIMEDOUT);
		test_unblock(1);
		assert_int_equal(skyipc_server_stop(f.server, t), 0);
		req.op = OP_SPIN;
		skyipc_server_destroy(f.server);
		skyipc_close(f.conn);
	}
	alarm(0);
}

static void *call_once(void *arg)
{
	struct skyipc_conn *conn;

	CHECK(skyipc_connect(arg, NULL, &conn) == 0);
	CHECK(skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT * slowness) ==
	      0);
	skyipc_close(conn);
	return NULL;
}

/* Dispatching lasts until something has been served, whenever that comes. */
static void far_dispatch(void **state)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .handler = test_handler };
	const char *name = new_name();
	struct skyipc_server *server;
	pthread_t thread;

	(void)state;
	alarm(20 * slowness);
	for (unsigned i = 0; i < ARRAY_LEN(far_away); i++) {
		skyipc_time t = far_away[i];

		assert_int_equal(skyipc_server_create(name, &attr, &server), 0);
		assert_int_equal(
			pthread_create(&thread, NULL, call_once, (void *)name),
			0);
		assert_int_equal(skyipc_server_dispatch(server, t), 1);
		pthread_join(thread, NULL);
		assert_int_equal(skyipc_server_stop(server, t), 0);
		skyipc_server_destroy(server);
	}
	alarm(0);
}

/* ---- a server that stands still ----------------------------------------- */

/* Stopped as a whole, and known to be. */
static void freeze(pid_t pid)
{
	int status;

	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
}

static void *first_call(void *arg)
{
	uint64_t t0 = time_ns();

	CHECK(skyipc_call(arg, OP_ECHO, NULL, NULL, NULL, SKYIPC_MS(20)) ==
	      -ETIMEDOUT);
	CHECK(time_ns() - t0 >= 20 * MS);
	CHECK(skyipc_call(arg, OP_ECHO, NULL, NULL, NULL, SKYIPC_MS(5)) ==
	      -ETIMEDOUT);
	return NULL;
}

static void no_channel(void **state)
{
	struct skyipc_server_info info = { .size = sizeof(info) };
	struct skyipc_connect_attr cattr = { .size = sizeof(cattr),
					     .call_ns = 20 * MS };
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 };
	struct skyipc_conn_info *conns;
	struct fixture f;
	pthread_t thread[3];
	size_t n, size;
	void *buf;

	fixture_up(&f, state, NULL, &cattr);
	freeze(f.child.pid);
	/* Several threads at once: one asks, the others wait for their turn. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, first_call, f.conn),
			0);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	TIMES_OUT(skyipc_call_msg(f.conn, &req, &rep, SKYIPC_MS(25)), 25);
	TIMES_OUT(skyipc_callv(f.conn, &req, NULL, 0, &rep, NULL, 0,
			       SKYIPC_MS(25)),
		  25);
	TIMES_OUT(skyipc_submit(f.conn, &req), 20);
	TIMES_OUT(skyipc_buffer(f.conn, &buf, &size), 20);
	kill(f.child.pid, SIGCONT);
	assert_int_equal(ask(f.conn, OP_ECHO, 1, 0), 2);

	/* What had been asked for is used, not asked for again. */
	assert_int_equal(skyipc_query(f.name, &info, &conns, &n, LIMIT), 0);
	assert_int_equal(n, 1);
	assert_int_equal(conns[0].stats.conns, 1);
	free(conns);

	/* The same with the buffers of a channel. */
	freeze(f.child.pid);
	TIMES_OUT(skyipc_call_msg(f.conn, &req, &rep, SKYIPC_MS(25)), 25);
	TIMES_OUT(skyipc_buffer(f.conn, &buf, &size), 20);
	TIMES_OUT(skyipc_callv(f.conn, &req, NULL, 0, &rep, NULL, 0,
			       SKYIPC_MS(25)),
		  25);
	kill(f.child.pid, SIGCONT);
	assert_true(WAIT_FOR(skyipc_call_msg(f.conn, &req, &rep, LIMIT) == 0));
	fixture_down(&f);
}

static void *wait_for_channel(void *arg)
{
	CHECK(skyipc_call(arg, OP_ECHO, NULL, NULL, NULL, SKYIPC_FOREVER) == 0);
	return NULL;
}

static int asking(struct skyipc_conn *conn)
{
	int is;

	pthread_mutex_lock(&conn->lock);
	is = conn->sock_busy;
	pthread_mutex_unlock(&conn->lock);
	return is;
}

/* Another thread waits for the server, for ever: our limit holds. */
static void another_asks(void **state)
{
	struct fixture f;
	pthread_t thread;

	fixture_up(&f, state, NULL, NULL);
	freeze(f.child.pid);
	assert_int_equal(
		pthread_create(&thread, NULL, wait_for_channel, f.conn), 0);
	assert_true(WAIT_FOR(asking(f.conn)));
	alarm(20 * slowness); /* it would hang here */
	for (int i = 0; i < 2; i++) {
		TIMES_OUT(skyipc_call(f.conn, OP_ECHO, NULL, NULL, NULL,
				      SKYIPC_MS(25)),
			  25);
		assert_non_null(strstr(skyipc_errmsg(), "another thread"));
	}
	alarm(0);
	kill(f.child.pid, SIGCONT);
	pthread_join(thread, NULL);
	ask(f.conn, OP_ECHO, 0, 0);
	fixture_down(&f);
}

/* The limit given to a call, not that of the connection, for its first steps */
static void callv_first(void **state)
{
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 };
	struct fixture f;
	int err;

	fixture_up(&f, state, NULL, NULL); /* call_ns: no limit */
	freeze(f.child.pid);
	alarm(20 * slowness); /* it would hang here */
	err = skyipc_callv(f.conn, &req, NULL, 0, &rep, NULL, 0, SKYIPC_MS(20));
	assert_int_equal(err, -ETIMEDOUT);
	kill(f.child.pid, SIGCONT);
	ask(f.conn, OP_ECHO, 0, 0);
	freeze(f.child.pid);
	err = skyipc_callv(f.conn, &req, NULL, 0, &rep, NULL, 0, SKYIPC_MS(20));
	assert_int_equal(err, -ETIMEDOUT);
	kill(f.child.pid, SIGCONT);
	alarm(0);
	assert_true(WAIT_FOR(skyipc_callv(f.conn, &req, NULL, 0, &rep, NULL, 0,
					  LIMIT) == 0));
	fixture_down(&f);
}

static void connecting(void **state)
{
	struct skyipc_connect_attr cattr = { .size = sizeof(cattr),
					     .timeout_ns = 25 * MS };
	struct skyipc_server_info info = { .size = sizeof(info) };
	struct skyipc_conn *conn;
	struct fixture f;

	fixture_up(&f, state, NULL, NULL);
	freeze(f.child.pid);
	TIMES_OUT(skyipc_connect(f.name, &cattr, &conn), 25);
	TIMES_OUT(skyipc_query(f.name, &info, NULL, NULL, SKYIPC_MS(20)), 20);
	cattr.wait = 1;
	TIMES_OUT(skyipc_connect("no-such-name", &cattr, &conn), 25);
	kill(f.child.pid, SIGCONT);
	assert_int_equal(skyipc_connect(f.name, NULL, &conn), 0);
	skyipc_close(conn);
	fixture_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_running), cmocka_unit_test(not_started),
		cmocka_unit_test(extremes),	 cmocka_unit_test(far_calls),
		cmocka_unit_test(no_channel),
	};
	const struct CMUnitTest once[] = {
		cmocka_unit_test(far_dispatch),
		cmocka_unit_test(another_asks),
		cmocka_unit_test(callv_first),
		cmocka_unit_test(connecting),
	};

	return run_variants("limits in time", tests, ARRAY_LEN(tests),
			    BY_MODE) +
	       run_variants("limits in time, once", once, ARRAY_LEN(once), 0);
}
