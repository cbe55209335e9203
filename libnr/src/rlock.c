/* SPDX-License-Identifier: MIT */
#include "rlock.h"

#include <errno.h>

#include "mem.h"

/*
 * Have we been let in? Otherwise, is there no writer any more, so that we can
 * try again?
 */
static int may_try(struct reader *r, struct rlock *l)
{
	/* Acquire pairs with the writer's exchange in let_in(). */
	return load_acquire(&r->state) == READER_READING ||
	       load_relaxed(&l->writer) == 0;
}

/* Until may_try(); asleep if it takes long. */
static void wait_for_writer(struct reader *r, struct rlock *l)
{
	struct backoff b = { 0, 0 };

	while (!may_try(r, l)) {
		uint32_t seen;

		if (backoff(&b))
			continue;
		seen = gate_announce(&l->gate);
		/* No owner: the writer's section has ended, too. */
		if (!seen || may_try(r, l))
			continue;
		stat_add(r->waits.parks, 1);
		futex_wait(&l->gate.word, seen);
	}
	stat_add(r->waits.yields, b.yields);
}

void rlock_read_wait(struct reader *r, struct rlock *l)
{
	uint32_t waiting;

	store_relaxed(&r->since, load_relaxed(&l->section));
	for (;;) {
		/* We said that we read, and find that we must not: give way.
		 * Release pairs with overdue(), for since. */
		store_release(&r->state, READER_WAITING);
		wait_for_writer(r, l);
		waiting = READER_WAITING;
		/* This and the load: as in rlock_read_begin(). */
		if (!cas_seq_cst(&r->state, &waiting, READER_READING)) {
			/* Let in; acquire pairs with let_in(). */
			load_acquire(&r->state);
			return;
		}
		if (!load_seq_cst(&l->writer))
			return;
	}
}

/* Its state has been seen waiting, with acquire: so since is from then. */
static int overdue(struct reader *r, uint32_t section)
{
	return section - load_relaxed(&r->since) > RLOCK_BYPASS &&
	       !mutant(STARVE);
}

/* A reader that has waited for long enough reads now, whether it is awake or
 * not; it must be, for we are going to wait for it. */
static void let_in(struct reader *r, struct rlock *l)
{
	uint32_t waiting = READER_WAITING;

	/* Release pairs with the loads in may_try() and rlock_read_wait(): the
	 * reader sees what writers before us have written. */
	if (cas_acq_rel(&r->state, &waiting, READER_READING) &&
	    !mutant(GRANT_ASLEEP))
		gate_news(&l->gate);
}

void rlock_write_wait(struct rlock *l, struct reader *r, uint32_t section)
{
	struct backoff b = { 0, 0 };
	uint32_t state;

	/* As in rlock_write_begin(). */
	while ((state = load_seq_cst(&r->state)) != READER_AWAY) {
		if (state == READER_WAITING) {
			if (!overdue(r, section))
				break;
			let_in(r, l);
			continue;
		}
		if (mutant(WRITER_BLIND))
			break;
		backoff_only(&b);
	}
}

int rlock_add(struct rlock *l, struct reader *r, int node, enum nr_memory how)
{
	if (l->n == l->cap) {
		struct reader **more =
			mem_node_more(l->readers, &l->cap, node, how);

		if (!more)
			return -ENOMEM;
		l->readers = more;
	}
	r->lock = l;
	l->readers[l->n++] = r;
	return 0;
}

void rlock_del(struct rlock *l, struct reader *r)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->readers[i] == r) {
			l->readers[i] = l->readers[--l->n];
			return;
		}
}

void rlock_fini(struct rlock *l)
{
	mem_node_free_array(l->readers, l->cap);
}
