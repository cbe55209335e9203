/* SPDX-License-Identifier: MIT */
/* update.c - updates and reads: what a program calls all the time */
#include <errno.h>
#include <limits.h>

#include "context.h"

static void drop_copy(struct nr_context *c, const void *op, uint32_t len)
{
	if (log_long(c->log, len))
		mem_free((void *)(uintptr_t)op);
}

/*
 * Somebody else combines, or older ones have to go first: into the slot, and
 * wait until it is done, or do it.
 */
static __attribute__((noinline)) void
update_queued(struct nr_context *c, const void *op, uint32_t len, void *result)
{
	struct replica *r = c->replica;
	struct slot *s = context_sync(c);

	context_fill(c, s, op, len, result != NULL);
	while (gate_or(&r->lock.gate, slot_done(s), &c->reader.waits)) {
		combine(r, NULL);
		gate_unlock(&r->lock.gate);
	}
	if (result)
		memcpy(result, s->data, r->results);
	/* Relaxed: the combiner looks for SLOT_PENDING only. */
	store_relaxed(&s->state, SLOT_FREE);
}

/* Is an asynchronous one waiting to be done? They are done in order. */
static int has_older(const struct nr_context *c)
{
	return !context_is_done(c) && !mutant(OVERTAKE);
}

/*
 * What is in a log entry or a slot is aligned to 8. What is not where the
 * caller has it goes through a slot: the structure's function is promised the
 * same, whoever is the combiner.
 */
static int is_aligned(const void *op, const void *result)
{
	return likely(!(((uintptr_t)op | (uintptr_t)result) & 7));
}

static void clear(void *result, size_t size)
{
	if (likely(size == sizeof(uint64_t)))
		memset(result, 0, sizeof(uint64_t)); /* one store */
	else
		memset(result, 0, size);
}

NR_PUBLIC int nr_update(struct nr_context *c, const void *op, size_t len,
			void *result)
{
	struct replica *r = c->replica;
	struct item own;

	if (unlikely(len > c->log->op_size)) {
		if (len > INT_MAX)
			return -EMSGSIZE;
		if (context_copy(c, &op, len))
			return -ENOMEM;
	}
	if (unlikely(!r->results))
		result = NULL;
	if (has_older(c) || !is_aligned(op, result) ||
	    !gate_try(&r->lock.gate)) {
		update_queued(c, op, (uint32_t)len, result);
		return 0;
	}
	/* Whatever way an update goes, what it does not write is the same. */
	if (result)
		clear(result, r->results);
	own.op = op;
	own.len = (uint32_t)len;
	own.result = result;
	own.slot = NULL;
	combine(r, &own);
	gate_unlock(&r->lock.gate);
	return 0;
}

void context_finish(struct nr_context *c)
{
	struct replica *r = c->replica;

	while (gate_or(&r->lock.gate, context_is_done(c), &c->reader.waits)) {
		combine(r, NULL);
		gate_unlock(&r->lock.gate);
	}
}

__attribute__((noinline)) void context_catch_up(struct nr_context *c,
						uint64_t done)
{
	struct replica *r = c->replica;

	while (gate_or(&r->lock.gate, caught_up(r, done), &c->reader.waits)) {
		replica_catch_up(r);
		stat_add(r->stats.catch_ups, 1);
		gate_unlock(&r->lock.gate);
	}
}

NR_PUBLIC int nr_read(struct nr_context *c, const void *op, size_t len,
		      void *result)
{
	struct replica *r = c->replica;

	if (unlikely(!r->read))
		return -ENOSYS;
	context_read_begin(c);
	r->read(r->object, op, len, result);
	context_read_end(c);
	return 0;
}

NR_PUBLIC void nr_sync(struct nr_context *c)
{
	uint64_t done = log_done(c->log);

	if (!caught_up(c->replica, done))
		context_catch_up(c, done);
}

NR_PUBLIC int nr_submit(struct nr_context *c, const void *op, size_t len,
			void *result, uint64_t tag)
{
	int err;

	if (len > INT_MAX)
		return -EMSGSIZE;
	if (context_copy(c, &op, len))
		return -ENOMEM;
	err = context_submit(c, op, (uint32_t)len, result, tag);
	if (err)
		drop_copy(c, op, (uint32_t)len);
	return err;
}

NR_PUBLIC int nr_poll(struct nr_context *c, uint64_t *tags, unsigned n)
{
	struct replica *r = c->replica;
	unsigned got;

	if (c->head == c->tail)
		return -ENOENT;
	got = context_reap(c, tags, n);
	if (got || !n || !gate_try(&r->lock.gate))
		return (int)got;
	combine(r, NULL);
	gate_unlock(&r->lock.gate);
	return (int)context_reap(c, tags, n);
}

NR_PUBLIC int nr_wait(struct nr_context *c, uint64_t *tags, unsigned n,
		      unsigned min)
{
	struct replica *r = c->replica;
	unsigned got = 0;

	if (c->head == c->tail)
		return -ENOENT;
	if (n > INT_MAX)
		n = INT_MAX;
	if (min > n)
		min = n;
	got = context_reap(c, tags, n);
	while (got < min && c->head != c->tail) {
		const struct slot *s = context_slot(c, c->head);

		if (gate_or(&r->lock.gate, slot_done(s), &c->reader.waits)) {
			combine(r, NULL);
			gate_unlock(&r->lock.gate);
		}
		got += context_reap(c, tags ? tags + got : NULL, n - got);
	}
	return (int)got;
}
