/* SPDX-License-Identifier: MIT */
/* map.c - the replicated map: making it, and its replicas */
#include "map.h"

#include <errno.h>

#include "hash.h"
#include "util.h"

/* ---- what replicas do --------------------------------------------------- */

static int map_init(void *object, void *arg)
{
	return table_init(object, ((const struct nr_map *)arg)->seed);
}

static void map_fini(void *object, void *arg)
{
	(void)arg;
	table_fini(object);
}

static int map_clone(void *object, const void *from, void *arg)
{
	(void)arg;
	return table_clone(object, from);
}

static int map_own(void *object, const struct pooled_op *op, int asked)
{
	struct table_key key = { op->word, op->bytes, op->klen };

	if (op->kind == MAP_REMOVE)
		return table_remove(object, &key);
	if (op->kind == MAP_MODIFY)
		return map_modify(object, op, asked);
	return table_put(object, &key, op->bytes + op->klen, op->vlen,
			 op->flags);
}

static uint32_t map_wants(const void *object, const struct pooled_op *op,
			  int ret)
{
	/* Is it new? (Of a change we do not know; to look after a remove, too,
	 * costs nothing.) */
	return op->kind == MAP_MODIFY || !ret ? table_wants_now(object) : 0;
}

/* More buckets: how many bits of the hash. */
static uint64_t map_extra(const void *object)
{
	return table_wants(object);
}

static size_t map_extra_bytes(uint64_t bits)
{
	return table_bytes((uint32_t)bits);
}

static void map_add_extra(void *object, void *memory, uint64_t bits)
{
	table_add(object, memory, (uint32_t)bits);
}

static const struct pooled_type map_type = {
	.arena = offsetof(struct table, arena),
	.update = map_own,
	.wants = map_wants,
	.extra = map_extra,
	.extra_bytes = map_extra_bytes,
	.add_extra = map_add_extra,
};

static void map_update(void *object, const void *op, size_t len, void *result)
{
	(void)len;
	pooled_update(&map_type, object, op, result);
}

static const struct nr_ops map_ops = {
	.size = sizeof(map_ops),
	.object_size = sizeof(struct table),
	.result_size = sizeof(struct pooled_result),
	.init = map_init,
	.fini = map_fini,
	.update = map_update,
	.read = pooled_read,
	.clone = map_clone,
};

/* ---- the map ------------------------------------------------------------ */

NR_PUBLIC int nr_map_create(const struct nr_map_attr *attr, struct nr_map **out)
{
	struct nr_map_attr a = NR_MAP_ATTR_INIT;
	int err = attr ? sized_read(&a, sizeof(a), attr) : 0;
	struct nr_map *map;

	if (err)
		return err;
	map = mem_alloc(sizeof(*map));
	if (!map)
		return -ENOMEM;
	map->seed = a.seed ? a.seed : hash_seed();
	err = pooled_create(&map->pool, &map_type, &map_ops, a.nr, map);
	if (err)
		mem_free(map);
	else
		*out = map;
	return err;
}

NR_PUBLIC int nr_map_destroy(struct nr_map *map)
{
	int err = map ? pooled_destroy(&map->pool) : 0;

	if (!err)
		mem_free(map);
	return err;
}

NR_PUBLIC int nr_map_register(struct nr_map *map,
			      const struct nr_context_attr *attr,
			      struct nr_map_context **out)
{
	struct pooled_context *c;
	int err = pooled_register(&map->pool, attr,
				  sizeof(struct nr_map_context), &c);

	if (!err)
		*out = (struct nr_map_context *)c;
	return err;
}

NR_PUBLIC void nr_map_leave(struct nr_map_context *c)
{
	pooled_leave((struct pooled_context *)c);
}

NR_PUBLIC int nr_map_replica_add(struct nr_map *map, int place)
{
	return pooled_replica_add(&map->pool, place);
}

NR_PUBLIC int nr_map_replica_remove(struct nr_map *map, uint32_t replica)
{
	return pooled_replica_remove(&map->pool, replica);
}

NR_PUBLIC struct nr *nr_map_nr(struct nr_map *map)
{
	return map->pool.nr;
}
