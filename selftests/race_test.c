/* SPDX-License-Identifier: MIT */
/*
 * race_test.c - threads that meet at a named point of the library, where they
 * would once in a million times
 */
#include "testlib.h"

#include <pthread.h>
#include <stdatomic.h>

#define SKY_TEST_POINTS
#include "point.h"

/* ---- a thread waits at a point until others have been there -------------- */

static const char *_Atomic held;
static _Atomic int waiting;

void sky_point(const char *name)
{
	const char *at = held;

	if (!at || strcmp(at, name))
		return;
	waiting = 1;
	WAIT_FOR(!held);
	waiting = 0;
}

/* ---- one thread stops a server while another dispatches ------------------ */

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

struct stopper {
	struct skyipc_server *server;
	int ret;
};

static void *stop(void *arg)
{
	struct stopper *s = arg;

	s->ret = skyipc_server_stop(s->server, LIMIT * slowness);
	return NULL;
}

/*
 * Between two turns of a thread that dispatches another stops the server: that
 * one does the rest, and alone.
 */
static void stop_between(void **state)
{
	struct stopper s = { .ret = 1 };
	pthread_t thread;

	(void)state;
	assert_int_equal(skyipc_server_create(new_name(), &plain, &s.server),
			 0);
	assert_int_equal(skyipc_server_dispatch(s.server, SKYIPC_NS(1)), 0);
	held = "server-drain";
	assert_int_equal(pthread_create(&thread, NULL, stop, &s), 0);
	assert_true(WAIT_FOR(waiting));
	assert_int_equal(skyipc_server_dispatch(s.server, SKYIPC_NS(1)),
			 -EBUSY);
	assert_int_equal(skyipc_server_start(s.server), -EBUSY);
	assert_int_equal(skyipc_server_stop(s.server, SKYIPC_MS(5)),
			 -ETIMEDOUT);
	held = NULL;
	pthread_join(thread, NULL);
	assert_int_equal(s.ret, 0);
	assert_int_equal(skyipc_server_dispatch(s.server, SKYIPC_NS(1)),
			 -ESHUTDOWN);
	skyipc_server_destroy(s.server);
}

/* As it was before anybody has started it. */
static void stop_unstarted(void **state)
{
	struct stopper s = { .ret = 1 };
	pthread_t thread;

	(void)state;
	assert_int_equal(skyipc_server_create(new_name(), &plain, &s.server),
			 0);
	held = "server-drain";
	assert_int_equal(pthread_create(&thread, NULL, stop, &s), 0);
	assert_true(WAIT_FOR(waiting));
	assert_int_equal(skyipc_server_start(s.server), -EBUSY);
	held = NULL;
	pthread_join(thread, NULL);
	assert_int_equal(s.ret, 0);
	skyipc_server_destroy(s.server);
}

int main(void)
{
	const struct CMUnitTest once[] = {
		cmocka_unit_test(stop_between),
		cmocka_unit_test(stop_unstarted),
	};

	return run_variants("races", once, ARRAY_LEN(once), 0);
}
