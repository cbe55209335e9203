/* SPDX-License-Identifier: MIT */
#include "sorted.h"

#include <errno.h>
#include <string.h>

#include "point.h"
#include "util.h"

/* ---- the order ---------------------------------------------------------- */

struct sorted_key sorted_key(const void *bytes, size_t len)
{
	struct sorted_key key = { bytes, 0, 0 };
	const unsigned char *at = bytes;

	/* No key is as long: what is cut off does not matter. */
	key.len = (uint32_t)min_u64(len, NR_KEY_MAX);
	for (unsigned i = 0; i < 8; i++)
		key.first = key.first << 8 | (i < len ? at[i] : 0);
	return key;
}

static int compare_rest(const struct node *n, const struct sorted_key *key)
{
	uint32_t len = n->klen < key->len ? n->klen : key->len;
	int c = len ? memcmp(node_key(n), key->bytes, len) : 0;

	return c ? c : (n->klen > key->len) - (n->klen < key->len);
}

/* Is what the link leads to before the key? If @equal, or is it that? */
static int is_before(const struct sorted *s, const struct link *l,
		     const struct sorted_key *key, int equal)
{
	int c;

	if (!l->to)
		return 0;
	if (l->first != key->first)
		return l->first < key->first;
	c = compare_rest(arena_at(&s->arena, l->to), key);
	return c < 0 || (equal && !c);
}

/* ---- searching ---------------------------------------------------------- */

/* Links of what is at @ref; the head's if that is 0. */
static struct link *links(const struct sorted *s, arena_ref ref)
{
	struct node *n;

	if (!ref)
		return (struct link *)(uintptr_t)s->head;
	n = arena_at(&s->arena, ref);
	return n->next;
}

/*
 * The last before the key, or with @equal not after it; 0: the head. @path, if
 * not NULL: that on each level.
 */
static arena_ref search(const struct sorted *s, const struct sorted_key *key,
			int equal, arena_ref *path)
{
	arena_ref at = 0;

	for (unsigned level = SORTED_LEVELS; level--;) {
		struct link *l = &links(s, at)[level];

		while (is_before(s, l, key, equal)) {
			at = l->to;
			l = &links(s, at)[level];
		}
		if (path)
			path[level] = at;
	}
	return at;
}

static const struct node *node_or_null(const struct sorted *s, arena_ref ref)
{
	return ref ? arena_at(&s->arena, ref) : NULL;
}

const struct node *sorted_next(const struct sorted *s, const struct node *n)
{
	return node_or_null(s, n->next[0].to);
}

const struct node *sorted_find(const struct sorted *s,
			       const struct sorted_key *key,
			       enum nr_neighbour which)
{
	const struct node *n;
	arena_ref at;

	switch (which) {
	case NR_FIRST:
		return node_or_null(s, s->head[0].to);
	case NR_LAST:
		return node_or_null(s, s->last[0]);
	case NR_AT_MOST:
	case NR_BEFORE:
		at = search(s, key, which == NR_AT_MOST, NULL);
		return node_or_null(s, at);
	default:
		at = search(s, key, which == NR_AFTER, NULL);
		n = node_or_null(s, links(s, at)[0].to);
		return n && which == NR_EQUAL && compare_rest(n, key) ? NULL
								      : n;
	}
}

/* ---- changing ----------------------------------------------------------- */

/*
 * The path to where the key is, or would be. Most often, where keys come in
 * order, that is the end.
 */
static void find_path(const struct sorted *s, const struct sorted_key *key,
		      arena_ref *path)
{
	struct link end = { s->last[0], 0 };

	if (end.to) {
		const struct node *n = arena_at(&s->arena, end.to);

		end.first = sorted_key(node_key(n), n->klen).first;
		if (is_before(s, &end, key, 0)) {
			memcpy(path, s->last, sizeof(s->last));
			return;
		}
	}
	search(s, key, 0, path);
}

static size_t node_bytes(unsigned levels, size_t klen, size_t vlen)
{
	return sizeof(struct node) + levels * sizeof(struct link) + klen + vlen;
}

/* Of the next entry. */
static unsigned draw_levels(uint64_t random)
{
	unsigned levels = 1;

	/* splitmix64 (Steele, Lea, Flood, OOPSLA'14) */
	random = (random ^ (random >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	random = (random ^ (random >> 27)) * UINT64_C(0x94d049bb133111eb);
	random ^= random >> 31;
	while (levels < SORTED_LEVELS && !(random & 3)) {
		levels++;
		random >>= 2;
	}
	return levels;
}

static arena_ref make_node(struct sorted *s, unsigned levels,
			   const struct sorted_key *key, const void *value,
			   uint32_t vlen)
{
	arena_ref ref =
		arena_alloc(&s->arena, node_bytes(levels, key->len, vlen));
	struct node *n;
	unsigned char *to;

	if (!ref)
		return 0;
	n = arena_at(&s->arena, ref);
	n->klen = key->len;
	n->vlen = vlen;
	n->levels = levels;
	n->unused = 0;
	to = (unsigned char *)&n->next[levels];
	if (key->len)
		memcpy(to, key->bytes, key->len);
	if (vlen)
		memcpy(to + key->len, value, vlen);
	return ref;
}

static void free_node(struct sorted *s, arena_ref ref)
{
	struct node *n = arena_at(&s->arena, ref);

	arena_free(&s->arena, ref, node_bytes(n->levels, n->klen, n->vlen));
}

static void put_in(struct sorted *s, const arena_ref *path, arena_ref ref,
		   uint64_t first)
{
	struct node *n = arena_at(&s->arena, ref);

	for (unsigned i = 0; i < n->levels; i++) {
		struct link *l = &links(s, path[i])[i];

		n->next[i] = *l;
		*l = (struct link){ ref, first };
		if (!n->next[i].to)
			s->last[i] = ref;
	}
	s->count++;
}

static void take_out(struct sorted *s, const arena_ref *path, arena_ref ref)
{
	struct node *n = arena_at(&s->arena, ref);

	for (unsigned i = 0; i < n->levels; i++) {
		links(s, path[i])[i] = n->next[i];
		if (!n->next[i].to && !mutant(SORTED_LAST))
			s->last[i] = path[i];
	}
	s->count--;
}

/* In its place if the room is the same; else another one of the same height. */
static int replace(struct sorted *s, const arena_ref *path, arena_ref ref,
		   const struct sorted_key *key, const void *value,
		   uint32_t vlen)
{
	struct node *n = arena_at(&s->arena, ref);
	unsigned levels = n->levels;
	arena_ref other;

	if (arena_same(node_bytes(levels, n->klen, n->vlen),
		       node_bytes(levels, n->klen, vlen))) {
		n->vlen = vlen;
		if (vlen)
			memcpy((unsigned char *)&n->next[levels] + n->klen,
			       value, vlen);
		return 1;
	}
	other = make_node(s, levels, key, value, vlen);
	if (!other)
		return -ENOMEM;
	take_out(s, path, ref);
	put_in(s, path, other, key->first);
	free_node(s, ref);
	return 1;
}

int sorted_put(struct sorted *s, const struct sorted_key *key,
	       const void *value, uint32_t vlen, unsigned flags)
{
	uint64_t random = s->random + UINT64_C(0x9e3779b97f4a7c15);
	arena_ref path[SORTED_LEVELS], ref;
	const struct node *n;

	find_path(s, key, path);
	ref = links(s, path[0])[0].to;
	n = node_or_null(s, ref);
	if (n && !compare_rest(n, key))
		return flags & NR_CREATE
			       ? -EEXIST
			       : replace(s, path, ref, key, value, vlen);
	if (flags & NR_REPLACE)
		return -ENOENT;
	ref = make_node(s, draw_levels(random), key, value, vlen);
	if (!ref)
		return -ENOMEM;
	s->random = random;
	put_in(s, path, ref, key->first);
	return 0;
}

int sorted_remove(struct sorted *s, const struct sorted_key *key)
{
	arena_ref path[SORTED_LEVELS], ref;
	const struct node *n;

	search(s, key, 0, path);
	ref = links(s, path[0])[0].to;
	n = node_or_null(s, ref);
	if (!n || compare_rest(n, key))
		return -ENOENT;
	take_out(s, path, ref);
	free_node(s, ref);
	return 0;
}

/* ---- all of it ---------------------------------------------------------- */

void sorted_init(struct sorted *s, uint64_t seed)
{
	s->random = seed;
}

int sorted_clone(struct sorted *to, const struct sorted *from)
{
	struct sorted s = *from;
	int err = arena_clone(&s.arena, &from->arena);

	if (!err)
		*to = s;
	return err;
}

void sorted_fini(struct sorted *s)
{
	arena_fini(&s->arena);
}

int sorted_range(const struct sorted *s, const void *from, size_t flen,
		 const void *to, size_t tlen,
		 int (*fn)(const struct nr_entry *entry, void *arg), void *arg)
{
	struct sorted_key first = sorted_key(from, from ? flen : 0);
	struct sorted_key end = sorted_key(to, to ? tlen : 0);
	const struct node *n = sorted_find(s, &first, NR_AT_LEAST);
	int ret = 0;

	for (; n && !ret; n = sorted_next(s, n)) {
		struct nr_entry entry = sorted_entry(n);

		if (to && compare_rest(n, &end) >= 0)
			break;
		ret = fn(&entry, arg);
	}
	return ret;
}
