/* SPDX-License-Identifier: MIT */
/* stop_test.c - a server is stopped while somebody is inside, by whomever */
#include "testlib.h"

#include <pthread.h>
#include <stdatomic.h>

#include "server.h"

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

/* ---- handlers that call their own server -------------------------------- */

#define OP_GOES_ON 1
#define OP_BEGINS 2
#define LAST_CALLS 100

static struct skyipc_conn *_Atomic to_self;
static struct skyipc_server *_Atomic its_own;
static _Atomic int away;

/* Long enough for any machine, short enough to see it fail. */
static int inner(void)
{
	return skyipc_call(to_self, 0, NULL, NULL, NULL,
			   SKYIPC_SEC(10) * slowness);
}

static int32_t goes_on(struct skyipc_call *call, void *arg)
{
	int err;

	(void)arg;
	if (call->op != OP_GOES_ON && call->op != OP_BEGINS)
		return 0;
	/* This one leaves the seat. */
	err = call->op == OP_GOES_ON ? inner() : 0;
	away++;
	if (!WAIT_FOR(atomic_load(&its_own->draining)))
		return -ETIME;
	/*
	 * One look at all channels serves some of these, never all: each is
	 * made when the one before has been answered.
	 */
	while (!err && call->out[0] < LAST_CALLS) {
		err = inner();
		call->out[0]++;
	}
	return err;
}

/* It ends when they have returned, and serves them until then. */
static void drain_calls(const struct variant *v, uint64_t op, int n)
{
	struct skyipc_connect_attr shallow = { .size = sizeof(shallow),
					       .depth = 2 };
	struct skyipc_msg req = { .op = op }, rep = { .op = 0 };
	struct skyipc_server_attr a = plain;
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn[2];

	a.mode = v->mode;
	a.handler = goes_on;
	server = server_here(name, &a);
	its_own = server;
	to_self = connect_to(name, &shallow);
	away = 0;
	for (int i = 0; i < n; i++) {
		conn[i] = connect_to(name, NULL);
		assert_int_equal(skyipc_submit(conn[i], &req), 0);
	}
	/* Several are without a seat now, as there is one worker. */
	assert_true(WAIT_FOR(away == n));
	assert_int_equal(skyipc_server_stop(server, LIMIT * slowness), 0);
	for (int i = 0; i < n; i++) {
		assert_int_equal(skyipc_wait(conn[i], &rep, 1, 1, LIMIT), 1);
		assert_int_equal(rep.result, 0);
		assert_int_equal(rep.status, 0);
		assert_int_equal(rep.w[0], LAST_CALLS);
		skyipc_close(conn[i]);
	}
	skyipc_server_destroy(server);
	skyipc_close(to_self);
}

static void drain_nested(void **state)
{
	drain_calls(*state, OP_GOES_ON, 2);
}

/* Its thread has no channel to it yet: there is somebody who gives it one. */
static void drain_first(void **state)
{
	drain_calls(*state, OP_BEGINS, 1);
}

/* ---- while another thread dispatches ------------------------------------ */

struct inside {
	struct skyipc_server *server;
	pthread_t thread;
	int ret;
};

static void *dispatch(void *arg)
{
	struct inside *in = arg;

	/* Another thread may be inside for a moment, to see who is. */
	do {
		in->ret = skyipc_server_dispatch(in->server, SKYIPC_FOREVER);
	} while (in->ret >= 0 || in->ret == -EBUSY);
	return NULL;
}

static void *stop(void *arg)
{
	struct inside *in = arg;

	in->ret = skyipc_server_stop(in->server, LIMIT * slowness);
	return NULL;
}

static void dispatcher_up(struct inside *in, const char *name)
{
	int ret;

	assert_int_equal(skyipc_server_create(name, &plain, &in->server), 0);
	assert_int_equal(pthread_create(&in->thread, NULL, dispatch, in), 0);
	assert_true(WAIT_FOR(
		(ret = skyipc_server_dispatch(in->server, SKYIPC_NS(1))) != 0));
	assert_int_equal(ret, -EBUSY);
}

static int dispatching(struct skyipc_server *server)
{
	int is;

	pthread_mutex_lock(&server->lock);
	is = server->dispatching;
	pthread_mutex_unlock(&server->lock);
	return is;
}

/* Who has been told that it has stopped may take it apart. */
static void dispatcher_down(struct inside *in)
{
	assert_false(dispatching(in->server));
	pthread_join(in->thread, NULL);
	assert_int_equal(in->ret, -ESHUTDOWN);
	skyipc_server_destroy(in->server);
}

static void stop_dispatched(void **state)
{
	struct skyipc_msg req = { .op = OP_BLOCK }, rep = { .op = 0 };
	const char *name = new_name();
	struct inside in, late;
	struct skyipc_conn *conn;

	(void)state;
	not_in_views();
	for (int i = 0; i < 5; i++) {
		/* The other thread sleeps, and serves nobody. */
		dispatcher_up(&in, name);
		assert_int_equal(
			skyipc_server_stop(in.server, LIMIT * slowness), 0);
		dispatcher_down(&in);

		/* It is in a handler. */
		dispatcher_up(&in, name);
		conn = connect_to(name, NULL);
		assert_int_equal(skyipc_submit(conn, &req), 0);
		assert_true(WAIT_FOR(test_blocked() == 1));
		assert_int_equal(skyipc_server_stop(in.server, SKYIPC_MS(5)),
				 -ETIMEDOUT);
		assert_true(skyipc_errmsg()[0]);
		assert_true(dispatching(in.server));
		late.server = in.server;
		assert_int_equal(
			pthread_create(&late.thread, NULL, stop, &late), 0);
		assert_int_equal(skyipc_poll(conn, &rep, 1), 0);
		test_unblock(1);
		pthread_join(late.thread, NULL);
		assert_int_equal(late.ret, 0);
		dispatcher_down(&in);
		assert_int_equal(skyipc_wait(conn, &rep, 1, 1, LIMIT), 1);
		assert_int_equal(rep.result, 0);
		assert_int_equal(rep.w[0], 1);
		skyipc_close(conn);
	}
}

int main(void)
{
	const struct CMUnitTest by_mode[] = {
		cmocka_unit_test(drain_nested),
		cmocka_unit_test(drain_first),
	};
	const struct CMUnitTest once[] = {
		cmocka_unit_test(stop_dispatched),
	};

	return run_variants("stopping", by_mode, ARRAY_LEN(by_mode), BY_MODE) +
	       run_variants("stopping, once", once, ARRAY_LEN(once), 0);
}
