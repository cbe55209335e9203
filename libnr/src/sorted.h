/* SPDX-License-Identifier: MIT */
/*
 * sorted.h - a sequential ordered map, bytes to bytes
 *
 * A skip list (Pugh, CACM 1990) in an arena: every entry needs one allocation,
 * so that an update that finds no room has changed nothing, as arena.h wants
 * it; a balanced tree needs several for some of them. How high an entry is
 * comes from a sequence of pseudo-random numbers that is part of the map: the
 * same on all replicas. Links have the first bytes of the key that they lead
 * to: most comparisons need not look at it. The path to the end is kept, so
 * that keys that come in order need no search.
 */
#ifndef NR_SORTED_INTERNAL_H
#define NR_SORTED_INTERNAL_H

#include "arena.h"
#include "nr_sorted.h"

/* Each level has a quarter of the one below: enough for 2^48. */
#define SORTED_LEVELS 24u

struct link {
	arena_ref to;	/* 0: the end */
	uint64_t first; /* bytes of its key, the first one highest */
};

struct node {
	uint32_t klen;
	uint32_t vlen;
	uint32_t levels;
	uint32_t unused;    /* zero: replicas are compared */
	struct link next[]; /* then the key, then the value */
};

struct sorted {
	uint64_t count;
	uint64_t random;
	struct link head[SORTED_LEVELS];
	arena_ref last[SORTED_LEVELS]; /* of each level; 0: the head */
	struct arena arena;
};

struct sorted_key {
	const void *bytes;
	uint32_t len;
	uint64_t first;
};

struct sorted_key sorted_key(const void *bytes, size_t len);

static inline const unsigned char *node_key(const struct node *n)
{
	return (const unsigned char *)&n->next[n->levels];
}

static inline const unsigned char *node_value(const struct node *n)
{
	return node_key(n) + n->klen;
}

/* Most bytes that an entry can need. */
static inline size_t sorted_node_max(size_t klen, size_t vlen)
{
	return sizeof(struct node) + SORTED_LEVELS * sizeof(struct link) +
	       klen + vlen;
}

/* @s is zero; @seed: of how high entries are, the same on all replicas. Who
 * knows it can choose what he removes so that all becomes slow. */
void sorted_init(struct sorted *s, uint64_t seed);
/* 0 or -ENOMEM; the memory has the thread's policy. */
int sorted_clone(struct sorted *to, const struct sorted *from);
void sorted_fini(struct sorted *s);

/* NULL: there is none. */
const struct node *sorted_find(const struct sorted *s,
			       const struct sorted_key *key,
			       enum nr_neighbour which);
/* The one after @n; NULL: that was the last. */
const struct node *sorted_next(const struct sorted *s, const struct node *n);

/* As table_put() and table_remove(). */
int sorted_put(struct sorted *s, const struct sorted_key *key,
	       const void *value, uint32_t vlen, unsigned flags);
int sorted_remove(struct sorted *s, const struct sorted_key *key);

/* nr_sorted_range() */
int sorted_range(const struct sorted *s, const void *from, size_t flen,
		 const void *to, size_t tlen,
		 int (*fn)(const struct nr_entry *entry, void *arg), void *arg);

static inline struct nr_entry sorted_entry(const struct node *n)
{
	return (struct nr_entry){ node_key(n), n->klen, node_value(n),
				  n->vlen };
}

#endif
