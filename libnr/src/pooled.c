/* SPDX-License-Identifier: MIT */
/* pooled.c - replicated structures with a pool: making them, using them */
#include "pooled.h"

#include <errno.h>
#include <stdlib.h>

#include "replica.h"

/* ---- what replicas do --------------------------------------------------- */

/* It is in the list: whoever made it had the gate. */
void *pooled_piece(const void *object, const struct pooled_op *op)
{
	const struct pooled_piece *p = (const void *)op->bytes;

	for (uint32_t i = 0; i < op->vlen; i++)
		if (p[i].object == object)
			return p[i].memory;
	invariant(!"a replica was forgotten");
	abort();
}

void pooled_read(const void *object, const void *op, size_t len, void *result)
{
	struct pooled_query *q = (void *)(uintptr_t)op;

	(void)len;
	(void)result;
	q->fn(object, q);
}

/* ---- operations --------------------------------------------------------- */

struct pooled_op *pooled_make(void *small, const struct pooled_op *head,
			      const void *key, const void *value)
{
	size_t len = pooled_len(head);
	struct pooled_op *op = len <= POOLED_SMALL ? small : mem_alloc(len);

	if (!op)
		return NULL;
	*op = *head;
	if (head->klen)
		memcpy(op->bytes, key, head->klen);
	if (head->vlen)
		memcpy(op->bytes + head->klen, value, head->vlen);
	return op;
}

void pooled_unmake(void *small, struct pooled_op *op)
{
	if (op != small)
		mem_free(op);
}

static int update(struct pooled_context *c, const struct pooled_op *head,
		  const void *key, const void *value, struct pooled_result *r)
{
	_Alignas(8) unsigned char small[POOLED_SMALL];
	struct pooled_op *op = pooled_make(small, head, key, value);
	int err;

	if (!op)
		return -ENOMEM;
	err = nr_update(c->context, op, pooled_len(op), r);
	pooled_unmake(small, op);
	return err;
}

int pooled_do(struct pooled_context *c, const struct pooled_op *head,
	      const void *key, const void *value, size_t bytes)
{
	_Alignas(8) struct pooled_result r;
	int err;

	/*
	 * Tried again only if others have taken the room that was made for it:
	 * which is as much as there was in all, or where memory is short at
	 * least what this needs. So each time others have got on. Or if it
	 * takes more than one allocation: what it gave back is there the next
	 * time.
	 */
	do {
		err = update(c, head, key, value, &r);
		if (err)
			return err;
		if (r.ret == -ENOMEM)
			err = pooled_grow(c, bytes, r.wants, POOLED_WAIT);
	} while (r.ret == -ENOMEM && !err);
	if (!err && r.ret >= 0 && r.wants)
		pooled_extra(c, POOLED_WAIT);
	return err ? err : r.ret;
}

/* ---- replicas ----------------------------------------------------------- */

/* The gate: room for one replica more than there are. */
static int make_room(struct pooled *pool)
{
	struct pooled_replica *more =
		mem_realloc(pool->replicas, (pool->nr->nreplicas + 1) *
						    sizeof(*pool->replicas));

	if (!more)
		return -ENOMEM;
	pool->replicas = more;
	return 0;
}

static void list(struct pooled *pool)
{
	pool->n = 0;
	for (struct replica *r = pool->nr->replicas; r; r = r->next)
		pool->replicas[pool->n++] =
			(struct pooled_replica){ r->object, r->node };
}

static int look(uint32_t replica, const void *object, void *arg)
{
	(void)replica;
	(void)object;
	(void)arg;
	return 0;
}

/* The gate: every replica has been given what is on its way. */
static void settle(struct pooled *pool)
{
	if (!mutant(MAP_UNSETTLED))
		nr_inspect(pool->nr, look, NULL);
}

int pooled_create(struct pooled *pool, const struct pooled_type *type,
		  const struct nr_ops *ops, const struct nr_attr *attr,
		  void *arg)
{
	struct nr_attr a = NR_ATTR_INIT;
	int err = attr ? sized_read(&a, sizeof(a), attr) : 0;

	a.arg = arg;
	if (!err)
		err = nr_create(ops, &a, &pool->nr);
	if (err)
		return err;
	pool->type = type;
	pool->memory = (enum nr_memory)pool->nr->attr.memory;
	err = make_room(pool);
	if (err)
		nr_destroy(pool->nr);
	else
		list(pool);
	return err;
}

int pooled_destroy(struct pooled *pool)
{
	int err;

	/* Nobody else uses it, so what is settled stays so. */
	settle(pool);
	err = nr_destroy(pool->nr);
	if (!err)
		mem_free(pool->replicas);
	return err;
}

int pooled_register(struct pooled *pool, const struct nr_context_attr *attr,
		    size_t bytes, struct pooled_context **out)
{
	struct pooled_context *c = mem_alloc(bytes);
	int err;

	if (!c)
		return -ENOMEM;
	c->pool = pool;
	err = nr_register(pool->nr, attr, &c->context);
	if (err)
		mem_free(c);
	else
		*out = c;
	return err;
}

void pooled_leave(struct pooled_context *c)
{
	if (!c)
		return;
	nr_leave(c->context);
	mem_free(c->tickets);
	mem_free(c);
}

int pooled_replica_add(struct pooled *pool, int place)
{
	int ret;

	gate_lock(&pool->gate);
	ret = make_room(pool);
	if (!ret) {
		/* What it is cloned from has all that it was given. */
		settle(pool);
		ret = nr_replica_add(pool->nr, place);
		if (!mutant(MAP_UNLISTED))
			list(pool);
	}
	gate_unlock(&pool->gate);
	return ret;
}

int pooled_replica_remove(struct pooled *pool, uint32_t replica)
{
	int err;

	gate_lock(&pool->gate);
	/* It frees what it was given. */
	settle(pool);
	err = nr_replica_remove(pool->nr, replica);
	list(pool);
	gate_unlock(&pool->gate);
	return err;
}
