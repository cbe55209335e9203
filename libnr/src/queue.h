/* SPDX-License-Identifier: MIT */
/*
 * queue.h - a queue is an ordered map
 *
 * Its keys are numbers that say when an item was put in, counted up or down,
 * and for a priority queue the priority before that. What is taken is the first
 * one. Queues append at the end, and stacks at the beginning, where no search
 * is needed.
 */
#ifndef NR_QUEUE_INTERNAL_H
#define NR_QUEUE_INTERNAL_H

#include "nr_items.h"
#include "sorted.h"

struct queue {
	struct sorted sorted;
	uint64_t puts; /* ever */
	uint32_t order;
};

#define QUEUE_KEY_MAX 16u

/* 0 or -ENOMEM */
int queue_put(struct queue *q, const void *item, uint32_t len,
	      uint64_t priority);

/* NULL: it is empty. */
const struct node *queue_first(const struct queue *q);
void queue_remove_first(struct queue *q);

/* What its item was put in with; 0 where there are none. */
uint64_t queue_priority(const struct queue *q, const struct node *n);

/* As nr_items_each(). */
int queue_each(const struct queue *q,
	       int (*fn)(const void *item, size_t len, uint64_t priority,
			 void *arg),
	       void *arg);

#endif
