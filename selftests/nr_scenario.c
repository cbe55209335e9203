/* SPDX-License-Identifier: MIT */
#include "nr_scenario.h"

#include <stdio.h>
#include <string.h>

#include "nr_sched.h"
#include "nr_watch.h"
#include "replica.h"

/* ---- the load ----------------------------------------------------------- */

static uint64_t clock_now;

/* Only one fiber runs: so no two events are at the same time. */
static uint64_t tick(void)
{
	return ++clock_now;
}

int scenario_invariants = 1;

/* A replica has applied the log up to where it says, and nothing else. */
static void invariants(void *arg)
{
	const struct nr *nr = ((struct load *)arg)->nr;

	watch_log(nr, "log");
	for (const struct replica *r = nr->replicas; r; r = r->next) {
		const struct load_object *o = r->object;

		if (!r->lock.writer && (o->busy || o->version != r->ltail))
			sched_fail("replica %u: at %llu, ltail %llu", r->id,
				   (unsigned long long)o->version,
				   (unsigned long long)r->ltail);
	}
}

static const char *run_load(const struct load_attr *attr, uint64_t seed)
{
	struct sched_fiber fibers[LOAD_THREADS];
	static struct load l;
	const char *bad;

	l.now = tick;
	l.fail = sched_fail;
	load_begin(&l, attr, seed);
	for (uint32_t i = 0; i < attr->threads; i++)
		fibers[i] = (struct sched_fiber){ load_thread, &l.threads[i] };
	sched_watch(scenario_invariants ? invariants : NULL, &l);
	bad = sched_run(seed, fibers, attr->threads);
	sched_watch(NULL, NULL);
	return bad ? bad : load_end(&l);
}

/* ---- the reader lock alone ---------------------------------------------- */

#define LOCK_FIBERS 4
#define LOCK_ROUNDS 4

static struct {
	struct nr_rwlock *lock;
	struct nr_reader *reader[2];
	unsigned reading, writing;
} shared;

static void read_rounds(void *arg)
{
	struct nr_reader *r = *(struct nr_reader **)arg;

	struct reader *inner = (struct reader *)r;

	for (int i = 0; i < LOCK_ROUNDS; i++) {
		inner->since = UINT32_MAX;
		nr_read_lock(r);
		/* If it has waited: those that went before it since then. */
		if (inner->since != UINT32_MAX)
			sched_check(inner->lock->section - inner->since <=
				    RLOCK_BYPASS + 1);
		shared.reading++;
		sched_check(!shared.writing);
		nr_test_point();
		sched_check(!shared.writing);
		shared.reading--;
		nr_read_unlock(r);
	}
}

static void write_rounds(void *arg)
{
	(void)arg;
	for (int i = 0; i < 4 * LOCK_ROUNDS; i++) {
		nr_write_lock(shared.lock);
		sched_check(!shared.reading && !shared.writing);
		shared.writing++;
		nr_test_point();
		sched_check(!shared.reading);
		shared.writing--;
		nr_write_unlock(shared.lock);
	}
}

static const char *run_rwlock(uint64_t seed)
{
	struct sched_fiber fibers[LOCK_FIBERS];
	const char *bad;

	memset(&shared, 0, sizeof(shared));
	if (nr_rwlock_create(&shared.lock))
		return "no lock";
	for (unsigned i = 0; i < LOCK_FIBERS; i++) {
		if (i < 2 && nr_rwlock_join(shared.lock, &shared.reader[i]))
			return "no reader";
		fibers[i] = i < 2 ? (struct sched_fiber){ read_rounds,
							  &shared.reader[i] }
				  : (struct sched_fiber){ write_rounds, NULL };
	}
	bad = sched_run(seed, fibers, LOCK_FIBERS);
	if (bad)
		return bad;
	if (nr_rwlock_destroy(shared.lock) == 0)
		return "destroyed under its readers";
	nr_rwlock_leave(shared.reader[0]);
	nr_rwlock_leave(shared.reader[1]);
	return nr_rwlock_destroy(shared.lock) ? "not destroyed" : NULL;
}

/* ---- reads while the combiner lock is held ------------------------------ */

static struct nr *inspected;
static struct nr_context *looking;
static int has_read;

static void read_once(void *arg)
{
	struct load_op op = { .cell = 0 };
	struct load_result r = { 0, 0 };

	(void)arg;
	sched_check(nr_read(looking, &op, sizeof(op), &r) == 0 && r.at == 2);
	has_read = 1;
}

/* Whoever wants to read this replica must be able to, though we have its
 * lock.*/
static int wait_for_read(uint32_t replica, const void *object, void *arg)
{
	(void)object;
	(void)arg;
	while (replica == 1 && !has_read)
		nr_test_idle();
	return 0;
}

static void inspect(void *arg)
{
	(void)arg;
	nr_inspect(inspected, wait_for_read, NULL);
}

/* Who clones it has its lock, too. */
static int clone_for_long(void *object, const void *from, void *arg)
{
	wait_for_read(1, from, arg);
	return load_ops.clone(object, from, arg);
}

static void add(void *arg)
{
	(void)arg;
	sched_check(nr_replica_add(inspected, 0) == 3);
}

static const char *run_beside(uint64_t seed, void (*holds)(void *arg))
{
	const struct sched_fiber fibers[] = { { read_once, NULL },
					      { holds, NULL } };
	struct nr_ops ops = load_ops;
	struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;
	struct nr_attr attr = NR_ATTR_INIT;
	struct load_op op = { .id = 1 };
	struct nr_context *other;
	const char *bad;

	attr.topology = "2x1";
	cattr.replica = 1;
	ops.clone = clone_for_long;
	if (nr_create(&ops, &attr, &inspected) ||
	    nr_register(inspected, &cattr, &looking))
		return "not made";
	cattr.replica = 2;
	if (nr_register(inspected, &cattr, &other))
		return "not registered";
	/* The first replica lags behind. */
	for (int i = 0; i < 2; i++)
		if (nr_update(other, &op, offsetof(struct load_op, pad), NULL))
			return "not updated";
	has_read = 0;
	bad = sched_run(seed, fibers, 2);
	if (bad)
		return bad;
	nr_leave(looking);
	nr_leave(other);
	bad = load_equal(inspected, 2);
	if (nr_destroy(inspected))
		bad = "contexts are left";
	return bad;
}

static const char *run_inspect(uint64_t seed)
{
	return run_beside(seed, inspect);
}

static const char *run_clone(uint64_t seed)
{
	return run_beside(seed, add);
}

/* ------------------------------------------------------------------------- */

#define SMALL .log_size = 4, .keep = 1
#define PAIRS .log_size = 8, .batch = 2, .keep = 1

const struct scenario scenarios[] = {
	/* That of bug 1: log of 4, 3 threads, 2 replicas */
	{ "reads and updates",
	  { SMALL, .replicas = 2, .threads = 3, .steps = 5, .reads = 50 },
	  NULL },
	{ "reads beside combiners",
	  { .log_size = 32,
	    .keep = 1,
	    .replicas = 2,
	    .threads = 5,
	    .steps = 4,
	    .reads = 40,
	    .submits = 40 },
	  NULL },
	{ "updates of one replica",
	  { SMALL, .replicas = 1, .threads = 4, .steps = 4 },
	  NULL },
	{ "updates of two replicas",
	  { SMALL, .replicas = 2, .threads = 4, .steps = 5 },
	  NULL },
	{ "three replicas",
	  { SMALL, .replicas = 3, .threads = 3, .steps = 6, .reads = 30,
	    .syncs = 10 },
	  NULL },
	{ "long operations",
	  { SMALL, .replicas = 2, .threads = 3, .steps = 6, .reads = 10,
	    .longs = 50 },
	  NULL },
	{ "asynchronous updates",
	  { SMALL, .replicas = 2, .threads = 3, .steps = 3, .reads = 20,
	    .submits = 60, .longs = 10 },
	  NULL },
	{ "batches",
	  { .log_size = 16,
	    .keep = 1,
	    .replicas = 2,
	    .threads = 4,
	    .steps = 4,
	    .reads = 20,
	    .submits = 40 },
	  NULL },
	/* Batches of more than one that fill the log */
	{ "batches of two in a log of eight",
	  { PAIRS, .replicas = 2, .threads = 4, .steps = 5, .reads = 20,
	    .submits = 40, .longs = 10 },
	  NULL },
	{ "batches of one replica",
	  { PAIRS, .replicas = 1, .threads = 4, .steps = 5, .submits = 50 },
	  NULL },
	{ "batches beside an idle replica",
	  { PAIRS, .replicas = 2, .spread = 1, .threads = 3, .idlers = 1,
	    .steps = 6, .reads = 20, .submits = 50 },
	  NULL },
	{ "batches, replicas come and go",
	  { PAIRS, .replicas = 2, .threads = 3, .steps = 6, .reads = 20,
	    .submits = 40, .adds = 2 },
	  NULL },
	/* Nobody calls on the second replica. */
	{ "an idle replica",
	  { SMALL, .replicas = 2, .spread = 1, .threads = 3, .idlers = 1,
	    .steps = 8, .reads = 20 },
	  NULL },
	{ "replicas come and go",
	  { SMALL, .replicas = 2, .threads = 3, .steps = 12, .reads = 20,
	    .adds = 2 },
	  NULL },
	{ "contexts come and go",
	  { SMALL, .replicas = 2, .threads = 3, .steps = 6, .reads = 30,
	    .submits = 20, .joins = 4 },
	  NULL },
	{ "reader lock", { 0 }, run_rwlock },
	{ "reads while a replica is inspected", { 0 }, run_inspect },
	{ "reads while a replica is cloned", { 0 }, run_clone },
	{ "a map", { 0 }, scenario_map },
	{ "a map, polled", { 0 }, scenario_map_poll },
	{ "an ordered map", { 0 }, scenario_omap },
	{ "a queue", { 0 }, scenario_queue },
	{ "an address space", { 0 }, scenario_vspace },
	{ "few pages of an address space", { 0 }, scenario_vspace_few },
	{ "a file system", { 0 }, scenario_memfs },
	{ "two logs", { 0 }, scenario_cnr },
	{ "three logs", { 0 }, scenario_cnr_three },
	{ "two logs, reads beside updates", { 0 }, scenario_cnr_concurrent },
	{ "two logs, an idle replica", { 0 }, scenario_cnr_idle },
	{ "two logs, replicas come and go", { 0 }, scenario_cnr_replicas },
	{ "two logs, help beside a combiner", { 0 }, scenario_cnr_help },
	{ "two logs, two who help", { 0 }, scenario_cnr_help_both },
	{ "two logs, a replica goes", { 0 }, scenario_cnr_goes },
	{ "two logs, asynchronous", { 0 }, scenario_cnr_in_order },
	{ "two logs, no room", { 0 }, scenario_cnr_full },
	{ "two logs, gone round", { 0 }, scenario_cnr_round },
	{ NULL, { 0 }, NULL },
};

const struct scenario *scenario_find(const char *name)
{
	const struct scenario *s = scenarios;

	while (s->name && strcmp(s->name, name))
		s++;
	return s->name ? s : NULL;
}

const char *scenario_run(const struct scenario *s, uint64_t seed)
{
	return s->run ? s->run(seed) : run_load(&s->load, seed);
}
