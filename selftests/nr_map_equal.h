/* SPDX-License-Identifier: MIT */
/* nr_map_equal.h - replicas of a map, or a queue, are equal, byte by byte */
#ifndef NR_MAP_EQUAL_H
#define NR_MAP_EQUAL_H

#include <string.h>

#include "nr_map.h"
#include "queue.h"
#include "table.h"

static inline int arenas_equal(const struct arena *a, const struct arena *b)
{
	if (a->n != b->n || a->used != b->used || a->all != b->all ||
	    memcmp(a->free, b->free, sizeof(a->free)))
		return 0;
	for (uint32_t i = 0; i < a->n; i++) {
		const struct arena_chunk *c = &a->chunks[i];
		uint64_t used = i + 1 < a->n ? c->units : a->used;

		if (c->units != b->chunks[i].units ||
		    memcmp(arena_chunk(a, i), arena_chunk(b, i),
			   used * ARENA_UNIT))
			return 0;
	}
	return 1;
}

/* References are the same everywhere, so the tables' bytes are. */
static inline int tables_equal(const struct table *a, const struct table *b)
{
	return a->count == b->count && a->bits == b->bits &&
	       !a->old == !b->old && arenas_equal(&a->arena, &b->arena) &&
	       !memcmp(a->buckets, b->buckets, table_bytes(a->bits)) &&
	       (!a->old ||
		(a->moved == b->moved && a->old_bits == b->old_bits &&
		 !memcmp(a->old, b->old, table_bytes(a->old_bits))));
}

/*
 * For nr_inspect(), @arg is a struct table: the first one, copied; zero before.
 */
static inline int equal_to_first(uint32_t replica, const void *object,
				 void *arg)
{
	struct table *first = arg;

	(void)replica;
	if (!first->buckets)
		*first = *(const struct table *)object;
	return !tables_equal(first, object);
}

static inline int sorteds_equal(const struct sorted *a, const struct sorted *b)
{
	return a->count == b->count && a->random == b->random &&
	       !memcmp(a->head, b->head, sizeof(a->head)) &&
	       !memcmp(a->last, b->last, sizeof(a->last)) &&
	       arenas_equal(&a->arena, &b->arena);
}

/* For nr_inspect(), @arg is the address of the first one's, NULL before. A
 * struct queue begins with one. */
static inline int sorted_like_first(uint32_t replica, const void *object,
				    void *arg)
{
	const struct sorted **first = arg;

	(void)replica;
	if (!*first)
		*first = object;
	return !sorteds_equal(*first, object);
}

static inline int is_sorted_equal(struct nr *nr)
{
	const struct sorted *first = NULL;

	return !nr_inspect(nr, sorted_like_first, &first);
}

/* Nobody updates meanwhile. */
static inline int map_is_equal(struct nr_map *map)
{
	struct table first = { .buckets = NULL };

	return !nr_inspect(nr_map_nr(map), equal_to_first, &first);
}

#endif
