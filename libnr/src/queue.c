/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include <errno.h>

#include "util.h"

static void put_number(unsigned char *to, uint64_t n)
{
	for (int i = 8; i--; n >>= 8)
		to[i] = n & 255;
}

static uint64_t get_number(const unsigned char *from)
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | from[i];
	return n;
}

int queue_put(struct queue *q, const void *item, uint32_t len,
	      uint64_t priority)
{
	unsigned char bytes[QUEUE_KEY_MAX];
	size_t klen = 8;
	struct sorted_key key;
	int ret;

	put_number(bytes, q->order == NR_LIFO ? ~q->puts : q->puts);
	if (q->order == NR_PRIORITY) {
		put_number(bytes + 8, q->puts);
		put_number(bytes, priority);
		klen = 16;
	}
	key = sorted_key(bytes, klen);
	ret = sorted_put(&q->sorted, &key, item, len, NR_CREATE);
	if (!ret)
		q->puts++;
	return ret;
}

const struct node *queue_first(const struct queue *q)
{
	return sorted_find(&q->sorted, NULL, NR_FIRST);
}

void queue_remove_first(struct queue *q)
{
	const struct node *n = queue_first(q);
	unsigned char bytes[QUEUE_KEY_MAX];
	struct sorted_key key;

	memcpy(bytes, node_key(n), n->klen);
	key = sorted_key(bytes, n->klen);
	sorted_remove(&q->sorted, &key);
}

uint64_t queue_priority(const struct queue *q, const struct node *n)
{
	return q->order == NR_PRIORITY ? get_number(node_key(n)) : 0;
}

int queue_each(const struct queue *q,
	       int (*fn)(const void *item, size_t len, uint64_t priority,
			 void *arg),
	       void *arg)
{
	const struct node *n = queue_first(q);
	int ret = 0;

	for (; n && !ret; n = sorted_next(&q->sorted, n))
		ret = fn(node_value(n), n->vlen, queue_priority(q, n), arg);
	return ret;
}
