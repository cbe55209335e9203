/* SPDX-License-Identifier: MIT */
/* nr_items.c - the sequential queue alone: it gets its memory itself */
#include <errno.h>

#include "hash.h"
#include "nr_items.h"
#include "queue.h"
#include "util.h"

struct nr_items {
	struct queue queue;
};

NR_PUBLIC int nr_items_create(enum nr_order order, struct nr_items **out)
{
	struct nr_items *i;

	if ((unsigned)order > NR_PRIORITY)
		return -EINVAL;
	i = mem_alloc(sizeof(*i));
	if (!i)
		return -ENOMEM;
	sorted_init(&i->queue.sorted, hash_seed());
	i->queue.order = order;
	*out = i;
	return 0;
}

NR_PUBLIC void nr_items_destroy(struct nr_items *i)
{
	if (!i)
		return;
	sorted_fini(&i->queue.sorted);
	mem_free(i);
}

NR_PUBLIC int nr_items_put(struct nr_items *i, const void *item, size_t len,
			   uint64_t priority)
{
	struct queue *q = &i->queue;
	int ret;

	if (len >= NR_ITEM_MAX)
		return -EMSGSIZE;
	ret = queue_put(q, item, (uint32_t)len, priority);
	if (ret != -ENOMEM)
		return ret;
	ret = arena_more(&q->sorted.arena, sorted_node_max(QUEUE_KEY_MAX, len));
	return ret ? ret : queue_put(q, item, (uint32_t)len, priority);
}

NR_PUBLIC const void *nr_items_first(const struct nr_items *i, size_t *len,
				     uint64_t *priority)
{
	const struct node *n = queue_first(&i->queue);

	if (!n)
		return NULL;
	if (len)
		*len = n->vlen;
	if (priority)
		*priority = queue_priority(&i->queue, n);
	return node_value(n);
}

NR_PUBLIC int nr_items_drop(struct nr_items *i)
{
	if (!queue_first(&i->queue))
		return -ENOENT;
	queue_remove_first(&i->queue);
	return 0;
}

NR_PUBLIC uint64_t nr_items_count(const struct nr_items *i)
{
	return i->queue.sorted.count;
}

NR_PUBLIC int nr_items_each(const struct nr_items *i,
			    int (*fn)(const void *item, size_t len,
				      uint64_t priority, void *arg),
			    void *arg)
{
	return queue_each(&i->queue, fn, arg);
}
