/* SPDX-License-Identifier: MIT */
/* table_slots.h - what a bucket of a table (table.h) has, and where */
#ifndef NR_TABLE_SLOTS_H
#define NR_TABLE_SLOTS_H

#include <string.h>

#include "hash.h"
#include "table.h"

_Static_assert(sizeof(struct bucket) == 128, "two lines, and no more");

#define LAST (TABLE_SLOTS - 1)

/* ---- tags --------------------------------------------------------------- */

#define TAG_USED 0x80u

/* Of other bits of the hash than the bucket's index */
static inline unsigned char tag_of(uint64_t hash)
{
	return (unsigned char)(TAG_USED | hash >> 57);
}

#define EACH_TAG UINT64_C(0x0101010101010101)
#define EACH_USED (EACH_TAG * TAG_USED >> 8) /* but the byte of no slot */

/* That of the first slot in the lowest byte */
static inline uint64_t tags(const struct bucket *b)
{
	uint64_t word;

	memcpy(&word, b->tags, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/*
 * A set of slots: in the upper bit of each one's byte. All that have the hash's
 * tag are in it; and now and then one behind such a slot, for which the
 * subtraction had to borrow.
 */
static inline uint64_t slots_like(const struct bucket *b, uint64_t hash)
{
	uint64_t zero = tags(b) ^ EACH_TAG * tag_of(hash);

	return (zero - EACH_TAG) & ~zero & EACH_USED;
}

static inline unsigned first_of(uint64_t slots)
{
	return (unsigned)__builtin_ctzll(slots) / 8;
}

/* The first that is; TABLE_SLOTS: none. */
static inline unsigned empty_slot(const struct bucket *b)
{
	uint64_t slots = ~tags(b) & EACH_USED;

	return slots ? first_of(slots) : TABLE_SLOTS;
}

static inline int is_used(const struct bucket *b, unsigned i)
{
	return b->tags[i] != 0;
}

/* ---- entries ------------------------------------------------------------ */

static inline int is_small(uint32_t klen, uint32_t vlen)
{
	return (klen | vlen) < TABLE_SMALL && klen + vlen <= TABLE_SMALL;
}

static inline uint32_t small_klen(unsigned kind)
{
	return kind >> 4;
}

static inline struct table_entry record_entry(const struct record *r)
{
	return (struct table_entry){ r->bytes, r->bytes + r->klen, r->klen,
				     r->vlen };
}

/* Of one that is used, and no list */
static inline struct table_entry slot_entry(const struct table *t,
					    const struct bucket *b, unsigned i)
{
	const union table_slot *s = &b->slots[i];
	uint32_t klen;

	if (b->kinds[i] == SLOT_FAR)
		return record_entry(arena_at(&t->arena, s->far.ref));
	klen = small_klen(b->kinds[i]);
	return (struct table_entry){ s->bytes, s->bytes + klen, klen,
				     b->kinds[i] & 15u };
}

static inline uint64_t slot_hash(const struct table *t, const struct bucket *b,
				 unsigned i)
{
	return b->kinds[i] == SLOT_FAR
		       ? b->slots[i].far.hash
		       : hash_bytes(b->slots[i].bytes, small_klen(b->kinds[i]),
				    t->seed);
}

static inline void slot_clear(struct bucket *b, unsigned i)
{
	b->tags[i] = b->kinds[i] = 0;
	b->slots[i].words[0] = b->slots[i].words[1] = 0;
}

/* An entry that is_small(); perhaps from this slot. */
static inline void slot_set_small(struct bucket *b, unsigned i, uint64_t hash,
				  const struct table_entry *e)
{
	union table_slot s = { .words = { 0, 0 } };

	if (e->klen)
		memcpy(s.bytes, e->key, e->klen);
	if (e->vlen)
		memcpy(s.bytes + e->klen, e->value, e->vlen);
	b->slots[i] = s;
	b->tags[i] = tag_of(hash);
	b->kinds[i] = (unsigned char)(e->klen << 4 | e->vlen);
}

static inline void slot_set_far(struct bucket *b, unsigned i, uint64_t hash,
				arena_ref ref)
{
	b->tags[i] = tag_of(hash);
	b->kinds[i] = SLOT_FAR;
	b->slots[i].far.hash = hash;
	b->slots[i].far.ref = ref;
}

/* A record that was in a list; it is freed if it needs none here. */
static inline void slot_set_record(struct table *t, struct bucket *b,
				   unsigned i, arena_ref ref)
{
	struct record *r = arena_at(&t->arena, ref);
	struct table_entry e = record_entry(r);

	if (is_small(r->klen, r->vlen)) {
		slot_set_small(b, i, r->hash, &e);
		arena_free(&t->arena, ref, table_record(r->klen, r->vlen));
	} else {
		r->next = 0;
		slot_set_far(b, i, r->hash, ref);
	}
}

/* ---- lists -------------------------------------------------------------- */

static inline int has_list(const struct bucket *b)
{
	return b->kinds[LAST] == SLOT_LIST;
}

static inline arena_ref *list(struct bucket *b)
{
	return &b->slots[LAST].far.ref;
}

/* The last slot is empty, or has one. */
static inline void list_push(struct table *t, struct bucket *b, arena_ref ref)
{
	struct record *r = arena_at(&t->arena, ref);

	r->next = has_list(b) ? *list(b) : 0;
	slot_set_far(b, LAST, 0, ref);
	b->kinds[LAST] = SLOT_LIST;
}

static inline arena_ref list_pop(struct table *t, struct bucket *b)
{
	arena_ref ref = *list(b);
	struct record *r = arena_at(&t->arena, ref);

	*list(b) = r->next;
	return ref;
}

/* Of one record there is no list. */
static inline void list_settle(struct table *t, struct bucket *b)
{
	struct record *r;

	if (!has_list(b))
		return;
	r = arena_at(&t->arena, *list(b));
	if (!r->next)
		slot_set_record(t, b, LAST, *list(b));
}

#endif
