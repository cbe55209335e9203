/* SPDX-License-Identifier: MIT */
/* table.c - the entries of a table */
#include "table.h"

#include <errno.h>

#include "nr_table.h"
#include "table_find.h"
#include "util.h"

/* ---- finding ------------------------------------------------------------ */

static int is_record(const struct record *r, const struct table_key *key)
{
	return r->hash == key->hash && r->klen == key->len &&
	       (!key->len || !memcmp(r->bytes, key->bytes, key->len));
}

int table_is_key(const struct table *t, const struct bucket *b, unsigned i,
		 const struct table_key *key)
{
	const union table_slot *s = &b->slots[i];

	if (b->kinds[i] < SLOT_LIST)
		return small_klen(b->kinds[i]) == key->len &&
		       (!key->len || !memcmp(s->bytes, key->bytes, key->len));
	return b->kinds[i] == SLOT_FAR && s->far.hash == key->hash &&
	       is_record(arena_at(&t->arena, s->far.ref), key);
}

arena_ref *table_find_link(const struct table *t, struct bucket *b,
			   const struct table_key *key)
{
	arena_ref *link = list(b);

	while (*link) {
		struct record *r = arena_at(&t->arena, *link);

		if (is_record(r, key))
			break;
		link = &r->next;
	}
	return link;
}

/* What refers to its record, or to none at the end of the list; NULL: there is
 * no list. */
static arena_ref *find_link(const struct table *t, struct bucket *b,
			    const struct table_key *key)
{
	return has_list(b) ? table_find_link(t, b, key) : NULL;
}

/* ---- putting ------------------------------------------------------------ */

static void fill(struct record *r, uint64_t hash, const struct table_entry *e)
{
	r->hash = hash;
	r->klen = e->klen;
	r->vlen = e->vlen;
	if (e->klen)
		memcpy(r->bytes, e->key, e->klen);
	if (e->vlen)
		memcpy(r->bytes + e->klen, e->value, e->vlen);
}

/* 0: there is no room. */
static arena_ref make_record(struct table *t, uint64_t hash,
			     const struct table_entry *e, arena_ref next)
{
	arena_ref at = arena_alloc(&t->arena, table_record(e->klen, e->vlen));
	struct record *r;

	if (!at)
		return 0;
	r = arena_at(&t->arena, at);
	r->next = next;
	fill(r, hash, e);
	return at;
}

static void free_record(struct table *t, arena_ref at)
{
	const struct record *r = arena_at(&t->arena, at);

	arena_free(&t->arena, at, table_record(r->klen, r->vlen));
}

/* In its place if the room is the same; else @link's record is another one. */
static int replace_record(struct table *t, arena_ref *link, uint64_t hash,
			  const struct table_entry *e)
{
	struct record *r = arena_at(&t->arena, *link);
	arena_ref old = *link, at;

	if (arena_same(table_record(r->klen, r->vlen),
		       table_record(e->klen, e->vlen))) {
		fill(r, hash, e);
		return 0;
	}
	at = make_record(t, hash, e, r->next);
	if (!at)
		return -ENOMEM;
	*link = at;
	free_record(t, old);
	return 0;
}

/* @i is empty, or has another value of the key. */
static int put_slot(struct table *t, struct bucket *b, unsigned i,
		    uint64_t hash, const struct table_entry *e)
{
	int far = b->kinds[i] == SLOT_FAR;
	arena_ref at = far ? b->slots[i].far.ref : 0;

	if (is_small(e->klen, e->vlen)) {
		slot_set_small(b, i, hash, e);
		if (far)
			free_record(t, at);
		return 0;
	}
	if (far)
		return replace_record(t, &b->slots[i].far.ref, hash, e);
	at = make_record(t, hash, e, 0);
	if (!at)
		return -ENOMEM;
	slot_set_far(b, i, hash, at);
	return 0;
}

/* All slots are used: the last one's entry becomes the first of a list. */
static int make_list(struct table *t, struct bucket *b)
{
	struct table_entry e = slot_entry(t, b, LAST);
	arena_ref at = b->kinds[LAST] == SLOT_FAR
			       ? b->slots[LAST].far.ref
			       : make_record(t, slot_hash(t, b, LAST), &e, 0);

	if (!at)
		return -ENOMEM;
	list_push(t, b, at);
	return 0;
}

static int add(struct table *t, struct bucket *b, uint64_t hash,
	       const struct table_entry *e)
{
	unsigned i = empty_slot(b);
	arena_ref at;

	if (i < TABLE_SLOTS)
		return put_slot(t, b, i, hash, e);
	at = make_record(t, hash, e, 0);
	if (!at)
		return -ENOMEM;
	if (!has_list(b) && make_list(t, b)) {
		free_record(t, at);
		return -ENOMEM;
	}
	list_push(t, b, at);
	return 0;
}

int table_put(struct table *t, const struct table_key *key, const void *value,
	      uint32_t vlen, unsigned flags)
{
	const struct table_entry e = { key->bytes, value, key->len, vlen };
	struct bucket *b = table_bucket(t, key->hash);
	unsigned i = table_find_slot(t, b, key);
	arena_ref *link = i < TABLE_SLOTS ? NULL : find_link(t, b, key);
	int there = i < TABLE_SLOTS || (link && *link), ret;

	if (there && (flags & NR_CREATE))
		return -EEXIST;
	if (!there && (flags & NR_REPLACE))
		return -ENOENT;
	if (!there)
		ret = add(t, b, key->hash, &e);
	else if (link)
		ret = replace_record(t, link, key->hash, &e);
	else
		ret = put_slot(t, b, i, key->hash, &e);
	if (ret)
		return ret;
	t->count += !there;
	table_move_some(t);
	return there;
}

/* ---- removing ----------------------------------------------------------- */

/* Who waits for a slot gets it. */
static void empty(struct table *t, struct bucket *b, unsigned i)
{
	if (b->kinds[i] == SLOT_FAR)
		free_record(t, b->slots[i].far.ref);
	slot_clear(b, i);
	if (has_list(b))
		slot_set_record(t, b, i, list_pop(t, b));
}

/* -ENOENT: it is not in its bucket's list. */
static int unlink_record(struct table *t, struct bucket *b,
			 const struct table_key *key)
{
	arena_ref *link = find_link(t, b, key), at = link ? *link : 0;

	if (!at)
		return -ENOENT;
	*link = ((struct record *)arena_at(&t->arena, at))->next;
	free_record(t, at);
	return 0;
}

int table_remove(struct table *t, const struct table_key *key)
{
	struct bucket *b = table_bucket(t, key->hash);
	unsigned i = table_find_slot(t, b, key);

	if (i < TABLE_SLOTS)
		empty(t, b, i);
	else if (unlink_record(t, b, key))
		return -ENOENT;
	list_settle(t, b);
	t->count--;
	table_move_some(t);
	return 0;
}

/* ---- all ---------------------------------------------------------------- */

static int each_in(const struct table *t, const struct bucket *b,
		   int (*fn)(const struct table_entry *e, void *arg), void *arg)
{
	arena_ref at = has_list(b) ? b->slots[LAST].far.ref : 0;
	struct table_entry e;
	int ret = 0;

	for (unsigned i = 0; i < TABLE_SLOTS && !ret; i++)
		if (is_used(b, i) && b->kinds[i] != SLOT_LIST) {
			e = slot_entry(t, b, i);
			ret = fn(&e, arg);
		}
	while (at && !ret) {
		const struct record *r = arena_at(&t->arena, at);

		at = r->next;
		e = record_entry(r);
		ret = fn(&e, arg);
	}
	return ret;
}

static int each_of(const struct table *t, const struct bucket *buckets,
		   uint64_t from, uint32_t bits,
		   int (*fn)(const struct table_entry *e, void *arg), void *arg)
{
	int ret = 0;

	for (uint64_t i = from; !(i >> bits) && !ret; i++)
		ret = each_in(t, &buckets[i], fn, arg);
	return ret;
}

int table_each(const struct table *t,
	       int (*fn)(const struct table_entry *e, void *arg), void *arg)
{
	int ret = each_of(t, t->buckets, 0, t->bits, fn, arg);

	if (!ret && t->old)
		ret = each_of(t, t->old, t->moved, t->old_bits, fn, arg);
	return ret;
}
