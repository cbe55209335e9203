/* SPDX-License-Identifier: MIT */
/*
 * nr_cnr_scenario.c - several logs under schedules
 *
 * Updates and reads of one cell, of two and of all, in logs of four entries.
 * Looked at: Is there an order of all operations that explains their results?
 * Do replicas do the same in the same order, each once? Does everybody end?
 */
#include "nr_scenario.h"

#include <string.h>

#include "cnr.h"
#include "nr_cnr_object.h"
#include "nr_sched.h"
#include "nr_watch.h"

#define FIBERS 4
#define STEPS 4
#define EVENTS 64

struct config {
	struct cnr_test test;
	uint32_t spread; /* replicas that the fibers use, of two */
	int adds;	 /* the first one adds replicas, and removes them */
};

static struct {
	const struct config *config;
	struct nr_cnr *cnr;
	uint64_t now, sum;
	struct event events[EVENTS];
	size_t n;
} run;

struct actor {
	uint64_t random;
	unsigned number;
};

static void keep(const struct event *e)
{
	if (e->op[0] == CNR_ADD)
		run.sum += e->op[2];
	if (e->op[0] == CNR_ADD_ALL)
		run.sum += CNR_CELLS * e->op[2];
	sched_check(run.n < EVENTS);
	run.events[run.n++] = *e;
}

static void step_async(struct actor *a, struct nr_cnr_context *c)
{
	struct event e[2] = { { .begin = ++run.now }, { .begin = ++run.now } };
	struct cnr_test_op op[2];
	uint64_t result[2];

	cnr_test_pair(c, &a->random, op, result);
	for (unsigned k = 0; k < 2; k++) {
		e[k].op[0] = CNR_ADD;
		e[k].op[1] = op[k].cell;
		e[k].op[2] = op[k].value;
		e[k].result = result[k];
		e[k].end = ++run.now;
		keep(&e[k]);
	}
}

static void step(struct actor *a, struct nr_cnr_context *c)
{
	struct event e = { .begin = ++run.now };
	struct cnr_test_op op;

	if (sched_random(&a->random) % 5 == 0) {
		step_async(a, c);
		return;
	}
	cnr_test_step(&run.config->test, c, &a->random, &op, &e.result);
	e.op[0] = op.kind;
	e.op[1] = op.other * CNR_CELLS + op.cell;
	e.op[2] = op.value;
	e.end = ++run.now;
	keep(&e);
}

static struct nr_cnr_context *join(uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_cnr_context *c = NULL;

	attr.replica = replica;
	sched_check(nr_cnr_register(run.cnr, &attr, &c) == 0);
	sched_check(nr_cnr_context_replica(c) == replica);
	return c;
}

static void use(void *arg)
{
	struct actor *a = arg;
	struct nr_cnr_context *c = join(1 + a->number % run.config->spread);

	for (int i = 0; i < STEPS; i++)
		step(a, c);
	nr_cnr_leave(c);
}

static void come_and_go(void *arg)
{
	struct nr_cnr_context *c;
	int id;

	for (int i = 0; i < 2; i++) {
		id = nr_cnr_replica_add(run.cnr, -1);
		sched_check(id > 2);
		c = join((uint32_t)id);
		for (int k = 0; k < 2; k++)
			step(arg, c);
		sched_check(nr_cnr_replica_remove(run.cnr, (uint32_t)id) ==
			    -EBUSY);
		nr_cnr_leave(c);
		sched_check(nr_cnr_replica_remove(run.cnr, (uint32_t)id) == 0);
	}
}

/* Parts that are at the same place of a log have done the same of it. */
static void same_parts(const struct nr *log, uint32_t number)
{
	const struct replica *first = log->replicas;

	for (const struct replica *r = first; r; r = r->next)
		if (r->ltail == first->ltail && !r->lock.writer &&
		    !first->lock.writer &&
		    !cnr_test_same(r->object, first->object, number))
			sched_fail("log %u: replicas %u and %u differ at %llu",
				   number, first->id, r->id,
				   (unsigned long long)r->ltail);
}

static void invariants(void *arg)
{
	char name[] = "log 0";

	(void)arg;
	for (uint32_t i = 0; i < run.config->test.logs; i++) {
		name[4] = (char)('0' + i);
		watch_log(run.cnr->logs[i], name);
		same_parts(run.cnr->logs[i], i);
	}
}

static int make(const struct config *config, uint64_t log_size)
{
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_cnr_ops ops = cnr_test_ops;

	sched_mapped(1);
	memset(&run, 0, sizeof(run));
	run.config = config;
	nr.topology = "2x1";
	nr.log_size = log_size;
	nr.arg = (void *)(uintptr_t)&config->test;
	attr.nr = &nr;
	attr.logs = config->test.logs;
	ops.flags = config->test.flags;
	return nr_cnr_create(&ops, &attr, &run.cnr);
}

static const char *end(const char *bad)
{
	if (!bad)
		bad = cnr_test_equal(run.cnr, run.sum);
	if (nr_cnr_destroy(run.cnr) && !bad)
		bad = "contexts are left";
	return !bad && sched_mapped(0) ? "memory is left" : bad;
}

/* Each operation is counted once, also reads that went through the logs. */
static int is_counted(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < run.config->test.logs; i++) {
		struct nr_replica_stats r[2] = { { .size = sizeof(r[0]) } };
		struct nr_stats s = { .size = sizeof(s) };

		nr_stats(nr_cnr_log(run.cnr, i), &s, r, 2);
		for (int k = 0; k < 2; k++)
			n += r[k].updates + r[k].reads;
	}
	/* What the replicas that are gone have counted is, too. */
	return n == run.n || run.config->adds;
}

static const char *run_cnr(const struct config *config, uint64_t seed)
{
	struct sched_fiber fibers[FIBERS];
	struct actor actors[FIBERS];
	const char *bad;

	if (make(config, 4 << seed % 2))
		return "not made";
	for (unsigned i = 0; i < FIBERS; i++) {
		actors[i] = (struct actor){ seed * FIBERS + i, i };
		fibers[i] = (struct sched_fiber){
			config->adds && !i ? come_and_go : use, &actors[i]
		};
	}
	sched_watch(scenario_invariants ? invariants : NULL, NULL);
	bad = sched_run(seed, fibers, FIBERS);
	sched_watch(NULL, NULL);
	if (bad)
		return bad;
	bad = history_check(&cnr_test_model, run.events, run.n);
	return end(!bad && !is_counted() ? "not counted" : bad);
}

const char *scenario_cnr(uint64_t seed)
{
	static const struct config config = { { 2, 0, 0 }, 2, 0 };

	return run_cnr(&config, seed);
}

const char *scenario_cnr_three(uint64_t seed)
{
	static const struct config config = { { 3, 0, 0 }, 2, 0 };

	return run_cnr(&config, seed);
}

const char *scenario_cnr_concurrent(uint64_t seed)
{
	static const struct config config = { { 2, NR_CNR_CONCURRENT, 1 },
					      2,
					      0 };

	return run_cnr(&config, seed);
}

const char *scenario_cnr_idle(uint64_t seed)
{
	static const struct config config = { { 2, 0, 0 }, 1, 0 };

	return run_cnr(&config, seed);
}

const char *scenario_cnr_replicas(uint64_t seed)
{
	static const struct config config = { { 2, 0, 0 }, 2, 1 };

	return run_cnr(&config, seed);
}
