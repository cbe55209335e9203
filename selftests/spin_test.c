/* SPDX-License-Identifier: MIT */
/*
 * spin_test.c - both sides spin again after a time in which it did not pay
 *
 * On a machine that takes longer to wake somebody than they spin, two sides
 * that have parked once would go on parking: a full spin is too short to see
 * the answer of a server that has to be woken first. See spin_limit() in
 * libskyipc/src/shm_wait.c.
 */
#include "testlib.h"

#include <stdlib.h>
#include <unistd.h>

/* Longer than a call takes, and shorter than waking somebody anywhere */
#define SPIN_NS 5000
#define CALLS 20000u

static uint64_t parks_of(struct skyipc_conn *conn)
{
	struct skyipc_stats stats = { .size = sizeof(stats) };

	assert_int_equal(skyipc_conn_stats(conn, &stats), 0);
	return stats.parks;
}

/* How many of many calls in a row park, after a time with pauses? */
static uint64_t parks_after_pauses(struct skyipc_conn *conn)
{
	uint64_t before;

	/* Both learn that the next call is far away. */
	for (uint64_t i = 0; i < 200; i++) {
		assert_int_equal(ask(conn, OP_ECHO, i, 0), i + 1);
		moment();
	}
	before = parks_of(conn);
	for (uint64_t i = 0; i < CALLS; i++)
		assert_int_equal(ask(conn, OP_ECHO, i, 0), i + 1);
	return parks_of(conn) - before;
}

static void comes_back(void **state)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .handler = test_handler,
					   .spin_ns = SPIN_NS };
	struct skyipc_connect_attr ca = { .size = sizeof(ca),
					  .spin_ns = SPIN_NS };
	const char *name = new_name();
	uint64_t parks, best = CALLS;
	struct skyipc_conn *conn;
	struct child c;

	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	pin_to(1);
	server_spawn(&c, name, &attr);
	pin_to(0);
	conn = connect_to(name, &ca);
	/* The machine may be busy with something else: the best of some. */
	for (int i = 0; i < 5 && best >= CALLS / 50; i++) {
		parks = parks_after_pauses(conn);
		print_message("# %u of %u calls parked\n", (unsigned)parks,
			      CALLS);
		if (parks < best)
			best = parks;
	}
	assert_true(best < CALLS / 50);
	skyipc_close(conn);
	assert_int_equal(child_end(&c), 0);
	pin_to(-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
	};

	/* Others do not spin. */
	setenv("SKYIPC_TRANSPORT", "shm", 1);
	return cmocka_run_group_tests_name("spinning", tests, NULL, NULL);
}
