/* SPDX-License-Identifier: MIT */
/*
 * map.h - the replicated map: what goes through its log
 *
 * Updates and removals; and memory. Every replica's table is in the same state
 * after the same updates, down to the references in its arena, so all of them
 * find no room for the same one. That one has changed nothing. Whoever asked
 * for it takes map->gate, maps a chunk for every replica on its node, and puts
 * an operation with all of them into the log: each replica takes its own.
 *
 * Under map->gate the list of replicas stays as it is, and nothing of the kind
 * is on its way: before a replica comes or goes all have applied what they have
 * been given.
 */
#ifndef NR_MAP_INTERNAL_H
#define NR_MAP_INTERNAL_H

#include "gate.h"
#include "nr_map.h"
#include "table.h"

enum map_kind { MAP_PUT = 0, MAP_REMOVE, MAP_CHUNK, MAP_BUCKETS };

struct map_op {
	uint64_t hash; /* or bytes of the chunk, or bits of the buckets */
	uint32_t kind : 4;
	uint32_t flags : 4;
	uint32_t klen : 24;
	uint32_t vlen;	       /* or how many pieces */
	unsigned char bytes[]; /* the key, then the value; or pieces */
};

/* What a replica is given. */
struct map_piece {
	const void *object; /* whose it is */
	void *memory;
};

struct map_result {
	int32_t ret;
	/* The put that found the arena full: chunks it had; else: does the
	 * table want buckets? */
	uint32_t wants;
};

struct map_replica {
	const void *object;
	int node;
};

struct nr_map {
	struct nr *nr;
	uint64_t seed;
	enum nr_memory memory;
	struct gate gate; /* what follows; and who grows */
	struct map_replica *replicas;
	uint32_t n;
};

struct nr_map_context {
	struct nr_map *map;
	struct nr_context *context;
};

/* What nr_read() is asked. */
struct map_query {
	void (*fn)(const struct table *t, struct map_query *q);
	struct table_key key;
	void *to;
	size_t room;
	int64_t ret;
	int (*each)(const void *key, size_t klen, const void *value,
		    size_t vlen, void *arg);
};

static inline int64_t map_ask(struct nr_map_context *c, struct map_query *q)
{
	nr_read(c->context, q, sizeof(*q), NULL);
	return q->ret;
}

/*
 * A record of @bytes found no room among @chunks chunks: 0: try again; -ENOMEM.
 */
int map_grow(struct nr_map_context *c, size_t bytes, uint32_t chunks) cold;

/* More buckets, if there is memory and nobody else is at it. */
void map_grow_buckets(struct nr_map_context *c) cold;

/* map->gate: every replica has been given what is on its way. */
void map_settle(struct nr_map *map);

/* map->gate: the replicas that there are now; room for one more than before
 * has been made. */
void map_list(struct nr_map *map);
int map_list_room(struct nr_map *map); /* 0 or -ENOMEM */

#endif
