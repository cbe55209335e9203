/* SPDX-License-Identifier: MIT */
/*
 * spin_test.c - both sides spin again after a time in which it did not pay
 *
 * On a machine that takes longer to wake somebody than they spin, two sides
 * that have parked once would go on parking: a full spin is too short to see
 * the answer of a server that has to be woken first. See spin_limit() in
 * libskyipc/src/shm_wait.c. And a worker that sleeps between calls sees them
 * later than they come: see linger() in libskyipc/src/seat.c.
 */
#include "testlib.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
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

/* A client computes so long between calls; a worker spins a little longer. */
#define GAP_NS 40000
#define GAP_SPIN_NS 46000
#define GAP_CALLS 4000u

/* How often its threads have gone to sleep */
static uint64_t sleeps_of(pid_t pid)
{
	char path[300], line[128];
	uint64_t n, sum = 0;
	struct dirent *e;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((e = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid,
			 e->d_name);
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64,
				   &n) == 1)
				sum += n;
		if (f)
			fclose(f);
	}
	closedir(dir);
	return sum;
}

static uint64_t sleeps_with_gaps(struct skyipc_conn *conn, pid_t pid)
{
	uint64_t before, t0;

	for (uint64_t i = 0; i < 200; i++) {
		assert_int_equal(ask(conn, OP_ECHO, i, 0), i + 1);
		moment();
	}
	before = sleeps_of(pid);
	for (uint64_t i = 0; i < GAP_CALLS; i++) {
		assert_int_equal(ask(conn, OP_ECHO, i, 0), i + 1);
		for (t0 = time_ns(); time_ns() - t0 < GAP_NS;)
			;
	}
	return sleeps_of(pid) - before;
}

static void worker_comes_back(void **state)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .handler = test_handler,
					   .spin_ns = GAP_SPIN_NS };
	const char *name = new_name();
	uint64_t sleeps, best = GAP_CALLS;
	struct skyipc_conn *conn;
	struct child c;

	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	pin_to(1);
	server_spawn(&c, name, &attr);
	pin_to(0);
	conn = connect_to(name, NULL);
	for (int i = 0; i < 5 && best >= GAP_CALLS / 4; i++) {
		sleeps = sleeps_with_gaps(conn, c.pid);
		print_message("# slept %u times in %u calls\n",
			      (unsigned)sleeps, GAP_CALLS);
		if (sleeps < best)
			best = sleeps;
	}
	assert_true(best < GAP_CALLS / 4);
	skyipc_close(conn);
	assert_int_equal(child_end(&c), 0);
	pin_to(-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(worker_comes_back),
	};

	/* Others do not spin. */
	setenv("SKYIPC_TRANSPORT", "shm", 1);
	return cmocka_run_group_tests_name("spinning", tests, NULL, NULL);
}
