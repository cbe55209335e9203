/* SPDX-License-Identifier: MIT */
/*
 * apply.h - applying the log to a replica; in a header, because an update that
 * nobody is in the way of does not want to pay for calls
 */
#ifndef NR_APPLY_H
#define NR_APPLY_H

#include "context.h"

static inline const void *apply_op(struct replica *r, uint64_t i, uint32_t *len)
{
	const struct log_entry *e = log_entry(r->log, i);

	invariant(log_alive(r->log, i));
	invariant(i < load_relaxed(&r->log->head) + r->log->size);
	*len = e->len;
	return log_op(r->log, e);
}

/* Entry @i, of somebody else. */
static inline void apply_other(struct replica *r, uint64_t i)
{
	uint32_t len;
	const void *op = apply_op(r, i, &len);

	r->update(r->object, op, len, NULL);
}

/*
 * Entry @i, which is @item. Of an item without a slot the operation is where
 * the caller has it, and is taken from there: so that what the structure loads
 * does not wait for what the log's tail was found to be, and the misses of one
 * update can overlap those of the next. (In a slot the result is written over
 * it.)
 */
static inline void apply_own(struct replica *r, uint64_t i,
			     const struct item *item)
{
	const void *op = item->op;
	uint32_t len = item->len;

	if (item->slot) {
		op = apply_op(r, i, &len);
		/* As nr_update() does where there is no slot. */
		if (item->result)
			memset(item->result, 0, r->results);
	}
	r->update(r->object, op, len, item->result);
	if (mutant(ANSWER_EARLY) && item->slot)
		store_release(&item->slot->state, SLOT_DONE);
}

static inline void apply_unlock_each(struct replica *r)
{
	if (mutant(UNLOCK_EACH)) {
		rlock_write_end(&r->lock);
		rlock_write_begin(&r->lock);
	}
}

static inline void apply_hook(struct replica *r,
			      void (*hook)(void *object, size_t n), uint64_t n)
{
	if (hook)
		hook(r->object, n);
}

/*
 * Where readers go on beside updates, they see one before the batch has ended:
 * so reads elsewhere have to wait for it from now on. Its entries are alive.
 * (The crate of NrOS raises it afterwards, and is not linearizable there.)
 */
static inline void apply_concurrent(struct replica *r, uint64_t upto)
{
	if (r->concurrent && !mutant(CNR_CTAIL_LATE))
		log_completed(r->log, upto);
}

/*
 * Combiner: apply the log up to @upto; which is the end of @own, if that is not
 * NULL: then results are put where its items say. Waits for entries of others
 * that are not alive yet.
 *
 * Readers are kept out until the completed tail has moved: one that saw an
 * update before could return, and a read on another replica that begins later
 * would not see it.
 */
static inline void apply(struct replica *r, uint64_t upto,
			 const struct batch *own)
{
	/* Relaxed: the gate's owner is the only one who writes it. */
	uint64_t from = load_relaxed(&r->ltail);
	uint64_t others = own ? own->first : upto;

	if (from >= upto)
		return;
	/* Readers go on until all is there; what is ours is. */
	if (unlikely(from < others))
		replica_wait_alive(r->log, from, others);
	rlock_write_begin(&r->lock);
	if (unlikely(r->hooks)) {
		apply_concurrent(r, upto);
		apply_hook(r, r->nr->ops.batch_begin, upto - from);
	}
	for (uint64_t i = from; i < others; i++) {
		apply_other(r, i);
		apply_unlock_each(r);
	}
	for (uint32_t k = 0; own && k < own->n; k++) {
		apply_own(r, own->first + k, &own->items[k]);
		apply_unlock_each(r);
	}
	if (unlikely(r->hooks))
		apply_hook(r, r->nr->ops.batch_end, upto - from);
	log_completed(r->log, upto);
	/* Release pairs with collectors (we have read what may then be
	 * overwritten) and readers. */
	store_release_or_relaxed(&r->ltail, upto, RELAXED_LTAIL);
	rlock_write_end(&r->lock);
}

#endif
