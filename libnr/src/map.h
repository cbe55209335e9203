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

struct nr_map_context {
	struct pooled_context base;
};

static inline uint64_t map_seed(const struct nr_map_context *c)
{
	return ((const struct nr_map *)c->base.pool)->seed;
}

/* What replicas do for nr_map_modify(). */
int map_modify(struct table *t, const struct pooled_op *op, int asked);

#endif
