/* SPDX-License-Identifier: MIT */
/* replica.c - a replica's structure, and applying the log to it */
#include "replica.h"

#include <errno.h>

#include "context.h"

struct replica *replica_alloc(struct nr *nr, uint32_t place)
{
	int node = nr->topology->places[place].memory;
	enum nr_memory how = nr->attr.memory;
	struct replica *r = mem_node_alloc(sizeof(*r), node, how);

	if (!r)
		return NULL;
	r->nr = nr;
	r->log = &nr->log;
	r->update = nr->ops.update;
	r->read = nr->ops.read;
	r->place = place;
	r->node = node;
	r->object_bytes = max_u64(nr->ops.object_size, 1);
	r->object = mem_node_alloc(r->object_bytes, node, how);
	r->items = mem_alloc(nr->attr.batch * sizeof(*r->items));
	if (!r->object || !r->items) {
		replica_free(r);
		return NULL;
	}
	return r;
}

void replica_free(struct replica *r)
{
	rlock_fini(&r->lock);
	mem_free(r->contexts);
	mem_free(r->items);
	mem_node_free(r->object, r->object_bytes);
	mem_node_free(r, sizeof(*r));
}

int replica_init(struct replica *r)
{
	const struct nr_ops *ops = &r->nr->ops;
	struct mem_policy policy;
	int err;

	if (!ops->init)
		return 0;
	mem_policy_set(&policy, r->node, r->nr->attr.memory);
	err = ops->init(r->object, r->nr->attr.arg);
	mem_policy_restore(&policy);
	return err;
}

int replica_clone(struct replica *r, const struct replica *from)
{
	uint64_t ltail = load_relaxed(&from->ltail);
	struct mem_policy policy;
	int err;

	mem_policy_set(&policy, r->node, r->nr->attr.memory);
	err = r->nr->ops.clone(r->object, from->object, r->nr->attr.arg);
	mem_policy_restore(&policy);
	if (mutant(LATE_LTAIL))
		ltail = load_relaxed(&r->log->tail);
	/* Who uses it has found it on the list, under nr->collecting. */
	store_relaxed(&r->ltail, ltail);
	r->stats.applied = from->stats.applied;
	return err;
}

void replica_destroy(struct replica *r)
{
	if (r->nr->ops.fini)
		r->nr->ops.fini(r->object, r->nr->attr.arg);
	replica_free(r);
}

/*
 * Entry @i has been taken by a combiner that has nothing to do before it is
 * written; but it may not have the CPU.
 */
static void wait_alive(const struct log *log, uint64_t i)
{
	struct backoff b = { 0, 0 };

	while (!log_alive(log, i))
		backoff_only(&b);
}

static void apply_one(struct replica *r, uint64_t i, const struct batch *own)
{
	const struct log_entry *e = log_entry(r->log, i);
	void *result = NULL;
	struct item *item = NULL;

	invariant(log_alive(r->log, i));
	invariant(i < load_relaxed(&r->log->head) + r->log->size);
	if (own && i - own->first < own->n) {
		item = &own->items[i - own->first];
		result = item->result;
	}
	r->update(r->object, log_op(r->log, e), e->len, result);
	if (mutant(ANSWER_EARLY) && item && item->slot)
		store_release(&item->slot->state, SLOT_DONE);
}

/*
 * Readers are kept out until the completed tail has moved: one that saw an
 * update before could return, and a read on another replica that begins later
 * would not see it.
 */
void replica_apply(struct replica *r, uint64_t upto, const struct batch *own)
{
	const struct nr_ops *ops = &r->nr->ops;
	/* Relaxed: the gate's owner is the only one who writes it. */
	uint64_t from = load_relaxed(&r->ltail);

	if (from >= upto)
		return;
	/* Readers go on until all is there; what is ours is. */
	for (uint64_t i = from; i < (own ? own->first : upto); i++)
		wait_alive(r->log, i);
	rlock_write_begin(&r->lock);
	if (ops->batch_begin)
		ops->batch_begin(r->object, upto - from);
	for (uint64_t i = from; i < upto; i++) {
		apply_one(r, i, own);
		if (mutant(UNLOCK_EACH)) {
			rlock_write_end(&r->lock);
			rlock_write_begin(&r->lock);
		}
	}
	if (ops->batch_end)
		ops->batch_end(r->object, upto - from);
	log_completed(r->log, upto);
	/* Release pairs with collectors (we have read what may then be
	 * overwritten) and readers. */
	store_release(&r->ltail, upto);
	rlock_write_end(&r->lock);
	stat_add(r->stats.applied, upto - from);
}

void replica_catch_up(struct replica *r)
{
	replica_apply(r, log_done(r->log), NULL);
}
