/* SPDX-License-Identifier: MIT */
/*
 * table_find.h - looking into a table (table.h), where it is to take no time
 *
 * Who asks mostly waits for memory; a processor that comes to the next question
 * early enough waits for both together. So what there is to do for a key of a
 * word is here, in a few dozen instructions without a call.
 */
#ifndef NR_TABLE_FIND_H
#define NR_TABLE_FIND_H

#include "table_slots.h"
#include "util.h"

/* Has slot @i, which is used, the key? */
int table_is_key(const struct table *t, const struct bucket *b, unsigned i,
		 const struct table_key *key);

/* There is a list: what refers to its record; or to none at the end. */
arena_ref *table_find_link(const struct table *t, struct bucket *b,
			   const struct table_key *key);

static inline struct bucket *table_bucket(const struct table *t, uint64_t hash)
{
	if (unlikely(t->old != NULL)) {
		uint64_t i = hash & t->old_mask;

		if (i >= t->moved)
			return &t->old[i];
	}
	return &t->buckets[hash & t->mask];
}

/*
 * Fetch a hash's bucket, both lines: by those who are still to wait for the
 * lock under which they may look at it. It may be moving meanwhile. What is
 * fetched then is the wrong one, or nothing; a prefetch cannot fault.
 */
static inline void table_prefetch(const struct table *t, uint64_t hash)
{
	uintptr_t at =
		(uintptr_t)__atomic_load_n(&t->buckets, __ATOMIC_RELAXED);

	at += (hash & __atomic_load_n(&t->mask, __ATOMIC_RELAXED)) *
	      sizeof(struct bucket);
	__builtin_prefetch((const void *)at);
	__builtin_prefetch((const void *)(at + sizeof(struct bucket) / 2));
}

static inline int is_word(const struct bucket *b, unsigned i,
			  const struct table_key *key)
{
	uint64_t word;

	memcpy(&word, key->bytes, sizeof(word));
	return b->slots[i].words[0] == word &&
	       small_klen(b->kinds[i]) == sizeof(word);
}

/* TABLE_SLOTS: none has it. */
static inline unsigned table_find_slot(const struct table *t,
				       const struct bucket *b,
				       const struct table_key *key)
{
	uint64_t like = slots_like(b, key->hash);

	for (; like; like &= like - 1) {
		unsigned i = first_of(like);

		if (likely(key->len == sizeof(uint64_t) && is_word(b, i, key)))
			return i;
		if (table_is_key(t, b, i, key))
			return i;
	}
	return TABLE_SLOTS;
}

/*
 * The value of a key that is a word, if it is one, too, and both lie in the
 * table: 1. Else 0, and table_find_in() knows.
 */
static inline int table_find_word(const struct bucket *b, uint64_t hash,
				  uint64_t key, uint64_t *value)
{
	const unsigned char words = sizeof(key) << 4 | sizeof(*value);
	uint64_t like = slots_like(b, hash);

	for (; like; like &= like - 1) {
		unsigned i = first_of(like);

		if (likely(b->slots[i].words[0] == key &&
			   b->kinds[i] == words)) {
			*value = b->slots[i].words[1];
			return 1;
		}
	}
	return 0;
}

/* Readable until the table is next changed; 0: it is not in @b, where it goes.
 */
static inline int table_find_in(const struct table *t, struct bucket *b,
				const struct table_key *key,
				struct table_entry *e)
{
	unsigned i = table_find_slot(t, b, key);
	arena_ref at;

	if (i < TABLE_SLOTS) {
		*e = slot_entry(t, b, i);
		return 1;
	}
	if (likely(!has_list(b)))
		return 0;
	at = *table_find_link(t, b, key);
	if (at)
		*e = record_entry(arena_at(&t->arena, at));
	return at != 0;
}

static inline int table_find(const struct table *t, const struct table_key *key,
			     struct table_entry *e)
{
	struct bucket *b = table_bucket(t, key->hash);

	/* Which of the lines has it is not known before the first has come. */
	__builtin_prefetch(&b->slots[LAST]);
	return table_find_in(t, b, key, e);
}

#endif
