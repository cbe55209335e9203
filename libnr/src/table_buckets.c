/* SPDX-License-Identifier: MIT */
/* table_buckets.c - a table's buckets: making them, and moving to more */
#include <errno.h>
#include <string.h>

#include "table_slots.h"
#include "util.h"

/*
 * There are 2 to 4 entries for each bucket: at 4, if their hashes are random,
 * one bucket of 20 has more than it has slots (Poisson).
 */
#ifdef NR_TEST_POINTS
#define BITS_FIRST 0u /* so that a short test sees them grow */
#define LOAD_BITS 0u
#else
#define BITS_FIRST 5u /* a page */
#define LOAD_BITS 2u
#endif
#define BITS_MAX 40u

static uint64_t mask_of(uint32_t bits)
{
	return (UINT64_C(1) << bits) - 1;
}

int table_init(struct table *t, uint64_t seed)
{
	t->buckets = mem_policy_alloc(table_bytes(BITS_FIRST));
	t->bits = BITS_FIRST;
	t->mask = mask_of(BITS_FIRST);
	t->seed = seed;
	return t->buckets ? 0 : -ENOMEM;
}

static struct bucket *clone_buckets(const struct bucket *from, uint32_t bits)
{
	struct bucket *to = mem_policy_alloc(table_bytes(bits));

	if (to)
		memcpy(to, from, table_bytes(bits));
	return to;
}

int table_clone(struct table *to, const struct table *from)
{
	struct table t = *from;
	int err = arena_clone(&t.arena, &from->arena);

	if (err)
		return err;
	t.old = NULL;
	t.buckets = clone_buckets(from->buckets, from->bits);
	if (t.buckets && from->old)
		t.old = clone_buckets(from->old, from->old_bits);
	if (!t.buckets || !t.old != !from->old) {
		table_fini(&t);
		return -ENOMEM;
	}
	*to = t;
	return 0;
}

void table_fini(struct table *t)
{
	arena_fini(&t->arena);
	if (t->old)
		mem_node_free(t->old, table_bytes(t->old_bits));
	mem_node_free(t->buckets, table_bytes(t->bits));
}

/* ---- moving ------------------------------------------------------------- */

static struct bucket *new_bucket(const struct table *t, uint64_t hash)
{
	return &t->buckets[hash & t->mask];
}

static void move_slots(struct table *t, const struct bucket *b)
{
	for (unsigned i = 0; i < TABLE_SLOTS; i++) {
		struct bucket *to;
		unsigned at;

		if (!is_used(b, i) || b->kinds[i] == SLOT_LIST)
			continue;
		to = new_bucket(t, slot_hash(t, b, i));
		at = empty_slot(to);
		to->tags[at] = b->tags[i];
		to->kinds[at] = b->kinds[i];
		to->slots[at] = b->slots[i];
	}
}

static void move_list(struct table *t, struct bucket *b)
{
	arena_ref at = *list(b), next;

	for (; at; at = next) {
		struct record *r = arena_at(&t->arena, at);
		struct bucket *to = new_bucket(t, r->hash);
		unsigned i = empty_slot(to);

		next = r->next;
		if (i < LAST)
			slot_set_record(t, to, i, at);
		else
			list_push(t, to, at);
	}
}

/*
 * Nobody else's entries go where this one's go. Those of its slots find slots
 * there; if it has a list they are six, so the last slot remains for what is
 * in that: none needs memory.
 */
static void move_bucket(struct table *t, uint64_t i)
{
	struct bucket *b = &t->old[i];

	move_slots(t, b);
	if (has_list(b)) {
		move_list(t, b);
		for (; !(i >> t->bits); i += UINT64_C(1) << t->old_bits)
			list_settle(t, &t->buckets[i]);
	}
	memset(b, 0, sizeof(*b));
}

void table_move_some(struct table *t)
{
	if (likely(!t->old))
		return;
	move_bucket(t, t->moved++);
	if (t->moved >> t->old_bits) {
		mem_node_free(t->old, table_bytes(t->old_bits));
		t->old = NULL;
	}
}

/* ---- more --------------------------------------------------------------- */

uint32_t table_wants(const struct table *t)
{
	uint32_t bits = t->bits;

	if (t->old)
		return 0;
	while (bits < BITS_MAX && t->count >> LOAD_BITS >> bits)
		bits++;
	return bits > t->bits ? bits : 0;
}

uint32_t table_wants_now(const struct table *t)
{
	uint64_t buckets = UINT64_C(1) << t->bits;

	return t->count & (buckets - 1) ? 0 : table_wants(t);
}

void table_add(struct table *t, struct bucket *buckets, uint32_t bits)
{
	t->old = t->buckets;
	t->old_bits = t->bits;
	t->old_mask = t->mask;
	t->moved = 0;
	t->bits = bits;
	/* Relaxed: table_prefetch() makes do with whatever it finds. */
	__atomic_store_n(&t->buckets, buckets, __ATOMIC_RELAXED);
	__atomic_store_n(&t->mask, mask_of(bits), __ATOMIC_RELAXED);
}
