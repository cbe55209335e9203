/* SPDX-License-Identifier: MIT */
/*
 * pooled_grow.c - memory for all replicas, through the log
 *
 * In two ways: like any update and any read; or, for those who may not wait for
 * a lock, as the combiner of our replica, if we can be that now. Then we look
 * at its structure ourselves, and put the operation into the log before what is
 * pending: no order is promised between those.
 */
#include <errno.h>

#include "context.h"
#include "pooled.h"
#include "util.h"

/* Get the pool, as @pool says, and what @way takes. */
static int begin(struct pooled_context *c, enum pooled_way pool,
		 enum pooled_way way)
{
	struct replica *r = c->context->replica;

	if (pool == POOLED_WAIT)
		gate_lock(&c->pool->gate);
	else if (!gate_try(&c->pool->gate))
		return 0;
	if (way == POOLED_WAIT)
		return 1;
	if (gate_try(&r->lock.gate)) {
		/* All that others were given, as who reads would see it. */
		replica_catch_up(r);
		return 1;
	}
	gate_unlock(&c->pool->gate);
	return 0;
}

static void end(struct pooled_context *c, enum pooled_way way)
{
	if (way == POOLED_TRY)
		gate_unlock(&c->context->replica->lock.gate);
	gate_unlock(&c->pool->gate);
}

static int64_t ask(struct pooled_context *c, struct pooled_query *q,
		   enum pooled_way way)
{
	if (way == POOLED_WAIT)
		return pooled_ask(c, q);
	q->fn(c->context->replica->object, q);
	return q->ret;
}

static int tell(struct pooled_context *c, const void *op, size_t len,
		enum pooled_way way)
{
	struct item own = { .len = (uint32_t)len };

	if (way == POOLED_WAIT)
		return nr_update(c->context, op, len, NULL);
	if (context_copy(c->context, &op, len))
		return -ENOMEM;
	own.op = op;
	combine(c->context->replica, &own);
	return 0;
}

static void free_pieces(const struct pooled_op *op, uint32_t n, size_t bytes)
{
	const struct pooled_piece *p = (const void *)op->bytes;

	for (uint32_t i = 0; i < n; i++)
		mem_node_free(p[i].memory, bytes);
}

/* @bytes for each replica, where that is, and tell them; all or none. */
static int give(struct pooled_context *c, enum pooled_kind kind, uint64_t what,
		size_t bytes, enum pooled_way way)
{
	struct pooled *pool = c->pool;
	size_t len = sizeof(struct pooled_op) +
		     pool->n * sizeof(struct pooled_piece);
	struct pooled_op *op = mem_alloc(len);
	struct pooled_piece *p;
	uint32_t n;
	int err;

	if (!op)
		return -ENOMEM;
	p = (void *)op->bytes;
	op->word = what;
	op->kind = (uint32_t)kind & 15;
	op->vlen = pool->n;
	for (n = 0; n < pool->n; n++) {
		p[n].object = pool->replicas[n].object;
		p[n].memory = mem_node_alloc(bytes, pool->replicas[n].node,
					     pool->memory);
		if (!p[n].memory)
			break;
	}
	err = n < pool->n ? -ENOMEM : tell(c, op, len, way);
	if (err)
		free_pieces(op, n, bytes);
	mem_free(op);
	return err;
}

/* How long should the next chunk be? */
struct chunk_query {
	struct pooled_query q;
	const struct pooled_type *type;
	uint32_t chunks;
	size_t bytes;
	unsigned tries;
};

static void ask_chunk(const void *object, struct pooled_query *q)
{
	struct chunk_query *c = (void *)q;
	const struct arena *a = pooled_arena(c->type, object);

	/* Somebody else may have been here before us. */
	q->ret = 0;
	if (a->n != c->chunks)
		return;
	q->ret = (int64_t)arena_wants(a, c->bytes, c->tries);
	if (!q->ret)
		q->ret = -ENOMEM;
}

int pooled_grow(struct pooled_context *c, size_t bytes, uint32_t chunks,
		enum pooled_way way)
{
	struct chunk_query q = {
		{ ask_chunk, 0 }, c->pool->type, chunks, bytes, 0
	};
	int64_t want;
	int err;

	if (!begin(c, way, way))
		return 0;
	/* It is half as much each time, so this ends. */
	do {
		want = ask(c, &q.q, way);
		err = want <= 0 ? (int)want
				: give(c, POOLED_CHUNK, (uint64_t)want,
				       (size_t)want, way);
		q.tries++;
	} while (err == -ENOMEM && want > 0);
	end(c, way);
	return err;
}

struct extra_query {
	struct pooled_query q;
	const struct pooled_type *type;
};

static void ask_extra(const void *object, struct pooled_query *q)
{
	q->ret = (int64_t)((struct extra_query *)q)->type->extra(object);
}

void pooled_extra(struct pooled_context *c, enum pooled_way way)
{
	const struct pooled_type *type = c->pool->type;
	struct extra_query q = { { ask_extra, 0 }, type };
	int64_t what;

	/* There will be a next time. */
	if (!begin(c, POOLED_TRY, way))
		return;
	what = ask(c, &q.q, way);
	if (what > 0)
		give(c, POOLED_EXTRA, (uint64_t)what,
		     type->extra_bytes((uint64_t)what), way);
	end(c, way);
}
