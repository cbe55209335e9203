/* SPDX-License-Identifier: MIT */
/*
 * table.h - a sequential hash table, bytes to bytes
 *
 * Chains of records in an arena. Nothing here asks for memory, for the reason
 * that arena.h tells: an update that finds no room changes nothing and says so,
 * and a table that would do better with more buckets goes on with those it has
 * until it is given some. Then every update moves a few of the old buckets to
 * the new ones, so that none takes long (as Redis does it).
 */
#ifndef NR_TABLE_INTERNAL_H
#define NR_TABLE_INTERNAL_H

#include "arena.h"

struct record {
	arena_ref next;
	uint64_t hash;
	uint32_t klen;
	uint32_t vlen;
	unsigned char bytes[]; /* the key, then the value */
};

struct table {
	uint64_t count;
	arena_ref *buckets; /* 2^bits */
	arena_ref *old;	    /* 2^old_bits; those from `moved` on are used */
	uint32_t bits;
	uint32_t old_bits;
	uint64_t moved;
	struct arena arena;
};

struct table_key {
	uint64_t hash;
	const void *bytes;
	uint32_t len;
};

static inline const unsigned char *record_value(const struct record *r)
{
	return r->bytes + r->klen;
}

/* Bytes of the record that an entry needs. */
static inline size_t table_record(size_t klen, size_t vlen)
{
	return offsetof(struct record, bytes) + klen + vlen;
}

/* @t is zero; its first buckets have the thread's memory policy. 0 or -ENOMEM.
 */
int table_init(struct table *t);
int table_clone(struct table *to, const struct table *from);
void table_fini(struct table *t);

/* NULL: it is not there. */
const struct record *table_find(const struct table *t,
				const struct table_key *key);

/*
 * @flags as for nr_table_put(). 0: new; 1: replaced; -EEXIST, -ENOENT; -ENOMEM:
 * the arena wants a chunk. An error has changed nothing.
 */
int table_put(struct table *t, const struct table_key *key, const void *value,
	      uint32_t vlen, unsigned flags);

/* 0 or -ENOENT */
int table_remove(struct table *t, const struct table_key *key);

/*
 * How many bits of the hash it would like buckets for; 0: for no more than it
 * has. What it is given is zeroed, and 2^bits long.
 */
uint32_t table_wants(const struct table *t);
/* The same after a new entry; but 0 for most, so that where there is no memory
 * it is not asked for all the time. */
uint32_t table_wants_now(const struct table *t);
void table_add(struct table *t, arena_ref *buckets, uint32_t bits);

/* Every record, in no order; non-zero from @fn ends it and is returned. */
int table_each(const struct table *t,
	       int (*fn)(const struct record *r, void *arg), void *arg);

static inline size_t table_bytes(uint32_t bits)
{
	return sizeof(arena_ref) << bits;
}

#endif
