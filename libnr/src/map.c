/* SPDX-License-Identifier: MIT */
/* map.c - the replicated map: making it, and its replicas */
#include "map.h"

#include <errno.h>
#include <stdlib.h>

#include "hash.h"
#include "replica.h"

/* ---- what replicas do --------------------------------------------------- */

static int map_init(void *object, void *arg)
{
	(void)arg;
	return table_init(object);
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

/* This replica's piece is in the list: whoever made it had the gate. */
static void *my_piece(const void *object, const struct map_op *op)
{
	const struct map_piece *p = (const void *)op->bytes;

	for (uint32_t i = 0; i < op->vlen; i++)
		if (p[i].object == object)
			return p[i].memory;
	invariant(!"a replica was forgotten");
	abort();
}

static int put(struct table *t, const struct map_op *op, uint32_t *wants)
{
	struct table_key key = { op->hash, op->bytes, op->klen };
	int ret = table_put(t, &key, op->bytes + op->klen, op->vlen, op->flags);

	if (ret == -ENOMEM)
		*wants = t->arena.n;
	else if (!ret)
		*wants = table_wants_now(t);
	return ret;
}

static void map_update(void *object, const void *bytes, size_t len,
		       void *result)
{
	const struct map_op *op = bytes;
	struct table_key key = { op->hash, op->bytes, op->klen };
	struct table *t = object;
	struct map_result r = { 0, 0 };

	(void)len;
	switch (op->kind) {
	case MAP_PUT:
		r.ret = put(t, op, &r.wants);
		break;
	case MAP_REMOVE:
		r.ret = table_remove(t, &key);
		break;
	case MAP_CHUNK:
		arena_add(&t->arena, my_piece(object, op), op->hash);
		break;
	case MAP_BUCKETS:
		table_add(t, my_piece(object, op), (uint32_t)op->hash);
		break;
	}
	if (result)
		memcpy(result, &r, sizeof(r));
}

/* The query is the reader's own, and so is what it points to. */
static void map_read(const void *object, const void *op, size_t len,
		     void *result)
{
	struct map_query *q = (void *)(uintptr_t)op;

	(void)len;
	(void)result;
	q->fn(object, q);
}

static const struct nr_ops map_ops = {
	.size = sizeof(map_ops),
	.object_size = sizeof(struct table),
	.result_size = sizeof(struct map_result),
	.init = map_init,
	.fini = map_fini,
	.update = map_update,
	.read = map_read,
	.clone = map_clone,
};

/* ---- the map ------------------------------------------------------------ */

int map_list_room(struct nr_map *map)
{
	struct map_replica *more =
		mem_realloc(map->replicas,
			    (map->nr->nreplicas + 1) * sizeof(*map->replicas));

	if (!more)
		return -ENOMEM;
	map->replicas = more;
	return 0;
}

void map_list(struct nr_map *map)
{
	map->n = 0;
	for (struct replica *r = map->nr->replicas; r; r = r->next)
		map->replicas[map->n++] =
			(struct map_replica){ r->object, r->node };
}

static int look(uint32_t replica, const void *object, void *arg)
{
	(void)replica;
	(void)object;
	(void)arg;
	return 0;
}

void map_settle(struct nr_map *map)
{
	if (!mutant(MAP_UNSETTLED))
		nr_inspect(map->nr, look, NULL);
}

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
	err = nr_create(&map_ops, a.nr, &map->nr);
	if (!err) {
		map->memory = map->nr->attr.memory;
		err = map_list_room(map);
		if (err)
			nr_destroy(map->nr);
	}
	if (err) {
		mem_free(map);
		return err;
	}
	map_list(map);
	*out = map;
	return 0;
}

NR_PUBLIC int nr_map_destroy(struct nr_map *map)
{
	int err;

	if (!map)
		return 0;
	/* Nobody else uses it, so what is settled stays so. */
	map_settle(map);
	err = nr_destroy(map->nr);
	if (err)
		return err;
	mem_free(map->replicas);
	mem_free(map);
	return 0;
}

NR_PUBLIC int nr_map_register(struct nr_map *map,
			      const struct nr_context_attr *attr,
			      struct nr_map_context **out)
{
	struct nr_context_attr a = NR_CONTEXT_ATTR_INIT;
	int err = attr ? sized_read(&a, sizeof(a), attr) : 0;
	struct nr_map_context *c;

	if (err)
		return err;
	c = mem_alloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	a.depth = 1; /* nothing is asynchronous */
	err = nr_register(map->nr, &a, &c->context);
	if (err) {
		mem_free(c);
		return err;
	}
	c->map = map;
	*out = c;
	return 0;
}

NR_PUBLIC void nr_map_leave(struct nr_map_context *c)
{
	if (!c)
		return;
	nr_leave(c->context);
	mem_free(c);
}

NR_PUBLIC int nr_map_replica_add(struct nr_map *map, int place)
{
	int ret;

	gate_lock(&map->gate);
	ret = map_list_room(map);
	if (!ret) {
		/* What it is cloned from has all that it was given. */
		map_settle(map);
		ret = nr_replica_add(map->nr, place);
		if (!mutant(MAP_UNLISTED))
			map_list(map);
	}
	gate_unlock(&map->gate);
	return ret;
}

NR_PUBLIC int nr_map_replica_remove(struct nr_map *map, uint32_t replica)
{
	int err;

	gate_lock(&map->gate);
	/* It frees what it was given. */
	map_settle(map);
	err = nr_replica_remove(map->nr, replica);
	map_list(map);
	gate_unlock(&map->gate);
	return err;
}

NR_PUBLIC struct nr *nr_map_nr(struct nr_map *map)
{
	return map->nr;
}
