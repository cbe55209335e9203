/* SPDX-License-Identifier: MIT */
/*
 * map_modify.c - the replicated map: changes that depend on what is there
 *
 * The operation has the address of a function, which every replica calls. What
 * that writes needs a place first: on the stack, or in the arena, which has
 * room for it on all replicas or on none.
 */
#include <errno.h>
#include <stddef.h>

#include "hash.h"
#include "map.h"
#include "table_find.h"

/* In front of its argument, which so is aligned as this is. */
struct modify {
	int (*fn)(const void *old, size_t olen, void *value, size_t room,
		  const void *arg, size_t alen);
	size_t room;
	/* Of the caller, who waits for it on one replica. */
	void *value;
	size_t vroom;
	_Alignas(8) unsigned char arg[];
};

#ifdef NR_TEST_POINTS
#define STACK 64u /* so that a test sees both */
#else
#define STACK 256u
#endif

/* Bytes of an argument that are too many: it is where keys are in others. */
#define ARG_MAX_ (NR_KEY_MAX - 64)

/* @value has been made. */
static int set(struct table *t, const struct table_key *key, const void *value,
	       int len)
{
	int ret = table_put(t, key, value, (uint32_t)len, 0);

	return ret < 0 ? ret : len;
}

static int make(struct table *t, const struct table_key *key,
		const struct modify *m, size_t alen, void *value)
{
	struct table_entry e = { .value = NULL };
	int n;

	table_find(t, key, &e);
	n = m->fn(e.value, e.vlen, value, m->room, m->arg, alen);

	if (n == -ENOMEM)
		return -EINVAL; /* that is for us to say */
	if (n > 0 && (size_t)n > m->room)
		return -EMSGSIZE;
	return n;
}

int map_modify(struct table *t, const struct pooled_op *op, int asked)
{
	const struct modify *m = (const void *)op->bytes;
	struct table_key key = { op->word, op->bytes + op->klen, op->vlen };
	_Alignas(8) unsigned char small[STACK];
	void *value = small;
	arena_ref ref = 0;
	size_t n;
	int ret;

	if (m->room > STACK) {
		ref = arena_alloc(&t->arena, m->room);
		if (!ref)
			return -ENOMEM;
		value = arena_at(&t->arena, ref);
	}
	/* What fn leaves unwritten is to be the same on all replicas. */
	memset(value, 0, m->room);
	ret = make(t, &key, m, op->klen - offsetof(struct modify, arg), value);
	if (ret >= 0)
		ret = set(t, &key, value, ret);
	else if (ret == -ENOENT)
		table_remove(t, &key);
	if (ret > 0 && (asked || mutant(MODIFY_ALL))) {
		n = (size_t)ret < m->vroom ? (size_t)ret : m->vroom;
		if (n)
			memcpy(m->value, value, n);
	}
	if (ref)
		arena_free(&t->arena, ref, m->room);
	return ret;
}

NR_PUBLIC int nr_map_modify(struct nr_map_context *c, const void *key,
			    size_t klen, const struct nr_map_change *change,
			    void *value, size_t vroom)
{
	size_t head = offsetof(struct modify, arg);
	_Alignas(8) unsigned char small[POOLED_SMALL];
	struct pooled_op op = { .kind = MAP_MODIFY };
	struct modify *m = (void *)small;
	size_t bytes;
	int ret;

	if (klen >= NR_KEY_MAX || change->room >= NR_VALUE_MAX ||
	    change->alen >= ARG_MAX_)
		return -EMSGSIZE;
	if (head + change->alen > sizeof(small))
		m = mem_alloc(head + change->alen);
	if (!m)
		return -ENOMEM;
	m->fn = change->fn;
	m->room = change->room;
	m->value = value;
	m->vroom = vroom;
	if (change->alen)
		memcpy(m->arg, change->arg, change->alen);
	/* The key comes last, for it may be of any length. */
	op.word = hash_bytes(key, klen, map_seed(c));
	op.klen = (head + change->alen) & (NR_KEY_MAX - 1);
	op.vlen = (uint32_t)klen;
	bytes = table_record(klen, change->room);
	ret = pooled_do(&c->base, &op, m, key, bytes);
	if ((void *)m != small)
		mem_free(m);
	return ret;
}
