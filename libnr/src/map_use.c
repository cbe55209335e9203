/* SPDX-License-Identifier: MIT */
/* map_use.c - the replicated map: what a program calls all the time */
#include <errno.h>

#include "hash.h"
#include "map.h"

/* Longer operations are made on the heap. */
#define SMALL 256u

static int update(struct nr_map_context *c, const struct map_op *head,
		  const void *key, const void *value, struct map_result *r)
{
	size_t len = sizeof(*head) + head->klen + head->vlen;
	_Alignas(8) unsigned char small[SMALL];
	struct map_op *op = len <= SMALL ? (void *)small : mem_alloc(len);
	int err;

	if (!op)
		return -ENOMEM;
	*op = *head;
	if (head->klen)
		memcpy(op->bytes, key, head->klen);
	if (head->vlen)
		memcpy(op->bytes + head->klen, value, head->vlen);
	err = nr_update(c->context, op, len, r);
	if (len > SMALL)
		mem_free(op);
	return err;
}

NR_PUBLIC int nr_map_put(struct nr_map_context *c, const void *key, size_t klen,
			 const void *value, size_t vlen, unsigned flags)
{
	struct map_op op = { .kind = MAP_PUT };
	_Alignas(8) struct map_result r;
	int err;

	if (klen >= NR_KEY_MAX || vlen >= NR_VALUE_MAX)
		return -EMSGSIZE;
	if (flags > NR_REPLACE)
		return -EINVAL;
	op.hash = hash_bytes(key, klen, c->map->seed);
	op.flags = flags & 15;
	op.klen = klen & (NR_KEY_MAX - 1);
	op.vlen = (uint32_t)vlen;
	do {
		err = update(c, &op, key, value, &r);
		if (err)
			return err;
		if (r.ret == -ENOMEM)
			err = map_grow(c, table_record(klen, vlen), r.wants);
	} while (r.ret == -ENOMEM && !err);
	if (err)
		return err;
	if (!r.ret && r.wants)
		map_grow_buckets(c);
	return r.ret;
}

NR_PUBLIC int nr_map_remove(struct nr_map_context *c, const void *key,
			    size_t klen)
{
	struct map_op op = { .kind = MAP_REMOVE };
	_Alignas(8) struct map_result r;
	int err;

	if (klen >= NR_KEY_MAX)
		return -EMSGSIZE;
	op.hash = hash_bytes(key, klen, c->map->seed);
	op.klen = klen & (NR_KEY_MAX - 1);
	err = update(c, &op, key, NULL, &r);
	return err ? err : r.ret;
}

static void ask_value(const struct table *t, struct map_query *q)
{
	const struct record *r = table_find(t, &q->key);
	size_t n;

	q->ret = -ENOENT;
	if (!r)
		return;
	n = r->vlen < q->room ? r->vlen : q->room;
	if (n)
		memcpy(q->to, record_value(r), n);
	q->ret = r->vlen;
}

NR_PUBLIC int nr_map_get(struct nr_map_context *c, const void *key, size_t klen,
			 void *value, size_t room)
{
	struct map_query q = { .fn = ask_value, .to = value, .room = room };

	if (klen >= NR_KEY_MAX)
		return -ENOENT;
	q.key.hash = hash_bytes(key, klen, c->map->seed);
	q.key.bytes = key;
	q.key.len = (uint32_t)klen;
	return (int)map_ask(c, &q);
}

static void ask_count(const struct table *t, struct map_query *q)
{
	q->ret = (int64_t)t->count;
}

NR_PUBLIC uint64_t nr_map_count(struct nr_map_context *c)
{
	struct map_query q = { .fn = ask_count };

	return (uint64_t)map_ask(c, &q);
}

static int call_each(const struct record *r, void *arg)
{
	const struct map_query *q = arg;

	return q->each(r->bytes, r->klen, record_value(r), r->vlen, q->to);
}

static void ask_each(const struct table *t, struct map_query *q)
{
	q->ret = table_each(t, call_each, q);
}

NR_PUBLIC int nr_map_each(struct nr_map_context *c,
			  int (*fn)(const void *key, size_t klen,
				    const void *value, size_t vlen, void *arg),
			  void *arg)
{
	struct map_query q = { .fn = ask_each, .each = fn, .to = arg };

	return (int)map_ask(c, &q);
}
