/* SPDX-License-Identifier: MIT */
/*
 * collect.c - when the log is full
 *
 * Nobody who waits for room waits idly. He applies the log to his own replica,
 * for he may be the one whom the others wait for. He looks how far all replicas
 * are, which gives the new head. And where one lags behind whose combiner lock
 * is free, no thread of that replica may call for a long time: then he takes
 * that lock and brings it forward himself. If the lock is not free, its owner
 * is a combiner, who is on the way to do the same, or somebody who clones or
 * inspects the replica, and has to be waited for. Locks of others are only
 * tried, never waited for, so there is no deadlock; entries up to the completed
 * tail are applied, which are all alive, so there is nothing else to wait for.
 */
#include "replica.h"

/*
 * Not all at once: this is time that one update takes longer. The next one that
 * finds the log full goes on.
 */
static uint64_t help_max(const struct nr *nr)
{
	return max_u64(nr->log.size / 16, nr->attr.batch);
}

/* Find the head. Return: a replica that is there, if its gate could be got. */
static struct replica *collect(struct nr *nr, struct replica *me)
{
	uint64_t head = UINT64_MAX;
	struct replica *slowest = NULL;

	for (struct replica *r = nr->replicas; r; r = r->next) {
		/* Acquire pairs with apply(); see log_take(). */
		uint64_t ltail = load_acquire(&r->ltail);

		if (mutant(HEAD_FIRST) && r != me)
			continue;
		if (ltail < head) {
			head = ltail;
			slowest = r;
		}
	}
	if (head > load_relaxed(&nr->log.head)) {
		log_collected(&nr->log, head);
		return NULL; /* there is room */
	}
	if (slowest == me || mutant(NO_HELP))
		return NULL;
	if (nr->parts && !nr->parts->may_help(slowest))
		return NULL;
	return gate_try_as(&slowest->lock.gate, GATE_HELD | GATE_HELPED)
		       ? slowest
		       : NULL;
}

static void help(struct replica *r, const struct replica *me)
{
	uint64_t from = load_relaxed(&r->ltail);
	/* What the user's functions allocate is to lie on that node. */
	int node = r->node == me->node ? -1 : r->node;
	struct mem_policy policy;
	uint64_t most = help_max(r->nr);
	uint64_t upto = min_u64(log_done(r->log), from + most);

	mem_policy_set(&policy, node, r->nr->attr.memory);
	if (r->nr->parts)
		r->nr->parts->help(r, upto, most);
	else
		replica_apply(r, upto);
	mem_policy_restore(&policy);
	stat_add(r->stats.helped, 1);
}

/*
 * Of a structure with several logs not only what has been done: it may be the
 * others that wait for us, at an entry that is in their log and in ours
 * (cnr.h).
 */
static void apply_all_there_is(struct replica *r)
{
	uint64_t upto = load_relaxed(&r->ltail);
	uint64_t tail = load_relaxed(&r->log->tail);

	while (upto < tail && log_alive(r->log, upto))
		upto++;
	replica_apply(r, upto);
}

void replica_make_room(struct replica *r)
{
	struct nr *nr = r->nr;
	struct replica *slowest;

	stat_add(r->stats.full, 1);
	if (nr->parts && !mutant(CNR_FULL_BEHIND))
		apply_all_there_is(r);
	else if (!mutant(FULL_NO_APPLY))
		replica_catch_up(r);
	if (!gate_try(&nr->collecting))
		return; /* somebody else is at it */
	slowest = collect(nr, r);
	gate_unlock(&nr->collecting);
	stat_add(r->stats.collects, 1);
	if (slowest) {
		help(slowest, r);
		gate_unlock(&slowest->lock.gate);
	}
}
