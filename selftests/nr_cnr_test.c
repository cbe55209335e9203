/* SPDX-License-Identifier: MIT */
/* nr_cnr_test.c - several logs: histories by real threads */
#include "testlib.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "nr_cnr_object.h"
#include "nr_progress.h"
#include "nr_sched.h"

static struct nr_cnr *make(const struct cnr_test *test, uint64_t log_size)
{
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_cnr_ops ops = cnr_test_ops;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_cnr *cnr;

	nr.topology = "2x1";
	nr.log_size = log_size;
	nr.arg = (void *)(uintptr_t)test;
	attr.nr = &nr;
	attr.logs = test->logs;
	ops.flags = test->flags;
	assert_int_equal(nr_cnr_create(&ops, &attr, &cnr), 0);
	return cnr;
}

static struct nr_cnr_context *join(struct nr_cnr *cnr, uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_cnr_context *c;

	attr.replica = replica;
	CHECK(nr_cnr_register(cnr, &attr, &c) == 0);
	return c;
}

/* ---- threads ------------------------------------------------------------ */

#define THREADS 4
#define STEPS 12 /* so that a round can be searched */
#define TOTAL (THREADS * STEPS)

static struct {
	struct nr_cnr *cnr;
	const struct cnr_test *test;
	struct event events[TOTAL];
	_Atomic uint64_t sum;
	/* Of all threads, and whoever runs them: a round begins, and ends; of
	 * the threads: they are ready. */
	pthread_barrier_t begin, end, ready;
	uint64_t round;
	bool over;
} run;

static void history(uintptr_t number)
{
	struct nr_cnr_context *c = join(run.cnr, 1 + (uint32_t)number % 2);
	uint64_t random = run.round * THREADS + number;
	struct event *e = run.events + number * STEPS;

	pthread_barrier_wait(&run.ready);
	for (int i = 0, n; i < STEPS; i += n, e += n) {
		struct cnr_test_op op[2];
		uint64_t result[2], begin = time_ns(), end;

		n = i + 1 < STEPS && i % 4 == 3 ? 2 : 1;
		if (n == 2)
			cnr_test_pair(c, &random, op, result);
		else
			cnr_test_step(run.test, c, &random, op, result);
		end = time_ns();
		for (int k = 0; k < n; k++) {
			e[k] = (struct event){ .begin = begin,
					       .end = end,
					       .result = result[k] };
			e[k].op[0] = op[k].kind;
			e[k].op[1] = op[k].other * CNR_CELLS + op[k].cell;
			e[k].op[2] = op[k].value;
			if (op[k].kind == CNR_ADD)
				atomic_fetch_add(&run.sum, op[k].value);
			if (op[k].kind == CNR_ADD_ALL)
				atomic_fetch_add(&run.sum,
						 CNR_CELLS * op[k].value);
		}
	}
	nr_cnr_leave(c);
}

/* A round takes less time than to make a thread. */
static void *all_rounds(void *number)
{
	while (pthread_barrier_wait(&run.begin), !run.over) {
		history((uintptr_t)number);
		pthread_barrier_wait(&run.end);
	}
	return NULL;
}

static void begin_threads(pthread_t *threads, void *(*fn)(void *arg))
{
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, fn, (void *)i), 0);
}

static void end_threads(const pthread_t *threads)
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static const char *run_round(const struct cnr_test *test, uint64_t log_size)
{
	const char *bad;

	atomic_store(&run.sum, 0);
	run.cnr = make(test, log_size);
	run.test = test;
	pthread_barrier_wait(&run.begin);
	pthread_barrier_wait(&run.end);
	bad = history_check(&cnr_test_model, run.events, TOTAL);
	if (!bad)
		bad = cnr_test_equal(run.cnr, run.sum);
	assert_int_equal(nr_cnr_destroy(run.cnr), 0);
	return bad;
}

static void histories(const struct cnr_test *test, uint64_t log_size)
{
	uint64_t rounds =
		progress_number("NR_OPERATIONS", 400 / slowness * TOTAL) /
		TOTAL;
	struct progress p = progress_begin(test->flags ? "histories, reads "
							 "beside updates"
						       : "histories");

	pthread_t threads[THREADS];
	const char *bad = NULL;

	pthread_barrier_init(&run.begin, NULL, THREADS + 1);
	pthread_barrier_init(&run.end, NULL, THREADS + 1);
	pthread_barrier_init(&run.ready, NULL, THREADS);
	run.over = false;
	begin_threads(threads, all_rounds);
	for (run.round = 0; run.round < rounds; run.round++) {
		bad = run_round(test, log_size);
		if (bad)
			break;
		progress(&p, run.round * TOTAL, rounds * TOTAL);
	}
	run.over = true;
	pthread_barrier_wait(&run.begin);
	end_threads(threads);
	pthread_barrier_destroy(&run.ready);
	pthread_barrier_destroy(&run.end);
	pthread_barrier_destroy(&run.begin);
	if (bad)
		fail_msg("round %llu: %s", (unsigned long long)run.round, bad);
	printf("# %llu operations\n", (unsigned long long)(rounds * TOTAL));
}

static void two_logs(void **state)
{
	static const struct cnr_test test = { 2, 0, 0 };

	(void)state;
	histories(&test, 4);
}

static void four_logs(void **state)
{
	static const struct cnr_test test = { 4, 0, 0 };

	(void)state;
	histories(&test, 64);
}

static void reads_beside_updates(void **state)
{
	static const struct cnr_test test = { 3, NR_CNR_CONCURRENT, 0 };

	(void)state;
	histories(&test, 16);
}

/* ---- for longer, while replicas come and go ----------------------------- */

static _Atomic int running;

/* What is moved is never lost: whoever looks at all cells sees the same sum. */
static void *move(void *arg)
{
	uintptr_t number = (uintptr_t)arg;
	struct nr_cnr_context *c = join(run.cnr, 1 + (uint32_t)number % 2);
	uint64_t random = number, sum;

	for (unsigned i = 0; i < 20000 / slowness; i++) {
		struct cnr_test_op op = { .kind = CNR_MOVE,
					  .cell = sched_random(&random) %
						  CNR_CELLS,
					  .value = 1 + i % 7 };

		op.other = (op.cell + 1 + i % 3) % CNR_CELLS;
		CHECK(nr_cnr_update(c, &op, sizeof(op), NULL) == 0);
		op.kind = CNR_SUM;
		CHECK(nr_cnr_read(c, &op, sizeof(op), &sum) == 0);
		CHECK(sum == run.sum);
		op.kind = CNR_GET;
		CHECK(nr_cnr_read(c, &op, sizeof(op), &sum) == 0);
	}
	nr_cnr_leave(c);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void *come_and_go(void *arg)
{
	struct cnr_test_op op = { .kind = CNR_SUM };
	unsigned *n = arg;
	uint64_t sum;

	do {
		int id = nr_cnr_replica_add(run.cnr, -1);
		struct nr_cnr_context *c;

		CHECK(id > 2);
		c = join(run.cnr, (uint32_t)id);
		CHECK(nr_cnr_read(c, &op, sizeof(op), &sum) == 0);
		CHECK(sum == run.sum);
		CHECK(nr_cnr_replica_remove(run.cnr, (uint32_t)id) == -EBUSY);
		nr_cnr_leave(c);
		CHECK(nr_cnr_replica_remove(run.cnr, (uint32_t)id) == 0);
		++*n;
	} while (atomic_load(&running));
	return NULL;
}

static void replicas_come_and_go(void **state)
{
	static const struct cnr_test test = { 3, 0, 0 };
	struct cnr_test_op op = { .kind = CNR_ADD_ALL, .value = 1000000 };
	struct nr_cnr_context *c;
	pthread_t threads[THREADS], other;
	unsigned added = 0;

	(void)state;
	run.cnr = make(&test, 64);
	c = join(run.cnr, 1);
	assert_int_equal(nr_cnr_update(c, &op, sizeof(op), NULL), 0);
	nr_cnr_leave(c);
	run.sum = CNR_CELLS * op.value;
	atomic_store(&running, THREADS);
	assert_int_equal(pthread_create(&other, NULL, come_and_go, &added), 0);
	begin_threads(threads, move);
	end_threads(threads);
	pthread_join(other, NULL);
	assert_null(cnr_test_equal(run.cnr, run.sum));
	assert_int_equal(nr_cnr_destroy(run.cnr), 0);
	printf("# %u replicas came and went\n", added);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_logs),
		cmocka_unit_test(four_logs),
		cmocka_unit_test(reads_beside_updates),
		cmocka_unit_test(replicas_come_and_go),
	};

	return cmocka_run_group_tests_name("several logs", tests, NULL, NULL);
}
