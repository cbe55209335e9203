/* SPDX-License-Identifier: MIT */
/* thread_test.c - many threads, many connections, nested calls, workers */
#include "testlib.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* ---- clients ------------------------------------------------------------ */

struct caller {
	pthread_t thread;
	struct skyipc_conn *conn;
	unsigned seed, calls;
};

static void *call_all_kinds(void *arg)
{
	struct caller *c = arg;
	struct skyipc_msg req, rep, reps[4];
	static __thread char data[5000];
	uint64_t in[SKYIPC_WORDS], out[SKYIPC_WORDS];
	int32_t status;

	memset(reps, 0, sizeof(reps));
	memset(&rep, 0, sizeof(rep));
	for (uint64_t i = 0; i < c->calls; i++) {
		for (int k = 0; k < SKYIPC_WORDS; k++)
			in[k] = i * 1000 + c->seed * 10 + (unsigned)k;
		CHECK(skyipc_call(c->conn, OP_ECHO, in, out, &status,
				  LIMIT * slowness) == 0);
		for (int k = 0; k < SKYIPC_WORDS; k++)
			CHECK(out[k] == in[k] + 1);
		if (i % 4)
			continue;
		memset(&req, 0, sizeof(req));
		pattern_fill(data, sizeof(data), c->seed + i);
		req.data = data;
		req.len = sizeof(data) - i % 100;
		for (req.tag = 0; req.tag < 3; req.tag++)
			CHECK(skyipc_submit(c->conn, &req) == 0);
		CHECK(skyipc_call_msg(c->conn, &req, &rep, LIMIT * slowness) ==
		      0);
		CHECK(rep.len == req.len);
		CHECK(pattern_is(rep.data, rep.len, c->seed + i));
		CHECK(skyipc_wait(c->conn, reps, 4, 3, LIMIT * slowness) == 3);
		for (uint64_t k = 0; k < 3; k++) {
			CHECK(reps[k].tag == k && reps[k].len == req.len);
			CHECK(pattern_is(reps[k].data, req.len, c->seed + i));
		}
	}
	return NULL;
}

static void run_callers(struct skyipc_conn *conn, unsigned n, unsigned calls)
{
	struct caller c[64];

	assert_true(n <= ARRAY_LEN(c));
	for (unsigned i = 0; i < n; i++) {
		c[i].conn = conn;
		c[i].seed = i;
		c[i].calls = calls;
		assert_int_equal(pthread_create(&c[i].thread, NULL,
						call_all_kinds, &c[i]),
				 0);
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(c[i].thread, NULL);
}

/* Threads of one connection do not meet each other; gone ones leave room. */
static void threads(void **state)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr), .workers = 2 };
	struct skyipc_stats stats;
	struct fixture f;

	fixture_up(&f, state, &attr, NULL);
	run_callers(f.conn, 8, 400 / slowness);
	conn_stats_of(f.conn, &stats);
	assert_in_range(stats.conns, 1, 8);
	for (int i = 0; i < 20; i++)
		run_callers(f.conn, 8, 5);
	conn_stats_of(f.conn, &stats);
	assert_in_range(stats.conns, 1, 8);
	/* One after the other: they need one channel. */
	for (int i = 0; i < 100; i++)
		run_callers(f.conn, 1, 5);
	conn_stats_of(f.conn, &stats);
	assert_in_range(stats.conns, 1, 8);
	assert_true(stats.errors == 0);
	fixture_down(&f);
}

static void *leave_calls_behind(void *arg)
{
	struct skyipc_msg req = { .op = OP_ECHO, .len = 100 };
	static char data[100];

	req.data = data;
	for (int i = 0; i < 8; i++)
		CHECK(skyipc_submit(arg, &req) == 0);
	return NULL;
}

/* A thread ends with calls outstanding; the next one has its channel. */
static void left_behind(void **state)
{
	struct skyipc_stats stats;
	struct skyipc_msg rep;
	struct fixture f;
	pthread_t thread;

	fixture_up(&f, state, NULL, NULL);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(pthread_create(&thread, NULL,
						leave_calls_behind, f.conn),
				 0);
		pthread_join(thread, NULL);
		run_callers(f.conn, 1, 9);
	}
	conn_stats_of(f.conn, &stats);
	assert_int_equal(stats.conns, 1);
	assert_int_equal(skyipc_poll(f.conn, &rep, 1), -ENOENT);
	fixture_down(&f);
}

/* Thousands of connections to one server. */
static void connections(void **state)
{
	struct skyipc_connect_attr cattr = { .size = sizeof(cattr),
					     .depth = 2,
					     .transport = transport };
	unsigned n = 2000 / slowness;
	struct skyipc_conn **conn = calloc(n, sizeof(*conn));
	struct skyipc_server_info info;
	struct rlimit rl, old;
	struct fixture f;

	getrlimit(RLIMIT_NOFILE, &old);
	rl = old;
	/* A connection has two descriptors here, and two more in the module. */
	rl.rlim_cur = 4 * n + 100;
	if (rl.rlim_max < rl.rlim_cur)
		rl.rlim_max = rl.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &rl)) {
		rl.rlim_cur = rl.rlim_max = old.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
		n = (unsigned)(old.rlim_max - 100) / 4;
	}
	fixture_up(&f, state, NULL, NULL);
	for (unsigned i = 0; i < n; i++) {
		conn[i] = connect_to(f.name, &cattr);
		if (i & 1)
			assert_int_equal(ask(conn[i], OP_ECHO, i, 0), i + 1);
	}
	query_of(f.name, &info);
	assert_int_equal(info.stats.conns, n + 1);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(ask(conn[i], OP_ECHO, i, 0), i + 1);
	for (unsigned i = 0; i < n; i += 2)
		skyipc_close(conn[i]);
	assert_true(WAIT_FOR((query_of(f.name, &info), info.stats.conns) ==
			     n / 2 + 1));
	for (unsigned i = 1; i < n; i += 2) {
		assert_int_equal(ask(conn[i], OP_ECHO, i, 0), i + 1);
		skyipc_close(conn[i]);
	}
	assert_int_equal(ask(f.conn, OP_ECHO, 1, 0), 2);
	fixture_down(&f);
	/* The hard limit stays: going back up would need a privilege. */
	rl.rlim_cur = old.rlim_cur;
	setrlimit(RLIMIT_NOFILE, &rl);
	free(conn);
}

/* ---- workers ------------------------------------------------------------ */

static void *block(void *arg)
{
	CHECK(skyipc_call(arg, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0);
	CHECK(skyipc_call(arg, OP_BLOCK, NULL, NULL, NULL, SKYIPC_FOREVER) ==
	      0);
	return NULL;
}

/* Whatever list a channel is on: while one worker is idle, it is served. */
static void work_conserving(void **state)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr), .workers = 2 };
	struct skyipc_conn *other;
	struct variant v = *(const struct variant *)*state;
	void *vp = &v;
	struct fixture f;
	pthread_t thread;

	v.here = 1;
	fixture_up(&f, &vp, &attr, NULL);
	other = connect_to(f.name, NULL);
	for (int i = 0; i < 20; i++) {
		/* busy channels of this thread, on both connections */
		for (int k = 0; k < 50; k++) {
			ask(f.conn, OP_ECHO, 0, 0);
			ask(other, OP_ECHO, 0, 0);
		}
		assert_int_equal(pthread_create(&thread, NULL, block,
						i & 1 ? other : f.conn),
				 0);
		assert_true(WAIT_FOR(test_blocked() == 1));
		for (int k = 0; k < 50; k++) {
			ask(f.conn, OP_ECHO, 0, 0);
			ask(other, OP_ECHO, 0, 0);
		}
		assert_int_equal(test_blocked(), 1);
		test_unblock(1);
		pthread_join(thread, NULL);
	}
	skyipc_close(other);
	fixture_down(&f);
}

static _Atomic int inside, most;

static int32_t crowd(struct skyipc_call *call, void *arg)
{
	int now = ++inside, seen = most;

	(void)arg;
	while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
		;
	/* Wait for company, in vain if there is never to be any. */
	if (call->in[0])
		WAIT_FOR_MS(most >= (int)call->in[0], 2000);
	else
		moment();
	inside--;
	return 0;
}

static void *in_crowd(void *arg)
{
	uint64_t in[SKYIPC_WORDS] = { 3 };

	CHECK(skyipc_call(arg, 0, in, NULL, NULL, LIMIT * slowness) == 0);
	return NULL;
}

/* As many handlers at a time as there are workers, not one more. */
static void how_many(void **state)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .workers = 3,
					   .handler = crowd };
	struct variant v = *(const struct variant *)*state;
	void *vp = &v;
	pthread_t thread[9];
	struct fixture f;

	v.here = 1;
	most = 0;
	fixture_up(&f, &vp, &attr, NULL);
	for (int i = 0; i < 9; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, in_crowd, f.conn), 0);
	for (int i = 0; i < 9; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(most, 3);
	fixture_down(&f);
}

/* A pinned worker runs where it was told to. */
static void pinned(void **state)
{
	uint64_t out[SKYIPC_WORDS];
	cpu_set_t set;
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .cpus = &set,
					   .cpus_size = sizeof(set) };
	struct fixture f;

	not_in_views();
	for (int cpu = 0; cpu < cpus_allowed(); cpu++) {
		int here;

		pin_to(cpu);
		here = sched_getcpu();
		pin_to(-1);
		CPU_ZERO(&set);
		CPU_SET(here, &set);
		fixture_up(&f, state, &attr, NULL);
		for (int i = 0; i < 20; i++) {
			assert_int_equal(skyipc_call(f.conn, OP_PID, NULL, out,
						     NULL, LIMIT),
					 0);
			assert_int_equal(out[2], here);
		}
		fixture_down(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads),
		cmocka_unit_test(left_behind),
		cmocka_unit_test(how_many),
		cmocka_unit_test(pinned),
	};
	const struct CMUnitTest parked[] = {
		cmocka_unit_test(connections),
	};
	const struct CMUnitTest fair[] = {
		cmocka_unit_test(work_conserving),
	};
	int failed;

	failed = run_variants("threads", tests, ARRAY_LEN(tests), BY_MODE);
	failed += run_variants("connections", parked, ARRAY_LEN(parked), 0);
	/* Polling workers keep their channels: that mode promises nothing. */
	failed += run_variants("fairness", fair, ARRAY_LEN(fair), 0);
	return failed;
}
