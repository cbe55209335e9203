/* SPDX-License-Identifier: MIT */
/* map_use.c - the replicated map: what a program calls all the time */
#include <errno.h>

#include "hash.h"
#include "map.h"

NR_PUBLIC int nr_map_put(struct nr_map_context *c, const void *key, size_t klen,
			 const void *value, size_t vlen, unsigned flags)
{
	struct pooled_op op = { .kind = MAP_PUT };
	_Alignas(8) struct pooled_result r;
	int ret;

	if (klen >= NR_KEY_MAX || vlen >= NR_VALUE_MAX)
		return -EMSGSIZE;
	if (flags > NR_REPLACE)
		return -EINVAL;
	op.word = hash_bytes(key, klen, map_seed(c));
	op.flags = flags & 15;
	op.klen = klen & (NR_KEY_MAX - 1);
	op.vlen = (uint32_t)vlen;
	ret = pooled_do(&c->base, &op, key, value, table_record(klen, vlen),
			&r);
	if (!ret && r.wants)
		map_grow_buckets(c);
	return ret;
}

NR_PUBLIC int nr_map_remove(struct nr_map_context *c, const void *key,
			    size_t klen)
{
	struct pooled_op op = { .kind = MAP_REMOVE };
	_Alignas(8) struct pooled_result r;

	if (klen >= NR_KEY_MAX)
		return -EMSGSIZE;
	op.word = hash_bytes(key, klen, map_seed(c));
	op.klen = klen & (NR_KEY_MAX - 1);
	return pooled_do(&c->base, &op, key, NULL, 0, &r);
}

/* ---- reads -------------------------------------------------------------- */

struct get {
	struct pooled_query q;
	struct table_key key;
	void *to;
	size_t room;
};

static void ask_value(const void *object, struct pooled_query *q)
{
	struct get *g = (void *)q;
	const struct record *r = table_find(object, &g->key);
	size_t n;

	q->ret = -ENOENT;
	if (!r)
		return;
	n = r->vlen < g->room ? r->vlen : g->room;
	if (n)
		memcpy(g->to, record_value(r), n);
	q->ret = r->vlen;
}

NR_PUBLIC int nr_map_get(struct nr_map_context *c, const void *key, size_t klen,
			 void *value, size_t room)
{
	struct get g = { .q = { ask_value, 0 }, .to = value, .room = room };

	if (klen >= NR_KEY_MAX)
		return -ENOENT;
	g.key.hash = hash_bytes(key, klen, map_seed(c));
	g.key.bytes = key;
	g.key.len = (uint32_t)klen;
	return (int)pooled_ask(&c->base, &g.q);
}

static void ask_count(const void *object, struct pooled_query *q)
{
	q->ret = (int64_t)((const struct table *)object)->count;
}

NR_PUBLIC uint64_t nr_map_count(struct nr_map_context *c)
{
	struct pooled_query q = { ask_count, 0 };

	return (uint64_t)pooled_ask(&c->base, &q);
}

struct each {
	struct pooled_query q;
	int (*fn)(const void *key, size_t klen, const void *value, size_t vlen,
		  void *arg);
	void *arg;
};

static int call_each(const struct record *r, void *arg)
{
	const struct each *e = arg;

	return e->fn(r->bytes, r->klen, record_value(r), r->vlen, e->arg);
}

static void ask_each(const void *object, struct pooled_query *q)
{
	q->ret = table_each(object, call_each, q);
}

NR_PUBLIC int nr_map_each(struct nr_map_context *c,
			  int (*fn)(const void *key, size_t klen,
				    const void *value, size_t vlen, void *arg),
			  void *arg)
{
	struct each e = { { ask_each, 0 }, fn, arg };

	return (int)pooled_ask(&c->base, &e.q);
}
