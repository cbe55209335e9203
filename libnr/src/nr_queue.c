/* SPDX-License-Identifier: MIT */
/* nr_queue.c - the replicated queue: a queue.h with a pool (pooled.h) */
#include <errno.h>

#include "hash.h"
#include "nr_queue.h"
#include "pooled.h"
#include "queue.h"
#include "util.h"

enum queue_kind { QUEUE_PUT = POOLED_OWN, QUEUE_TAKE };

struct nr_queue {
	struct pooled pool;
	uint64_t seed;
	uint32_t order;
};

struct nr_queue_context {
	struct pooled_context base;
};

/* Where who takes an item waits for it: there it is written by his replica. */
struct room {
	void *item;
	size_t room;
	uint64_t *priority;
};

/* ---- what replicas do --------------------------------------------------- */

static int queue_init(void *object, void *arg)
{
	const struct nr_queue *queue = arg;
	struct queue *q = object;

	sorted_init(&q->sorted, queue->seed);
	q->order = queue->order;
	return 0;
}

static void queue_fini(void *object, void *arg)
{
	(void)arg;
	sorted_fini(object);
}

static int queue_clone(void *object, const void *from, void *arg)
{
	const struct queue *f = from;
	struct queue *q = object;
	struct sorted s;

	(void)arg;
	if (sorted_clone(&s, &f->sorted))
		return -ENOMEM;
	*q = *f;
	q->sorted = s;
	return 0;
}

static int copy(const struct queue *q, const struct node *n,
		const struct room *to)
{
	size_t len = n->vlen < to->room ? n->vlen : to->room;

	if (len)
		memcpy(to->item, node_value(n), len);
	if (to->priority)
		*to->priority = queue_priority(q, n);
	return (int)n->vlen;
}

static int take(struct queue *q, const struct room *to, int asked)
{
	const struct node *n = queue_first(q);
	int ret;

	if (!n)
		return -ENOENT;
	if (n->vlen > to->room && !mutant(QUEUE_SHORT))
		return -EMSGSIZE;
	ret = asked ? copy(q, n, to) : 0;
	queue_remove_first(q);
	return ret;
}

static int queue_own(void *object, const struct pooled_op *op, int asked)
{
	struct room to;

	if (op->kind == QUEUE_PUT)
		return queue_put(object, op->bytes, op->vlen, op->word);
	memcpy(&to, op->bytes, sizeof(to));
	return take(object, &to, asked || mutant(QUEUE_ALL));
}

static const struct pooled_type queue_type = {
	.arena = offsetof(struct queue, sorted.arena),
	.update = queue_own,
};

static void queue_update(void *object, const void *op, size_t len, void *result)
{
	(void)len;
	pooled_update(&queue_type, object, op, result);
}

static const struct nr_ops queue_ops = {
	.size = sizeof(queue_ops),
	.object_size = sizeof(struct queue),
	.result_size = sizeof(struct pooled_result),
	.init = queue_init,
	.fini = queue_fini,
	.update = queue_update,
	.read = pooled_read,
	.clone = queue_clone,
};

/* ---- the queue ---------------------------------------------------------- */

NR_PUBLIC int nr_queue_create(const struct nr_queue_attr *attr,
			      struct nr_queue **out)
{
	struct nr_queue_attr a = NR_QUEUE_ATTR_INIT;
	int err = attr ? sized_read(&a, sizeof(a), attr) : 0;
	struct nr_queue *queue;

	if (err)
		return err;
	if (a.order > NR_PRIORITY || a.reserved)
		return -EINVAL;
	queue = mem_alloc(sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	queue->seed = a.seed ? a.seed : hash_seed();
	queue->order = a.order;
	err = pooled_create(&queue->pool, &queue_type, &queue_ops, a.nr, queue);
	if (err)
		mem_free(queue);
	else
		*out = queue;
	return err;
}

NR_PUBLIC int nr_queue_destroy(struct nr_queue *queue)
{
	int err = queue ? pooled_destroy(&queue->pool) : 0;

	if (!err)
		mem_free(queue);
	return err;
}

NR_PUBLIC int nr_queue_register(struct nr_queue *queue,
				const struct nr_context_attr *attr,
				struct nr_queue_context **out)
{
	struct pooled_context *c;
	int err = pooled_register(&queue->pool, attr,
				  sizeof(struct nr_queue_context), &c);

	if (!err)
		*out = (struct nr_queue_context *)c;
	return err;
}

NR_PUBLIC void nr_queue_leave(struct nr_queue_context *c)
{
	pooled_leave((struct pooled_context *)c);
}

NR_PUBLIC int nr_queue_replica_add(struct nr_queue *queue, int place)
{
	return pooled_replica_add(&queue->pool, place);
}

NR_PUBLIC int nr_queue_replica_remove(struct nr_queue *queue, uint32_t replica)
{
	return pooled_replica_remove(&queue->pool, replica);
}

NR_PUBLIC struct nr *nr_queue_nr(struct nr_queue *queue)
{
	return queue->pool.nr;
}

/* ---- updates ------------------------------------------------------------ */

/* Begin an operation: 0, -EMSGSIZE. */
static int put_op(struct pooled_op *op, size_t len, uint64_t priority)
{
	if (len >= NR_ITEM_MAX)
		return -EMSGSIZE;
	*op = (struct pooled_op){
		.kind = QUEUE_PUT,
		.word = priority,
		.vlen = (uint32_t)len,
	};
	return 0;
}

NR_PUBLIC int nr_queue_put(struct nr_queue_context *c, const void *item,
			   size_t len, uint64_t priority)
{
	struct pooled_op op;
	int err = put_op(&op, len, priority);

	return err ? err
		   : pooled_do(&c->base, &op, NULL, item,
			       sorted_node_max(QUEUE_KEY_MAX, len));
}

NR_PUBLIC int nr_queue_submit_put(struct nr_queue_context *c, const void *item,
				  size_t len, uint64_t priority, uint64_t tag)
{
	struct pooled_op op;
	int err = put_op(&op, len, priority);

	return err ? err
		   : pooled_submit(&c->base, &op, NULL, item,
				   sorted_node_max(QUEUE_KEY_MAX, len), tag);
}

NR_PUBLIC int nr_queue_poll(struct nr_queue_context *c, struct nr_done *done,
			    unsigned n)
{
	return pooled_poll(&c->base, done, n);
}

NR_PUBLIC int nr_queue_wait(struct nr_queue_context *c, struct nr_done *done,
			    unsigned n, unsigned min)
{
	return pooled_wait(&c->base, done, n, min);
}

NR_PUBLIC int nr_queue_take(struct nr_queue_context *c, void *item, size_t room,
			    uint64_t *priority)
{
	struct pooled_op op = { .kind = QUEUE_TAKE };
	struct room to = { item, room, priority };

	op.klen = sizeof(to);
	return pooled_do(&c->base, &op, &to, NULL, 0);
}

/* ---- reads -------------------------------------------------------------- */

struct peek {
	struct pooled_query q;
	struct room to;
};

static void ask_first(const void *object, struct pooled_query *q)
{
	const struct node *n = queue_first(object);

	q->ret = n ? copy(object, n, &((struct peek *)q)->to) : -ENOENT;
}

NR_PUBLIC int nr_queue_peek(struct nr_queue_context *c, void *item, size_t room,
			    uint64_t *priority)
{
	struct peek p = { { ask_first, 0 }, { item, room, priority } };

	return (int)pooled_ask(&c->base, &p.q);
}

static void ask_count(const void *object, struct pooled_query *q)
{
	q->ret = (int64_t)((const struct queue *)object)->sorted.count;
}

NR_PUBLIC uint64_t nr_queue_count(struct nr_queue_context *c)
{
	struct pooled_query q = { ask_count, 0 };

	return (uint64_t)pooled_ask(&c->base, &q);
}

struct each {
	struct pooled_query q;
	int (*fn)(const void *item, size_t len, uint64_t priority, void *arg);
	void *arg;
};

static void ask_each(const void *object, struct pooled_query *q)
{
	const struct each *e = (void *)q;

	q->ret = queue_each(object, e->fn, e->arg);
}

NR_PUBLIC int nr_queue_each(struct nr_queue_context *c,
			    int (*fn)(const void *item, size_t len,
				      uint64_t priority, void *arg),
			    void *arg)
{
	struct each e = { { ask_each, 0 }, fn, arg };

	return (int)pooled_ask(&c->base, &e.q);
}
