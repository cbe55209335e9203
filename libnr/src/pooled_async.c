/* SPDX-License-Identifier: MIT */
/*
 * pooled_async.c - asynchronous updates of replicated structures with a pool
 *
 * One that found no room is not done again by us: those that were submitted
 * after it have been done. Room is made when it is reaped, and the program is
 * told. Who polls makes room only if nobody is in his way (pooled_grow.c);
 * otherwise somebody else is at it, or the structure's replicas come or go.
 */
#include <errno.h>
#include <limits.h>

#include "context.h"
#include "pooled.h"

static uint32_t ring(const struct pooled_context *c)
{
	return c->context->mask + 1;
}

int pooled_submit(struct pooled_context *c, const struct pooled_op *head,
		  const void *key, const void *value, size_t bytes,
		  uint64_t tag)
{
	_Alignas(8) unsigned char small[POOLED_SMALL];
	struct pooled_ticket *t;
	struct pooled_op *op;
	int err;

	if (!c->tickets) {
		c->tickets = mem_alloc(ring(c) * sizeof(*t));
		if (!c->tickets)
			return -ENOMEM;
	}
	op = pooled_make(small, head, key, value);
	if (!op)
		return -ENOMEM;
	t = &c->tickets[c->submitted % ring(c)];
	err = nr_submit(c->context, op, pooled_len(op), &t->result,
			c->submitted);
	pooled_unmake(small, op);
	if (err)
		return err; /* the ticket may be another one's */
	t->tag = tag;
	t->bytes = bytes;
	c->submitted++;
	return 0;
}

/* @i has been reaped. */
static void finish(struct pooled_context *c, uint64_t i, struct nr_done *done,
		   enum pooled_way way)
{
	struct pooled_ticket *t = &c->tickets[i % ring(c)];
	int ret = t->result.ret;

	if (ret == -ENOMEM) {
		ret = pooled_grow(c, t->bytes, t->result.wants, way);
		if (!ret)
			ret = -EAGAIN;
	} else if (ret >= 0 && t->result.wants) {
		pooled_extra(c, way);
	}
	if (done)
		*done = (struct nr_done){ t->tag, ret, 0 };
}

/* At most so many tags at a time. */
#define TAGS 64u

/* What has been answered, at most @n; after the @got that @tags has. Return:
 * how many in all. */
static int reap(struct pooled_context *c, struct nr_done *done, unsigned n,
		uint64_t *tags, unsigned got, enum pooled_way way)
{
	unsigned all = 0;

	while (got) {
		for (unsigned i = 0; i < got; i++, all++)
			finish(c, tags[i], done ? done + all : NULL, way);
		got = context_reap(c->context, tags,
				   (unsigned)min_u64(n - all, TAGS));
	}
	return (int)all;
}

int pooled_poll(struct pooled_context *c, struct nr_done *done, unsigned n)
{
	uint64_t tags[TAGS];
	int got = nr_poll(c->context, tags, (unsigned)min_u64(n, TAGS));

	return got < 0 ? got
		       : reap(c, done, n, tags, (unsigned)got,
			      mutant(POLL_WAITS) ? POOLED_WAIT : POOLED_TRY);
}

int pooled_wait(struct pooled_context *c, struct nr_done *done, unsigned n,
		unsigned min)
{
	uint64_t tags[TAGS];
	unsigned all = 0;
	int got;

	n = (unsigned)min_u64(n, INT_MAX);
	min = (unsigned)min_u64(min, n);
	do {
		got = nr_wait(c->context, tags,
			      (unsigned)min_u64(n - all, TAGS),
			      (unsigned)min_u64(min - all, TAGS));
		if (got < 0)
			return all ? (int)all : got;
		all += (unsigned)reap(c, done ? done + all : NULL, n - all,
				      tags, (unsigned)got, POOLED_WAIT);
	} while (all < min);
	return (int)all;
}
