/* SPDX-License-Identifier: MIT */
/* pooled_grow.c - memory for all replicas, through the log */
#include <errno.h>

#include "pooled.h"
#include "util.h"

static void free_pieces(const struct pooled_op *op, uint32_t n, size_t bytes)
{
	const struct pooled_piece *p = (const void *)op->bytes;

	for (uint32_t i = 0; i < n; i++)
		mem_node_free(p[i].memory, bytes);
}

/* @bytes for each replica, where that is, and tell them; all or none. */
static int give(struct pooled_context *c, enum pooled_kind kind, uint64_t what,
		size_t bytes)
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
	err = n < pool->n ? -ENOMEM : nr_update(c->context, op, len, NULL);
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

int pooled_grow(struct pooled_context *c, size_t bytes, uint32_t chunks)
{
	struct chunk_query q = {
		{ ask_chunk, 0 }, c->pool->type, chunks, bytes, 0
	};
	int64_t want;
	int err;

	gate_lock(&c->pool->gate);
	/* It is half as much each time, so this ends. */
	do {
		want = pooled_ask(c, &q.q);
		err = want <= 0 ? (int)want
				: give(c, POOLED_CHUNK, (uint64_t)want,
				       (size_t)want);
		q.tries++;
	} while (err == -ENOMEM && want > 0);
	gate_unlock(&c->pool->gate);
	return err;
}

void pooled_extra(struct pooled_context *c, struct pooled_query *ask,
		  size_t (*bytes)(uint64_t what))
{
	int64_t what;

	if (!gate_try(&c->pool->gate))
		return;
	what = pooled_ask(c, ask);
	if (what > 0)
		give(c, POOLED_EXTRA, (uint64_t)what, bytes((uint64_t)what));
	gate_unlock(&c->pool->gate);
}
