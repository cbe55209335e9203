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
	if (call->op != OP_GOES_ON)
		return 0;
	/* This one leaves the seat. */
	err = inner();
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
static void drain_nested(void **state)
{
	struct skyipc_connect_attr shallow = { .size = sizeof(shallow),
					       .depth = 2 };
	struct skyipc_msg req = { .op = OP_GOES_ON }, rep = { .op = 0 };
	struct skyipc_server_attr a = plain;
	const struct variant *v = *state;
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn[2];

	a.mode = v->mode;
	a.handler = goes_on;
	server = server_here(name, &a);
	its_own = server;
	to_self = connect_to(name, &shallow);
	away = 0;
	for (int i = 0; i < 2; i++) {
		conn[i] = connect_to(name, NULL);
		assert_int_equal(skyipc_submit(conn[i], &req), 0);
	}
	/* Both are without a seat now, though there is one worker. */
	assert_true(WAIT_FOR(away == 2));
	assert_int_equal(skyipc_server_stop(server, LIMIT * slowness), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(skyipc_wait(conn[i], &rep, 1, 1, LIMIT), 1);
		assert_int_equal(rep.result, 0);
		assert_int_equal(rep.status, 0);
		assert_int_equal(rep.w[0], LAST_CALLS);
		skyipc_close(conn[i]);
	}
	skyipc_server_destroy(server);
	skyipc_close(to_self);
}

int main(void)
{
	const struct CMUnitTest by_mode[] = {
		cmocka_unit_test(drain_nested),
	};

	return run_variants("stopping", by_mode, ARRAY_LEN(by_mode), BY_MODE);
}
