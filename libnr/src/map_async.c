/* SPDX-License-Identifier: MIT */
/*
 * map_async.c - the replicated map: asynchronous updates
 *
 * One that found no room is not done again by us: those that were submitted
 * after it have been done. Room is made when it is reaped, and the program is
 * told.
 */
#include <errno.h>
#include <limits.h>

#include "context.h"
#include "map.h"

static int submit(struct nr_map_context *c, const struct pooled_op *head,
		  const void *key, const void *value, size_t bytes,
		  uint64_t tag)
{
	uint32_t mask = c->base.context->mask;
	_Alignas(8) unsigned char small[POOLED_SMALL];
	struct map_ticket *t;
	struct pooled_op *op;
	int err;

	if (!c->tickets) {
		c->tickets = mem_alloc((mask + (size_t)1) * sizeof(*t));
		if (!c->tickets)
			return -ENOMEM;
	}
	op = pooled_make(small, head, key, value);
	if (!op)
		return -ENOMEM;
	t = &c->tickets[c->submitted & mask];
	err = nr_submit(c->base.context, op, pooled_len(op), &t->result,
			c->submitted);
	pooled_unmake(small, op);
	if (err)
		return err; /* the ticket may be another one's */
	t->tag = tag;
	t->bytes = bytes;
	c->submitted++;
	return 0;
}

NR_PUBLIC int nr_map_submit_put(struct nr_map_context *c, const void *key,
				size_t klen, const void *value, size_t vlen,
				unsigned flags, uint64_t tag)
{
	struct pooled_op op;
	int err = map_put_op(c, &op, key, klen, vlen, flags);

	return err ? err
		   : submit(c, &op, key, value, table_record(klen, vlen), tag);
}

NR_PUBLIC int nr_map_submit_remove(struct nr_map_context *c, const void *key,
				   size_t klen, uint64_t tag)
{
	struct pooled_op op;
	int err = map_remove_op(c, &op, key, klen);

	return err ? err : submit(c, &op, key, NULL, 0, tag);
}

/* @i has been reaped. */
static void finish(struct nr_map_context *c, uint64_t i,
		   struct nr_map_done *done)
{
	struct map_ticket *t = &c->tickets[i & c->base.context->mask];
	int ret = t->result.ret;

	if (ret == -ENOMEM) {
		ret = pooled_grow(&c->base, t->bytes, t->result.wants);
		if (!ret)
			ret = -EAGAIN;
	} else if (ret >= 0 && t->result.wants) {
		map_grow_buckets(c);
	}
	if (done)
		*done = (struct nr_map_done){ t->tag, ret, 0 };
}

/* At most so many tags at a time. */
#define TAGS 64u

static int reap(struct nr_map_context *c, struct nr_map_done *done, unsigned n,
		unsigned min)
{
	uint64_t tags[TAGS];
	unsigned all = 0;

	if (n > INT_MAX)
		n = INT_MAX;
	if (min > n)
		min = n;
	do {
		unsigned room = n - all < TAGS ? n - all : TAGS;
		unsigned want = min > all ? min - all : 0;
		int got = want ? nr_wait(c->base.context, tags, room,
					 want < room ? want : room)
			       : nr_poll(c->base.context, tags, room);

		if (got < 0)
			return all ? (int)all : got;
		for (int i = 0; i < got; i++, all++)
			finish(c, tags[i], done ? done + all : NULL);
		if (!got)
			break;
	} while (all < min);
	return (int)all;
}

NR_PUBLIC int nr_map_poll(struct nr_map_context *c, struct nr_map_done *done,
			  unsigned n)
{
	return reap(c, done, n, 0);
}

NR_PUBLIC int nr_map_wait(struct nr_map_context *c, struct nr_map_done *done,
			  unsigned n, unsigned min)
{
	return reap(c, done, n, min);
}
