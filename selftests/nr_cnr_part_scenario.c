/* SPDX-License-Identifier: MIT */
/*
 * nr_cnr_part_scenario.c - parts of replicas under schedules: who waits for
 * whom
 *
 * Two replicas of a structure with two logs of four entries, whose parts are
 * held, applied and helped by hand.
 */
#include "nr_scenario.h"

#include "cnr.h"
#include "nr_cnr_object.h"
#include "nr_sched.h"

static struct nr_cnr *cnr;
static struct nr_cnr_context *second; /* on the second replica */
static uint64_t sum;
static int through;

static struct nr_cnr_context *join(uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_cnr_context *c = NULL;

	attr.replica = replica;
	sched_check(nr_cnr_register(cnr, &attr, &c) == 0);
	return c;
}

static int make(void)
{
	static const struct cnr_test two_logs = { 2, 0, 0 };
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	int err;

	sched_mapped(1);
	nr.topology = "2x1";
	nr.log_size = 4;
	nr.arg = (void *)(uintptr_t)&two_logs;
	attr.nr = &nr;
	attr.logs = two_logs.logs;
	err = nr_cnr_create(&cnr_test_ops, &attr, &cnr);
	if (err)
		return err;
	second = join(2);
	through = 0;
	sum = 0;
	return 0;
}

static const char *end(void)
{
	const char *bad;

	nr_cnr_leave(second);
	bad = cnr_test_equal(cnr, sum);
	if (nr_cnr_destroy(cnr) && !bad)
		bad = "contexts are left";
	return !bad && sched_mapped(0) ? "memory is left" : bad;
}

static struct replica *part(uint32_t replica, uint32_t log)
{
	struct cnr_replica *r = cnr->replicas;

	while (r->id != replica)
		r = r->next;
	return r->parts[log];
}

/* In both logs, by a thread of the second replica. */
static void update_all(void *arg)
{
	const struct cnr_test_op op = { .kind = CNR_ADD_ALL, .value = 1 };

	(void)arg;
	sched_check(nr_cnr_update(second, &op, sizeof(op), NULL) == 0);
	sum += CNR_CELLS;
}

static void hold(uint32_t replica, uint32_t log)
{
	gate_lock(&part(replica, log)->lock.gate);
	while (!through)
		nr_test_idle();
	gate_unlock(&part(replica, log)->lock.gate);
}

static const char *run_two(uint64_t seed, const struct sched_fiber *fibers,
			   unsigned n)
{
	const char *bad;

	if (make())
		return "not made";
	bad = sched_run(seed, fibers, n);
	return bad ? bad : end();
}

static void hold_other(void *arg)
{
	(void)arg;
	hold(1, 1);
}

/* Who helps in one log comes back, though he cannot get the other. */
static void help(void *arg)
{
	struct replica *r = part(1, 0);

	update_all(arg);
	gate_lock(&r->lock.gate);
	cnr_help(r, log_done(r->log), UINT64_MAX);
	gate_unlock(&r->lock.gate);
	through = 1;
}

const char *scenario_cnr_help(uint64_t seed)
{
	static const struct sched_fiber fibers[] = { { hold_other, NULL },
						     { help, NULL } };

	return run_two(seed, fibers, 2);
}

/* A combiner that finds no room: until the others are through. */
static void find_no_room(void *arg)
{
	struct replica *r = part(1, 0);

	(void)arg;
	gate_lock(&r->lock.gate);
	while (!through) {
		replica_make_room(r);
		nr_test_idle();
	}
	gate_unlock(&r->lock.gate);
}

/* ... and the other part of that replica, which waits for him. */
static void come_to_it(void *arg)
{
	struct replica *r = part(1, 1);

	(void)arg;
	gate_lock(&r->lock.gate);
	replica_apply(r, 1);
	gate_unlock(&r->lock.gate);
	through = 1;
}

/* So that it is not done on its own replica first. */
static void hold_second(void *arg)
{
	(void)arg;
	hold(2, 0);
}

const char *scenario_cnr_full(uint64_t seed)
{
	static const struct sched_fiber fibers[] = { { hold_second, NULL },
						     { find_no_room, NULL },
						     { come_to_it, NULL },
						     { update_all, NULL } };

	return run_two(seed, fibers, 4);
}

/* Round the log of the first cell, so that what was in it is freed. */
static void go_round(void *replica)
{
	const struct cnr_test_op op = { .kind = CNR_ADD, .value = 1 };
	struct nr_cnr_context *c = join((uint32_t)(uintptr_t)replica);

	for (int i = 0; i < 10; i++) {
		sched_check(nr_cnr_update(c, &op, sizeof(op), NULL) == 0);
		sum++;
	}
	nr_cnr_leave(c);
}

/* One of these is left behind when it has been written, for as long. */
static void update_all_often(void *arg)
{
	for (int i = 0; i < 4; i++)
		update_all(arg);
}

const char *scenario_cnr_round(uint64_t seed)
{
	static const struct sched_fiber fibers[] = { { go_round, (void *)1 },
						     { go_round, (void *)2 },
						     { update_all_often,
						       NULL } };

	return run_two(seed, fibers, 3);
}

/* ---- two who help ------------------------------------------------------- */

/* As who finds no room in that log, on the second replica. */
static void help_once(void *log)
{
	struct replica *r = part(2, (uint32_t)(uintptr_t)log);

	gate_lock(&r->lock.gate);
	replica_make_room(r);
	gate_unlock(&r->lock.gate);
}

/*
 * The first replica stands at an operation in both logs. Two come to help, each
 * by another log, and once: one of them gets there.
 */
const char *scenario_cnr_help_both(uint64_t seed)
{
	static const struct sched_fiber fibers[] = { { help_once, (void *)0 },
						     { help_once, (void *)1 } };
	const char *bad;

	if (make())
		return "not made";
	update_all(NULL);
	bad = sched_run(seed, fibers, 2);
	if (bad)
		return bad;
	for (uint32_t log = 0; log < 2; log++)
		if (part(1, log)->ltail != 1)
			return "nobody got there";
	return end();
}

/* ---- a replica goes ----------------------------------------------------- */

static void remove_first(void *arg)
{
	(void)arg;
	sched_check(nr_cnr_replica_remove(cnr, 1) == 0);
}

/*
 * The first replica, which nobody uses, stands at an operation in both logs and
 * is removed, while somebody helps it by the second log, and the first one,
 * where that operation leads, goes round.
 */
const char *scenario_cnr_goes(uint64_t seed)
{
	static const struct sched_fiber fibers[] = { { remove_first, NULL },
						     { help_once, (void *)1 },
						     { go_round, (void *)2 } };
	const char *bad;

	if (make())
		return "not made";
	update_all(NULL);
	bad = sched_run(seed, fibers, 3);
	return bad ? bad : end();
}

/* ---- in order ----------------------------------------------------------- */

/* One thread's: asynchronous ones, and then one in both logs. */
static void submit_and_update(void *arg)
{
	struct cnr_test_op op = { .kind = CNR_ADD, .value = 3 };
	uint64_t first = 9, other = 9, all = 9;

	(void)arg;
	sched_check(nr_cnr_submit(second, &op, sizeof(op), &first, 1) == 0);
	op.cell = 1;
	sched_check(nr_cnr_submit(second, &op, sizeof(op), &other, 2) == 0);
	op.kind = CNR_ADD_ALL;
	sched_check(nr_cnr_update(second, &op, sizeof(op), &all) == 0);
	sched_check(all == 6);
	sched_check(nr_cnr_poll(second, NULL, 9) == 2);
	sched_check(first == 0 && other == 0);
	sum += 6 + 3 * CNR_CELLS;
}

/* ... of the same replica, in whose batches they may be. */
static void read_beside(void *arg)
{
	const struct cnr_test_op op = { .kind = CNR_SUM };
	struct nr_cnr_context *c = join(2);
	uint64_t was = 0, now;

	(void)arg;
	for (int i = 0; i < 4; i++) {
		sched_check(nr_cnr_read(c, &op, sizeof(op), &now) == 0);
		sched_check(now >= was);
		was = now;
	}
	nr_cnr_leave(c);
}

const char *scenario_cnr_in_order(uint64_t seed)
{
	static const struct sched_fiber fibers[] = {
		{ submit_and_update, NULL },
		{ read_beside, NULL },
	};

	return run_two(seed, fibers, 2);
}
