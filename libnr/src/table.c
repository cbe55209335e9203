/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <errno.h>
#include <string.h>

#include "nr_table.h"
#include "util.h"

#ifdef NR_TEST_POINTS
#define BITS_FIRST 1u
#else
#define BITS_FIRST 9u /* a page */
#endif
#define BITS_MAX 40u

/* Buckets that an update moves: twice what would be enough. */
#define MOVES 4u

int table_init(struct table *t)
{
	t->buckets = mem_policy_alloc(table_bytes(BITS_FIRST));
	t->bits = BITS_FIRST;
	return t->buckets ? 0 : -ENOMEM;
}

static arena_ref *clone_buckets(const arena_ref *from, uint32_t bits)
{
	arena_ref *to = mem_policy_alloc(table_bytes(bits));

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

/* The bucket of a hash among 2^@bits */
static uint64_t index_of(uint64_t hash, uint32_t bits)
{
	return hash & ((UINT64_C(1) << bits) - 1);
}

static arena_ref *bucket(const struct table *t, uint64_t hash)
{
	if (unlikely(t->old != NULL)) {
		uint64_t i = index_of(hash, t->old_bits);

		if (i >= t->moved)
			return &t->old[i];
	}
	return &t->buckets[index_of(hash, t->bits)];
}

static int is_key(const struct record *r, const struct table_key *key)
{
	return r->hash == key->hash && r->klen == key->len &&
	       (!key->len || !memcmp(r->bytes, key->bytes, key->len));
}

const struct record *table_find(const struct table *t,
				const struct table_key *key)
{
	for (arena_ref at = *bucket(t, key->hash); at;) {
		const struct record *r = arena_at(&t->arena, at);

		if (is_key(r, key))
			return r;
		at = r->next;
	}
	return NULL;
}

/* What refers to the key's record, or to none at the end of the chain. */
static arena_ref *find_link(const struct table *t, const struct table_key *key)
{
	arena_ref *link = bucket(t, key->hash);

	while (*link) {
		struct record *r = arena_at(&t->arena, *link);

		if (is_key(r, key))
			break;
		link = &r->next;
	}
	return link;
}

static void move_bucket(struct table *t)
{
	arena_ref at = t->old[t->moved], next;

	t->old[t->moved++] = 0;
	for (; at; at = next) {
		struct record *r = arena_at(&t->arena, at);
		arena_ref *to = &t->buckets[index_of(r->hash, t->bits)];

		next = r->next;
		r->next = *to;
		*to = at;
	}
}

/* Each update does its part. */
static void move_some(struct table *t)
{
	for (unsigned i = 0; i < MOVES && t->old; i++) {
		move_bucket(t);
		if (t->moved >> t->old_bits) {
			mem_node_free(t->old, table_bytes(t->old_bits));
			t->old = NULL;
		}
	}
}

static void fill(struct record *r, const struct table_key *key,
		 const void *value, uint32_t vlen)
{
	r->hash = key->hash;
	r->klen = key->len;
	r->vlen = vlen;
	if (key->len)
		memcpy(r->bytes, key->bytes, key->len);
	if (vlen)
		memcpy(r->bytes + key->len, value, vlen);
}

/* In its place if the room is the same; else @link's record is another one. */
static int replace(struct table *t, arena_ref *link,
		   const struct table_key *key, const void *value,
		   uint32_t vlen)
{
	struct record *was = arena_at(&t->arena, *link), *r = was;
	size_t had = table_record(was->klen, was->vlen);
	arena_ref old = *link, at = old;

	if (!arena_same(had, table_record(key->len, vlen))) {
		at = arena_alloc(&t->arena, table_record(key->len, vlen));
		if (!at)
			return -ENOMEM;
		r = arena_at(&t->arena, at);
		r->next = was->next;
		*link = at;
		arena_free(&t->arena, old, had);
	}
	fill(r, key, value, vlen);
	return 1;
}

int table_put(struct table *t, const struct table_key *key, const void *value,
	      uint32_t vlen, unsigned flags)
{
	arena_ref *link, at;
	struct record *r;
	int ret;

	link = find_link(t, key);
	if (*link && (flags & NR_CREATE))
		return -EEXIST;
	if (!*link && (flags & NR_REPLACE))
		return -ENOENT;
	if (*link) {
		ret = replace(t, link, key, value, vlen);
	} else {
		at = arena_alloc(&t->arena, table_record(key->len, vlen));
		if (!at)
			return -ENOMEM;
		r = arena_at(&t->arena, at);
		r->next = 0;
		fill(r, key, value, vlen);
		*link = at;
		t->count++;
		ret = 0;
	}
	if (ret >= 0)
		move_some(t);
	return ret;
}

int table_remove(struct table *t, const struct table_key *key)
{
	arena_ref *link = find_link(t, key), at = *link;
	struct record *r;

	if (!at)
		return -ENOENT;
	r = arena_at(&t->arena, at);
	*link = r->next;
	arena_free(&t->arena, at, table_record(r->klen, r->vlen));
	t->count--;
	move_some(t);
	return 0;
}

uint32_t table_wants(const struct table *t)
{
	uint32_t bits = t->bits;

	if (t->old)
		return 0;
	while (bits < BITS_MAX && t->count >> bits)
		bits++;
	return bits > t->bits ? bits : 0;
}

uint32_t table_wants_now(const struct table *t)
{
	uint64_t quarter = (UINT64_C(1) << t->bits) / 4;

	return quarter && t->count & (quarter - 1) ? 0 : table_wants(t);
}

void table_add(struct table *t, arena_ref *buckets, uint32_t bits)
{
	t->old = t->buckets;
	t->old_bits = t->bits;
	t->moved = 0;
	t->buckets = buckets;
	t->bits = bits;
}

static int each_of(const struct table *t, const arena_ref *buckets,
		   uint64_t from, uint32_t bits,
		   int (*fn)(const struct record *r, void *arg), void *arg)
{
	int ret = 0;

	for (uint64_t i = from; !(i >> bits) && !ret; i++)
		for (arena_ref at = buckets[i]; at && !ret;) {
			const struct record *r = arena_at(&t->arena, at);

			at = r->next;
			ret = fn(r, arg);
		}
	return ret;
}

int table_each(const struct table *t,
	       int (*fn)(const struct record *r, void *arg), void *arg)
{
	int ret = each_of(t, t->buckets, 0, t->bits, fn, arg);

	if (!ret && t->old)
		ret = each_of(t, t->old, t->moved, t->old_bits, fn, arg);
	return ret;
}
