/* SPDX-License-Identifier: MIT */
/*
 * table.h - a sequential hash table, bytes to bytes
 *
 * A lookup should wait for memory once, and be so short that a processor gets
 * to the next one meanwhile. So a bucket is two neighbouring cache lines in
 * which short entries lie themselves; of longer ones it has the hash, and where
 * in an arena their record is. Seven bits of all hashes lie side by side and
 * are compared at once, as in Swiss tables and F14. Where there are more
 * entries than slots, the last slot has a list of records.
 *
 * Nothing here asks for memory, for the reason that arena.h tells: an update
 * that finds no room changes nothing and says so, and a table that would do
 * better with more buckets goes on with those it has until it is given some.
 * Then every update moves one of the old buckets to the new ones, so that none
 * takes long (as Redis does it).
 */
#ifndef NR_TABLE_INTERNAL_H
#define NR_TABLE_INTERNAL_H

#include "arena.h"

struct record {
	arena_ref next; /* in a bucket's list */
	uint64_t hash;
	uint32_t klen;
	uint32_t vlen;
	unsigned char bytes[]; /* the key, then the value */
};

#define TABLE_SLOTS 7u
#define TABLE_SMALL 16u

union table_slot {
	/* the key, the value, and zeroes */
	unsigned char bytes[TABLE_SMALL];
	uint64_t words[TABLE_SMALL / sizeof(uint64_t)];
	struct {
		uint64_t hash;
		arena_ref ref;
	} far;
};

/* What a slot has; else the length of the key, and in the lower half that of
 * the value: up to 16 bytes in all, and neither of them alone. */
#define SLOT_FAR 0xffu	/* a record */
#define SLOT_LIST 0xfeu /* of two or more; only the last slot */

struct bucket {
	unsigned char tags[TABLE_SLOTS + 1]; /* table_slots.h; 0: empty */
	unsigned char kinds[TABLE_SLOTS + 1];
	union table_slot slots[TABLE_SLOTS];
};

struct table {
	uint64_t count;
	/* 2^bits; the hash's bits in `mask`, which is 2^bits - 1, say which. */
	struct bucket *buckets;
	uint64_t mask;
	struct bucket *old; /* likewise; those from `moved` on are used */
	uint64_t old_mask;
	uint32_t bits;
	uint32_t old_bits;
	uint64_t moved;
	uint64_t seed; /* of the hash */
	struct arena arena;
};

struct table_key {
	uint64_t hash; /* hash_bytes() with the table's seed */
	const void *bytes;
	uint32_t len;
};

struct table_entry {
	const unsigned char *key;
	const unsigned char *value;
	uint32_t klen;
	uint32_t vlen;
};

/* Bytes of a record; a put into a full bucket may take a short one besides. */
static inline size_t table_record(size_t klen, size_t vlen)
{
	return offsetof(struct record, bytes) + klen + vlen;
}

/* @t is zero; its first buckets have the thread's memory policy. 0 or -ENOMEM.
 */
int table_init(struct table *t, uint64_t seed);
int table_clone(struct table *to, const struct table *from);
void table_fini(struct table *t);

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
void table_add(struct table *t, struct bucket *buckets, uint32_t bits);

/* Each update's part of moving entries to the new buckets. */
void table_move_some(struct table *t);

/* Every entry, in no order; non-zero from @fn ends it and is returned. */
int table_each(const struct table *t,
	       int (*fn)(const struct table_entry *e, void *arg), void *arg);

static inline size_t table_bytes(uint32_t bits)
{
	return sizeof(struct bucket) << bits;
}

#endif
