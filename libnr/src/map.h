/* SPDX-License-Identifier: MIT */
/* map.h - the replicated map: a table (table.h) with a pool (pooled.h) */
#ifndef NR_MAP_INTERNAL_H
#define NR_MAP_INTERNAL_H

#include "nr_map.h"
#include "pooled.h"
#include "table.h"

enum map_kind { MAP_PUT = POOLED_OWN, MAP_REMOVE, MAP_MODIFY };

struct nr_map {
	struct pooled pool; /* first */
	uint64_t seed;
};

/* An asynchronous update. */
struct map_ticket {
	_Alignas(8) struct pooled_result result;
	uint64_t tag;
	size_t bytes; /* that it may want of the arena */
};

struct nr_map_context {
	struct pooled_context base;
	struct map_ticket *tickets; /* as many as base.context has */
	uint32_t submitted;
};

static inline uint64_t map_seed(const struct nr_map_context *c)
{
	return ((const struct nr_map *)c->base.pool)->seed;
}

/* What replicas do for nr_map_modify(). */
int map_modify(struct table *t, const struct pooled_op *op, int asked);

/* Begin an operation: 0, -EMSGSIZE, -EINVAL. */
int map_put_op(const struct nr_map_context *c, struct pooled_op *op,
	       const void *key, size_t klen, size_t vlen, unsigned flags);
int map_remove_op(const struct nr_map_context *c, struct pooled_op *op,
		  const void *key, size_t klen);

/* More buckets, if there is memory and nobody else is at it. */
void map_grow_buckets(struct nr_map_context *c) cold;

#endif
