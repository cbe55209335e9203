/* SPDX-License-Identifier: MIT */
/*
 * nr_mutant_test.c - would the tests find it?
 *
 * Each known error is switched on in a child, which runs schedules until one
 * fails. One that none of them finds is a failure. What killed it, and the
 * seed, is printed: NR_SEED with the scenario runs it again, and NR_MUTANT
 * names one to be on in nr_schedule_test.
 *
 * Orders that are too weak show in no schedule: those are run by real threads,
 * and TSan has to complain.
 */
#include "testlib.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "nr_cnr_object.h"
#include "nr_mutants.h"
#include "nr_scenario.h"
#include "nr_sched.h"
#include "nr_vspace_equal.h"

/* The killing seed fails without the mutant, too. */
#define BROKEN 3

/* The hardest needs some thousand. */
#define SEEDS 200000u

static char killer[ARRAY_LEN(mutants)][300];

/* What the child does, and then what has come of it; shared with it. */
static char *said;

/* ---- schedules ---------------------------------------------------------- */

static void say(const char *scenario, uint64_t seed, const char *what)
{
	snprintf(said, sizeof(killer[0]), "%s, seed %llu: %s", scenario,
		 (unsigned long long)seed, what);
}

static void run_schedules(const struct mutant *m)
{
	const struct scenario *s = scenario_find(m->scenario);
	const char *bad;

	nr_test_mutant = m->id;
	scenario_invariants = m->inside;
	for (uint64_t seed = 1; s && seed <= SEEDS; seed++) {
		/* What it is doing, should it crash. */
		say(s->name, seed, "crash");
		bad = scenario_run(s, seed);
		if (bad) {
			say(s->name, seed, bad);
			/* It was the mutant, not the test. */
			nr_test_mutant = NR_MUTANT_NONE;
			scenario_invariants = 1;
			_exit(scenario_run(s, seed) ? BROKEN : 1);
		}
	}
	_exit(0);
}

/* ---- threads ------------------------------------------------------------ */

static void *thread_main(void *thread)
{
	load_thread(thread);
	return NULL;
}

static __attribute__((format(printf, 1, 2))) void fail_thread(const char *fmt,
							      ...)
{
	(void)fmt;
	_exit(1);
}

/* TSan calls this: one race is enough. */
void __tsan_on_report(void *report);
void __tsan_on_report(void *report)
{
	(void)report;
	_exit(66);
}

static struct nr_rwlock *lock;
static uint64_t guarded;

static _Atomic int written, have_read; /* relaxed: they order nothing */
static pthread_barrier_t start;

#define LOCK_ROUNDS 300

static void write_once(void)
{
	nr_write_lock(lock);
	guarded++;
	nr_write_unlock(lock);
}

/*
 * The lock alone, where nothing else orders readers and writers: both readers
 * read once more when all has been written, and then one writer writes once
 * more.
 */
static void *use_lock(void *arg)
{
	struct nr_reader *r;
	uint64_t saw = 0;
	int last = 0, n;

	if (nr_rwlock_join(lock, &r))
		_exit(1);
	pthread_barrier_wait(&start);
	for (int i = 0; arg && i < LOCK_ROUNDS; i++) {
		write_once();
		atomic_fetch_add_explicit(&written, 1, memory_order_relaxed);
	}
	while (!arg && !last) {
		n = atomic_load_explicit(&written, memory_order_relaxed);
		last = n == 2 * LOCK_ROUNDS;
		nr_read_lock(r);
		saw += guarded;
		nr_read_unlock(r);
	}
	if (!arg)
		atomic_fetch_add_explicit(&have_read, 1, memory_order_relaxed);
	while (arg == &lock &&
	       atomic_load_explicit(&have_read, memory_order_relaxed) < 2)
		sched_yield();
	if (arg == &lock)
		write_once();
	nr_rwlock_leave(r);
	return (void *)(uintptr_t)(saw & 1);
}

static void run_lock(void)
{
	pthread_t threads[4];

	if (nr_rwlock_create(&lock))
		_exit(1);
	written = have_read = 0;
	pthread_barrier_init(&start, NULL, 4);
	for (uint32_t i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, use_lock,
				   i < 2    ? NULL
				   : i == 2 ? (void *)&lock
					    : (void *)&start))
			abort();
	for (uint32_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&start);
	if (nr_rwlock_destroy(lock))
		_exit(1);
}

static struct nr_cnr *several;
static _Atomic uint64_t added;
static const struct cnr_test two_logs = { 2, 0, 0 };

static void *use_logs(void *number)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	uint64_t random = (uintptr_t)number, result;
	struct nr_cnr_context *c;
	struct cnr_test_op op;

	attr.replica = 1 + (uint32_t)random % 2;
	if (nr_cnr_register(several, &attr, &c))
		_exit(1);
	for (int i = 0; i < 1500; i++) {
		cnr_test_step(&two_logs, c, &random, &op, &result);
		if (op.kind == CNR_ADD)
			atomic_fetch_add(&added, op.value);
		if (op.kind == CNR_ADD_ALL)
			atomic_fetch_add(&added, CNR_CELLS * op.value);
	}
	nr_cnr_leave(c);
	return NULL;
}

/* Several logs, and operations in more than one. */
static void run_logs(void)
{
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	pthread_t threads[4];

	nr.topology = "2x1";
	nr.log_size = 64;
	nr.arg = (void *)(uintptr_t)&two_logs;
	attr.nr = &nr;
	attr.logs = two_logs.logs;
	added = 0;
	if (nr_cnr_create(&cnr_test_ops, &attr, &several))
		_exit(1);
	for (uintptr_t i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, use_logs, (void *)i))
			abort();
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	if (cnr_test_equal(several, added) || nr_cnr_destroy(several))
		_exit(1);
}

static struct nr_vspace *space;

/*
 * A page whose tables come and go: two threads change it, the others walk
 * there; and are away between two walks, for the beginning of one is ordered,
 * too. And pages that stay, more and more of them, in chunks more and more.
 */
static void *use_pages(void *number)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_vspace_context *c;
	struct nr_page page;

	attr.replica = 1 + (uint32_t)(uintptr_t)number % 2;
	if (nr_vspace_register(space, &attr, &c))
		_exit(1);
	for (uint64_t i = 0; i < 1500; i++) {
		const uint64_t far = i / 30 << 39;

		if ((uintptr_t)number < 2) {
			nr_vspace_walk(c, 0, &page);
			nr_vspace_walk(c, far, &page);
			sched_yield();
		} else if (i % 30 == 29) {
			nr_vspace_map(c, far, 0, NR_PAGE_4K, NR_PAGE_4K, 0);
		} else if (nr_vspace_unmap(c, 0, NR_PAGE_4K)) {
			nr_vspace_map(c, 0, 0, NR_PAGE_4K, NR_PAGE_4K, 0);
		}
	}
	nr_vspace_leave(c);
	return NULL;
}

static void run_pages(void)
{
	struct nr_vspace_attr attr = NR_VSPACE_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	pthread_t threads[4];

	nr.topology = "2x1";
	nr.log_size = 64;
	attr.nr = &nr;
	if (nr_vspace_create(&attr, &space))
		_exit(1);
	for (uintptr_t i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, use_pages, (void *)i))
			abort();
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	if (!vspace_is_equal(space) || nr_vspace_destroy(space))
		_exit(1);
}

static void run_threads(const struct mutant *m)
{
	static const struct load_attr attr = {
		.log_size = 16,
		.replicas = 2,
		.threads = 4,
		.steps = 3000,
		.reads = 30,
		.submits = 30,
	};
	static struct load l = { .now = time_ns, .fail = fail_thread };
	pthread_t threads[LOAD_THREADS];

	nr_test_mutant = m->id;
	strcpy(said, "threads: TSan");
	for (int round = 0; round < (m->id ? 40 : 4); round++) {
		run_lock();
		run_logs();
		run_pages();
		load_begin(&l, &attr, (uint64_t)round);
		for (uint32_t i = 0; i < attr.threads; i++)
			if (pthread_create(&threads[i], NULL, thread_main,
					   &l.threads[i]))
				abort();
		for (uint32_t i = 0; i < attr.threads; i++)
			pthread_join(threads[i], NULL);
		if (load_end(&l))
			_exit(1);
	}
	exit(0);
}

/* ------------------------------------------------------------------------- */

/* Without this cmocka would catch it, and the child would go on as we do. */
static void crash_at_once(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		signal(signals[i], SIG_DFL);
}

static void kill_mutant(void **state)
{
	const struct mutant *m = *state;
	int status;
	pid_t pid;

	if ((m->scenario == NULL) != under_tsan())
		skip();
	*said = '\0';
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		crash_at_once();
		/* What sanitizers say of it is what we want; not to read it. */
		if (!freopen("/dev/null", "w", stderr))
			_exit(0);
		if (m->scenario)
			run_schedules(m);
		run_threads(m);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	strcpy(killer[m - mutants], said);
	if (m->id == NR_MUTANT_NONE) {
		/* What all of them are compared with. */
		*killer[m - mutants] = '\0';
		assert_int_equal(status, 0);
	} else if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 ||
					 WEXITSTATUS(status) == BROKEN)) {
		*killer[m - mutants] = '\0';
		fail_msg("lives: %s", m->what);
	}
}

static int print_list(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mutants); i++)
		if (*killer[i])
			printf("# killed: %s (%s)\n#     by %s\n",
			       mutants[i].name, mutants[i].what, killer[i]);
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(mutants)];

	/* Each has a test; the first of the enumeration is none. */
	for (int id = 1; id < NR_MUTANT_LAST; id++) {
		int known = 0;

		for (size_t i = 0; i < ARRAY_LEN(mutants); i++)
			known |= (int)mutants[i].id == id;
		if (!known) {
			fprintf(stderr, "mutant %d has no test\n", id);
			return 1;
		}
	}
	said = mmap(NULL, sizeof(killer[0]), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (said == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(mutants); i++)
		tests[i] = (struct CMUnitTest){
			.name = mutants[i].name,
			.test_func = kill_mutant,
			.initial_state = (void *)(uintptr_t)&mutants[i],
		};
	return cmocka_run_group_tests_name("mutants", tests, NULL, print_list);
}
