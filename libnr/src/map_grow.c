/* SPDX-License-Identifier: MIT */
/* map_grow.c - the replicated map: memory for all replicas, through the log */
#include <errno.h>

#include "map.h"
#include "util.h"

static void free_pieces(const struct map_op *op, uint32_t n, size_t bytes)
{
	const struct map_piece *p = (const void *)op->bytes;

	for (uint32_t i = 0; i < n; i++)
		mem_node_free(p[i].memory, bytes);
}

/* @bytes for each replica, where that is, and tell them; all or none. */
static int give(struct nr_map_context *c, enum map_kind kind, uint64_t what,
		size_t bytes)
{
	struct nr_map *map = c->map;
	size_t len = sizeof(struct map_op) + map->n * sizeof(struct map_piece);
	struct map_op *op = mem_alloc(len);
	struct map_piece *p;
	uint32_t n;
	int err;

	if (!op)
		return -ENOMEM;
	p = (void *)op->bytes;
	op->hash = what;
	op->kind = (uint32_t)kind & 15;
	op->vlen = map->n;
	for (n = 0; n < map->n; n++) {
		p[n].object = map->replicas[n].object;
		p[n].memory = mem_node_alloc(bytes, map->replicas[n].node,
					     map->memory);
		if (!p[n].memory)
			break;
	}
	err = n < map->n ? -ENOMEM : nr_update(c->context, op, len, NULL);
	if (err)
		free_pieces(op, n, bytes);
	mem_free(op);
	return err;
}

static void ask_chunk(const struct table *t, struct map_query *q)
{
	/* Somebody else may have been here before us. */
	q->ret = 0;
	if (t->arena.n != *(const uint32_t *)q->to)
		return;
	q->ret = (int64_t)arena_wants(&t->arena, q->room, q->key.len != 0);
	if (!q->ret)
		q->ret = -ENOMEM;
}

static int64_t wanted_chunk(struct nr_map_context *c, size_t bytes,
			    uint32_t chunks, int least)
{
	struct map_query q = { .fn = ask_chunk,
			       .to = &chunks,
			       .room = bytes,
			       .key.len = (uint32_t)least };

	return map_ask(c, &q);
}

int map_grow(struct nr_map_context *c, size_t bytes, uint32_t chunks)
{
	struct nr_map *map = c->map;
	int64_t want;
	int err = 0;

	gate_lock(&map->gate);
	want = wanted_chunk(c, bytes, chunks, 0);
	if (want > 0)
		err = give(c, MAP_CHUNK, (uint64_t)want, (size_t)want);
	if (err == -ENOMEM) {
		want = wanted_chunk(c, bytes, chunks, 1);
		err = give(c, MAP_CHUNK, (uint64_t)want, (size_t)want);
	}
	gate_unlock(&map->gate);
	return want < 0 ? (int)want : err;
}

static void ask_buckets(const struct table *t, struct map_query *q)
{
	q->ret = table_wants(t);
}

void map_grow_buckets(struct nr_map_context *c)
{
	struct map_query q = { .fn = ask_buckets };
	int64_t bits;

	if (!gate_try(&c->map->gate))
		return;
	bits = map_ask(c, &q);
	if (bits > 0)
		give(c, MAP_BUCKETS, (uint64_t)bits,
		     table_bytes((uint32_t)bits));
	gate_unlock(&c->map->gate);
}
