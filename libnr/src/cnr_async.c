/* SPDX-License-Identifier: MIT */
/*
 * cnr_async.c - several logs: asynchronous updates
 *
 * Of one log, in the slots of the context that the thread has there. They are
 * reaped in the order of their submission, for which their logs are kept in a
 * ring. What is in several logs is done by who asks for it (cnr_several.c), so
 * there is nothing to be submitted of that.
 */
#include <errno.h>
#include <limits.h>

#include "cnr.h"

static struct nr_context *at(const struct nr_cnr_context *c, uint32_t i)
{
	return c->logs[c->order[i & c->mask]];
}

NR_PUBLIC int nr_cnr_submit(struct nr_cnr_context *c, const void *op,
			    size_t len, void *result, uint64_t tag)
{
	uint32_t log;
	int err;

	if (len >= CNR_SEVERAL)
		return -EMSGSIZE;
	log = cnr_classify(&c->classes, c->cnr->ops.update_class, op, len);
	if (log == UINT32_MAX)
		return -ENOTSUP;
	/* Each log has room for as many. */
	if (c->tail - c->head > c->mask)
		return -EAGAIN;
	err = nr_submit(c->logs[log], op, len, result, tag);
	if (!err)
		c->order[c->tail++ & c->mask] = log;
	return err;
}

static unsigned reap(struct nr_cnr_context *c, uint64_t *tags, unsigned n)
{
	unsigned got = 0;

	while (got < n && c->head != c->tail &&
	       context_reap(at(c, c->head), tags ? tags + got : NULL, 1)) {
		c->head++;
		got++;
	}
	return got;
}

/* All that is not done, in whatever log, if nobody else is at it. */
static void do_all(struct nr_cnr_context *c)
{
	for (uint32_t i = c->head; i != c->tail; i++) {
		struct nr_context *part = at(c, i);
		struct gate *g = &part->replica->lock.gate;

		if (context_is_done(part) || !gate_try(g))
			continue;
		combine(part->replica, NULL);
		gate_unlock(g);
	}
}

NR_PUBLIC int nr_cnr_poll(struct nr_cnr_context *c, uint64_t *tags, unsigned n)
{
	unsigned got;

	if (c->head == c->tail)
		return -ENOENT;
	got = reap(c, tags, n);
	if (got || !n)
		return (int)got;
	do_all(c);
	return (int)reap(c, tags, n);
}

NR_PUBLIC int nr_cnr_wait(struct nr_cnr_context *c, uint64_t *tags, unsigned n,
			  unsigned min)
{
	unsigned got;

	if (c->head == c->tail)
		return -ENOENT;
	n = (unsigned)min_u64(n, INT_MAX);
	min = (unsigned)min_u64(min, n);
	got = reap(c, tags, n);
	if (got < min)
		do_all(c);
	while (got < min && c->head != c->tail) {
		nr_wait(at(c, c->head), tags ? tags + got : NULL, 1, 1);
		c->head++;
		got++;
		got += reap(c, tags ? tags + got : NULL, n - got);
	}
	return (int)got;
}
