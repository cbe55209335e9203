/* SPDX-License-Identifier: MIT */
/* omap.c - the replicated ordered map: a sorted.h with a pool (pooled.h) */
#include <errno.h>

#include "hash.h"
#include "nr_omap.h"
#include "pooled.h"
#include "sorted.h"
#include "util.h"

enum omap_kind { OMAP_PUT = POOLED_OWN, OMAP_REMOVE };

struct nr_omap {
	struct pooled pool;
	uint64_t seed;
};

struct nr_omap_context {
	struct pooled_context base;
};

/* ---- what replicas do --------------------------------------------------- */

static int omap_init(void *object, void *arg)
{
	sorted_init(object, *(const uint64_t *)arg);
	return 0;
}

static void omap_fini(void *object, void *arg)
{
	(void)arg;
	sorted_fini(object);
}

static int omap_clone(void *object, const void *from, void *arg)
{
	(void)arg;
	return sorted_clone(object, from);
}

static int omap_own(void *object, const struct pooled_op *op, int asked)
{
	struct sorted_key key = sorted_key(op->bytes, op->klen);

	(void)asked;
	if (op->kind == OMAP_REMOVE)
		return sorted_remove(object, &key);
	return sorted_put(object, &key, op->bytes + op->klen, op->vlen,
			  op->flags);
}

static const struct pooled_type omap_type = {
	.arena = offsetof(struct sorted, arena),
	.update = omap_own,
};

static void omap_update(void *object, const void *op, size_t len, void *result)
{
	(void)len;
	pooled_update(&omap_type, object, op, result);
}

static const struct nr_ops omap_ops = {
	.size = sizeof(omap_ops),
	.object_size = sizeof(struct sorted),
	.result_size = sizeof(struct pooled_result),
	.init = omap_init,
	.fini = omap_fini,
	.update = omap_update,
	.read = pooled_read,
	.clone = omap_clone,
};

/* ---- the map ------------------------------------------------------------ */

NR_PUBLIC int nr_omap_create(const struct nr_omap_attr *attr,
			     struct nr_omap **out)
{
	struct nr_omap_attr a = NR_OMAP_ATTR_INIT;
	int err = attr ? sized_read(&a, sizeof(a), attr) : 0;
	struct nr_omap *map;

	if (err)
		return err;
	map = mem_alloc(sizeof(*map));
	if (!map)
		return -ENOMEM;
	map->seed = a.seed ? a.seed : hash_seed();
	err = pooled_create(&map->pool, &omap_type, &omap_ops, a.nr,
			    &map->seed);
	if (err)
		mem_free(map);
	else
		*out = map;
	return err;
}

NR_PUBLIC int nr_omap_destroy(struct nr_omap *map)
{
	int err = map ? pooled_destroy(&map->pool) : 0;

	if (!err)
		mem_free(map);
	return err;
}

NR_PUBLIC int nr_omap_register(struct nr_omap *map,
			       const struct nr_context_attr *attr,
			       struct nr_omap_context **out)
{
	struct pooled_context *c;
	int err = pooled_register(&map->pool, attr,
				  sizeof(struct nr_omap_context), &c);

	if (!err)
		*out = (struct nr_omap_context *)c;
	return err;
}

NR_PUBLIC void nr_omap_leave(struct nr_omap_context *c)
{
	pooled_leave((struct pooled_context *)c);
}

NR_PUBLIC int nr_omap_replica_add(struct nr_omap *map, int place)
{
	return pooled_replica_add(&map->pool, place);
}

NR_PUBLIC int nr_omap_replica_remove(struct nr_omap *map, uint32_t replica)
{
	return pooled_replica_remove(&map->pool, replica);
}

NR_PUBLIC struct nr *nr_omap_nr(struct nr_omap *map)
{
	return map->pool.nr;
}

/* ---- updates ------------------------------------------------------------ */

/* Begin an operation: 0, -EMSGSIZE, -EINVAL. */
static int put_op(struct pooled_op *op, size_t klen, size_t vlen,
		  unsigned flags)
{
	if (klen >= NR_KEY_MAX || vlen >= NR_VALUE_MAX)
		return -EMSGSIZE;
	if (flags > NR_REPLACE)
		return -EINVAL;
	*op = (struct pooled_op){
		.kind = OMAP_PUT,
		.flags = flags & 15,
		.klen = klen & (NR_KEY_MAX - 1),
		.vlen = (uint32_t)vlen,
	};
	return 0;
}

static int remove_op(struct pooled_op *op, size_t klen)
{
	int err = put_op(op, klen, 0, 0);

	op->kind = OMAP_REMOVE;
	return err;
}

NR_PUBLIC int nr_omap_put(struct nr_omap_context *c, const void *key,
			  size_t klen, const void *value, size_t vlen,
			  unsigned flags)
{
	struct pooled_op op;
	int err = put_op(&op, klen, vlen, flags);

	return err ? err
		   : pooled_do(&c->base, &op, key, value,
			       sorted_node_max(klen, vlen));
}

NR_PUBLIC int nr_omap_remove(struct nr_omap_context *c, const void *key,
			     size_t klen)
{
	struct pooled_op op;
	int err = remove_op(&op, klen);

	return err ? err : pooled_do(&c->base, &op, key, NULL, 0);
}

NR_PUBLIC int nr_omap_submit_put(struct nr_omap_context *c, const void *key,
				 size_t klen, const void *value, size_t vlen,
				 unsigned flags, uint64_t tag)
{
	struct pooled_op op;
	int err = put_op(&op, klen, vlen, flags);

	return err ? err
		   : pooled_submit(&c->base, &op, key, value,
				   sorted_node_max(klen, vlen), tag);
}

NR_PUBLIC int nr_omap_submit_remove(struct nr_omap_context *c, const void *key,
				    size_t klen, uint64_t tag)
{
	struct pooled_op op;
	int err = remove_op(&op, klen);

	return err ? err : pooled_submit(&c->base, &op, key, NULL, 0, tag);
}

NR_PUBLIC int nr_omap_poll(struct nr_omap_context *c, struct nr_done *done,
			   unsigned n)
{
	return pooled_poll(&c->base, done, n);
}

NR_PUBLIC int nr_omap_wait(struct nr_omap_context *c, struct nr_done *done,
			   unsigned n, unsigned min)
{
	return pooled_wait(&c->base, done, n, min);
}

/* ---- reads -------------------------------------------------------------- */

struct find {
	struct pooled_query q;
	struct sorted_key key;
	enum nr_neighbour which;
	struct nr_found *found;
};

static void copy(void *to, size_t room, const void *from, size_t len)
{
	if (len > room)
		len = room;
	if (len)
		memcpy(to, from, len);
}

static void ask_find(const void *object, struct pooled_query *q)
{
	struct find *f = (void *)q;
	struct nr_found *found = f->found;
	const struct node *n = sorted_find(object, &f->key, f->which);

	q->ret = n ? 0 : -ENOENT;
	if (!n)
		return;
	found->klen = n->klen;
	found->vlen = n->vlen;
	copy(found->key, found->kroom, node_key(n), n->klen);
	copy(found->value, found->vroom, node_value(n), n->vlen);
}

NR_PUBLIC int nr_omap_find(struct nr_omap_context *c, const void *key,
			   size_t klen, enum nr_neighbour which,
			   struct nr_found *found)
{
	struct find f = { .q = { ask_find, 0 },
			  .which = which,
			  .found = found };

	if ((unsigned)which > NR_LAST)
		return -EINVAL;
	if (which < NR_FIRST)
		f.key = sorted_key(key, klen);
	return (int)pooled_ask(&c->base, &f.q);
}

NR_PUBLIC int nr_omap_get(struct nr_omap_context *c, const void *key,
			  size_t klen, void *value, size_t room)
{
	struct nr_found found = { .value = value, .vroom = room };
	int err = nr_omap_find(c, key, klen, NR_EQUAL, &found);

	return err ? err : (int)found.vlen;
}

static void ask_count(const void *object, struct pooled_query *q)
{
	q->ret = (int64_t)((const struct sorted *)object)->count;
}

NR_PUBLIC uint64_t nr_omap_count(struct nr_omap_context *c)
{
	struct pooled_query q = { ask_count, 0 };

	return (uint64_t)pooled_ask(&c->base, &q);
}

struct range {
	struct pooled_query q;
	const void *from, *to;
	size_t flen, tlen;
	int (*fn)(const struct nr_entry *entry, void *arg);
	void *arg;
};

static void ask_range(const void *object, struct pooled_query *q)
{
	struct range *r = (void *)q;

	q->ret = sorted_range(object, r->from, r->flen, r->to, r->tlen, r->fn,
			      r->arg);
}

NR_PUBLIC int nr_omap_range(struct nr_omap_context *c, const void *from,
			    size_t flen, const void *to, size_t tlen,
			    int (*fn)(const struct nr_entry *entry, void *arg),
			    void *arg)
{
	struct range r = { { ask_range, 0 }, from, to, flen, tlen, fn, arg };

	return (int)pooled_ask(&c->base, &r.q);
}
