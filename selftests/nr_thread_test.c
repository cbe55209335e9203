/* SPDX-License-Identifier: MIT */
/*
 * nr_thread_test.c - node replication by real threads
 *
 * What they did is checked to be linearizable, by the index of each update and
 * the version that each read saw. NR_OPERATIONS says how many there are for
 * each test, NR_SECONDS how long updates are timed for; NR_LOAD=NAME one of
 * them alone.
 */
#include "testlib.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "nr_load.h"
#include "nr_progress.h"

static __attribute__((format(printf, 1, 2))) void fail_thread(const char *fmt,
							      ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "# ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	abort();
}

static void *thread_main(void *thread)
{
	load_thread(thread);
	return NULL;
}

/* ---- loads -------------------------------------------------------------- */

struct test_load {
	const char *name;
	struct load_attr attr;
};

#define STEPS 4000u

static const struct test_load loads[] = {
	{ "one replica",
	  { .log_size = 64, .replicas = 1, .threads = 3, .reads = 30 } },
	{ "two replicas",
	  { .log_size = 64, .replicas = 2, .threads = 4, .reads = 50 } },
	{ "two replicas, the smallest log",
	  { .log_size = 4, .replicas = 2, .threads = 4, .reads = 10 } },
	{ "asynchronous updates",
	  { .log_size = 256,
	    .replicas = 2,
	    .threads = 4,
	    .reads = 20,
	    .submits = 60,
	    .longs = 10 } },
	{ "an idle replica",
	  { .log_size = 64,
	    .replicas = 2,
	    .spread = 1,
	    .threads = 3,
	    .idlers = 1,
	    .reads = 20 } },
	{ "replicas come and go",
	  { .log_size = 64,
	    .replicas = 2,
	    .threads = 3,
	    .reads = 20,
	    .adds = 100 } },
	{ "contexts come and go",
	  { .log_size = 64,
	    .replicas = 2,
	    .threads = 3,
	    .reads = 30,
	    .submits = 10,
	    .joins = 100 } },
	{ "more threads than CPUs",
	  { .log_size = 1024,
	    .replicas = 2,
	    .threads = 8,
	    .reads = 20,
	    .syncs = 5 } },
};

/* How many operations that were. */
static uint64_t run_round(struct load *l)
{
	pthread_t threads[LOAD_THREADS];
	uint64_t n = 0;

	for (uint32_t i = 0; i < l->attr.threads; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread_main,
						&l->threads[i]),
				 0);
	for (uint32_t i = 0; i < l->attr.threads; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < l->attr.threads; i++)
		n += l->threads[i].updates + l->threads[i].reads;
	return n;
}

static void run_load(void **state)
{
	const struct test_load *t = *state;
	struct load_attr attr = t->attr;
	struct progress p = progress_begin(t->name);
	uint64_t done = 0, want;
	static struct load l;
	const char *bad;

	attr.keep = 1;
	attr.steps = STEPS / slowness;
	want = progress_number("NR_OPERATIONS", 4 * attr.steps * attr.threads);
	l.now = time_ns;
	l.fail = fail_thread;
	load_begin(&l, &attr, 0);
	/* One history, which is checked piece by piece. */
	for (uint64_t round = 1; (done += run_round(&l)) < want; round++) {
		bad = load_go_on(&l, round);
		if (bad)
			fail_msg("%s", bad);
		progress(&p, done, want);
	}
	bad = load_end(&l);
	if (bad)
		fail_msg("%s", bad);
	printf("# %s: %llu operations\n", t->name, (unsigned long long)done);
}

/* ---- how long an update takes ------------------------------------------- */

#define WRITERS 8

static struct nr *timed;
static _Atomic int stop;

struct writer {
	pthread_t thread;
	uint32_t number;
	_Atomic uint64_t n;
	uint64_t max, buckets[64 * 8];
};

static unsigned bucket(uint64_t ns)
{
	unsigned exp;

	if (ns < 8)
		return (unsigned)ns;
	exp = 63 - (unsigned)__builtin_clzll(ns);
	return (exp - 2) * 8 + ((unsigned)(ns >> (exp - 3)) & 7);
}

static uint64_t bucket_end(unsigned i)
{
	return i < 8 ? i : ((UINT64_C(8) + (i & 7) + 1) << (i / 8 + 2 - 3)) - 1;
}

static void *write_all_the_time(void *arg)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct load_op op = { .kind = LOAD_ADD, .value = 1 };
	struct load_result result;
	struct writer *w = arg;
	struct nr_context *c;

	attr.replica = 1 + w->number % 2;
	CHECK(nr_register(timed, &attr, &c) == 0);
	while (!atomic_load(&stop)) {
		uint64_t t = time_ns();

		op.cell = w->number;
		CHECK(nr_update(c, &op, offsetof(struct load_op, pad),
				&result) == 0);
		t = time_ns() - t;
		w->buckets[bucket(t)]++;
		w->max = t > w->max ? t : w->max;
		w->n++;
	}
	nr_leave(c);
	return NULL;
}

static uint64_t quantile(const struct writer *w, double q)
{
	uint64_t seen = 0, n = 0;

	for (int i = 0; i < WRITERS; i++)
		n += w[i].n;
	for (unsigned b = 0; b < ARRAY_LEN(w->buckets); b++) {
		for (int i = 0; i < WRITERS; i++)
			seen += w[i].buckets[b];
		if ((double)seen >= q * (double)n)
			return bucket_end(b);
	}
	return 0;
}

static int all_began(const struct writer *w)
{
	for (int i = 0; i < WRITERS; i++)
		if (!atomic_load(&w[i].n))
			return 0;
	return 1;
}

/*
 * 8 threads that do nothing but update, on however many CPUs there are. A
 * machine that does other things can take the CPU away for long, so by itself
 * the test only notices who waits for ever; what it prints is to be looked at
 * on a quiet one, where the longest wait is to be below 50 ms in a minute.
 */
static void no_long_waits(void **state)
{
	static struct writer w[WRITERS];
	struct nr_attr attr = NR_ATTR_INIT;
	uint64_t seconds = progress_number("NR_SECONDS", 0), max = 0, n = 0,
		 until;

	(void)state;
	attr.topology = "2x1";
	attr.replicas = 2;
	memset(w, 0, sizeof(w));
	atomic_store(&stop, 0);
	assert_int_equal(nr_create(&load_ops, &attr, &timed), 0);
	for (uint32_t i = 0; i < WRITERS; i++) {
		w[i].number = i;
		assert_int_equal(pthread_create(&w[i].thread, NULL,
						write_all_the_time, &w[i]),
				 0);
	}
	until = time_ns() + (seconds ? seconds * 1000000000u : 300000000u);
	while (time_ns() < until || !all_began(w))
		moment();
	atomic_store(&stop, 1);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(w[i].thread, NULL);
		n += w[i].n;
		max = w[i].max > max ? w[i].max : max;
	}
	assert_null(load_equal(timed, n));
	assert_int_equal(nr_destroy(timed), 0);
	printf("# %llu updates: p50 %llu ns, p99 %llu ns, p99.9 %llu ns, "
	       "p100 %llu ns\n",
	       (unsigned long long)n, (unsigned long long)quantile(w, 0.5),
	       (unsigned long long)quantile(w, 0.99),
	       (unsigned long long)quantile(w, 0.999), (unsigned long long)max);
	if (seconds)
		assert_true(max < 50000000u);
	else
		assert_true(max < LIMIT_MS * 1000000u);
}

/* ---- the reader lock ---------------------------------------------------- */

static struct {
	struct nr_rwlock *lock;
	uint64_t a, b; /* equal, but for the writer */
	_Atomic uint64_t reads;
} shared;

static void *reads(void *arg)
{
	struct nr_reader *r;

	(void)arg;
	CHECK(nr_rwlock_join(shared.lock, &r) == 0);
	for (unsigned i = 0; i < 4 * STEPS / slowness; i++) {
		nr_read_lock(r);
		CHECK(shared.a == shared.b);
		nr_read_unlock(r);
		atomic_fetch_add(&shared.reads, 1);
	}
	nr_rwlock_leave(r);
	return NULL;
}

static void *writes(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < STEPS / slowness; i++) {
		nr_write_lock(shared.lock);
		shared.a++;
		shared.b++;
		nr_write_unlock(shared.lock);
	}
	return NULL;
}

static void reader_lock(void **state)
{
	pthread_t threads[6];

	(void)state;
	memset(&shared, 0, sizeof(shared));
	assert_int_equal(nr_rwlock_create(&shared.lock), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i < 3 ? reads : writes, NULL),
				 0);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	assert_true(shared.a == 3 * (STEPS / slowness));
	assert_true(shared.a == shared.b);
	assert_int_equal(nr_rwlock_destroy(shared.lock), 0);
	assert_int_equal(nr_rwlock_destroy(NULL), 0);
	nr_rwlock_leave(NULL);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(loads) + 2] = {
		cmocka_unit_test(reader_lock),
		cmocka_unit_test(no_long_waits),
	};
	size_t others = getenv("NR_LOAD") ? 0 : 2;
	size_t n = progress_loads(tests + others, loads, ARRAY_LEN(loads),
				  sizeof(loads[0]), run_load);

	if (!n)
		return 2;
	n += others;
	return _cmocka_run_group_tests("threads", tests, n, NULL, NULL);
}
