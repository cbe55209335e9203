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

/* Both learn that the next call is far away. */
static void call_with_pauses(struct skyipc_conn *conn)
{
	for (uint64_t i = 0; i < 200; i++) {
		assert_int_equal(ask(conn, OP_ECHO, i, 0), i + 1);
		moment();
	}
}

/* How many of many calls in a row park, after a time with pauses? */
static uint64_t parks_after_pauses(struct skyipc_conn *conn, pid_t pid)
{
	uint64_t before;

	(void)pid;
	call_with_pauses(conn);
	before = parks_of(conn);
	for (uint64_t i = 0; i < CALLS; i++)
		assert_int_equal(ask(conn, OP_ECHO, i, 0), i + 1);
	return parks_of(conn) - before;
}

/*
 * With a server on another CPU, both spinning for so long (the client: 0, as it
 * likes), @count stays below @most. The machine may be busy with something
 * else: the best of some tries.
 */
static void stays_below(uint64_t most, uint64_t server_ns, uint64_t client_ns,
			uint64_t (*count)(struct skyipc_conn *conn, pid_t pid),
			const char *what)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .handler = test_handler,
					   .spin_ns = server_ns };
	struct skyipc_connect_attr ca = { .size = sizeof(ca),
					  .spin_ns = client_ns };
	const char *name = new_name();
	uint64_t n, best = UINT64_MAX;
	struct skyipc_conn *conn;
	struct child c;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	pin_to(1);
	server_spawn(&c, name, &attr);
	pin_to(0);
	conn = connect_to(name, &ca);
	for (int i = 0; i < 5 && best >= most; i++) {
		n = count(conn, c.pid);
		print_message("# %s: %u\n", what, (unsigned)n);
		if (n < best)
			best = n;
	}
	assert_true(best < most);
	skyipc_close(conn);
	assert_int_equal(child_end(&c), 0);
	pin_to(-1);
}

static void comes_back(void **state)
{
	(void)state;
	stays_below(CALLS / 50, SPIN_NS, SPIN_NS, parks_after_pauses,
		    "calls of 20000 that parked");
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

	call_with_pauses(conn);
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
	(void)state;
	stays_below(GAP_CALLS / 4, GAP_SPIN_NS, 0, sleeps_with_gaps,
		    "sleeps in 4000 calls");
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
