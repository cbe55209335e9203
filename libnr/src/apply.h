/* SPDX-License-Identifier: MIT */
/*
 * apply.h - applying the log to a replica; in a header, because an update that
 * nobody is in the way of does not want to pay for calls
 */
#ifndef NR_APPLY_H
#define NR_APPLY_H

#include "context.h"

static inline void apply_one(struct replica *r, uint64_t i,
			     const struct batch *own)
{
	const struct log_entry *e = log_entry(r->log, i);
	const struct item *item = NULL;

	invariant(log_alive(r->log, i));
	invariant(i < load_relaxed(&r->log->head) + r->log->size);
	if (own && i - own->first < own->n)
		item = &own->items[i - own->first];
	r->update(r->object, log_op(r->log, e), e->len,
		  item ? item->result : NULL);
	if (mutant(ANSWER_EARLY) && item && item->slot)
		store_release(&item->slot->state, SLOT_DONE);
}

static inline void apply_hook(struct replica *r,
			      void (*hook)(void *object, size_t n), uint64_t n)
{
	if (hook)
		hook(r->object, n);
}

/*
 * Combiner: apply the log up to @upto. Results of the entries in @own (may be
 * NULL) are put where its items say. Waits for entries of others that are not
 * alive yet.
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
	if (unlikely(r->hooks))
		apply_hook(r, r->nr->ops.batch_begin, upto - from);
	for (uint64_t i = from; i < upto; i++) {
		apply_one(r, i, own);
		if (mutant(UNLOCK_EACH)) {
			rlock_write_end(&r->lock);
			rlock_write_begin(&r->lock);
		}
	}
	if (unlikely(r->hooks))
		apply_hook(r, r->nr->ops.batch_end, upto - from);
	log_completed(r->log, upto);
	/* Release pairs with collectors (we have read what may then be
	 * overwritten) and readers. */
	store_release(&r->ltail, upto);
	rlock_write_end(&r->lock);
}

#endif
