/* SPDX-License-Identifier: MIT */
/*
 * nr_items - a queue, a stack, or a priority queue, of bytes, for one thread
 *
 * Made to be replicated (nr_queue.h). Whoever calls any of these functions for
 * one that another thread may be using has to lock it, for reading only if
 * nobody changes it. Errors are negative errno values, as in nr.h.
 */
#ifndef NR_ITEMS_H
#define NR_ITEMS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_items;

/** What is taken first? */
enum nr_order {
	NR_FIFO = 0, /* what was put first: a queue */
	NR_LIFO,     /* what was put last: a stack */
	NR_PRIORITY, /* the smallest priority; of equal ones the first */
};

/** Bytes of an item that are too many. */
#define NR_ITEM_MAX (UINT32_C(1) << 29)

/** nr_items_create - make an empty one; 0, -ENOMEM, -EINVAL: no such order */
int nr_items_create(enum nr_order order, struct nr_items **out);

/** nr_items_destroy - free it, with what is in it; NULL is ignored */
void nr_items_destroy(struct nr_items *items);

/**
 * nr_items_put - put an item in
 * @item, @len: any bytes, also none; copied.
 * @priority:   small ones are taken first; not used for other orders.
 *
 * Return: 0; -ENOMEM or, for NR_ITEM_MAX bytes or more, -EMSGSIZE: not done.
 */
int nr_items_put(struct nr_items *items, const void *item, size_t len,
		 uint64_t priority);

/**
 * nr_items_first - the item that is taken next; it stays
 * @len, @priority: if not NULL, how long it is, and what it was put in with, or
 *                  0 where the order is another one.
 *
 * Return: the item, readable until something is put or taken; NULL: there is
 * none.
 */
const void *nr_items_first(const struct nr_items *items, size_t *len,
			   uint64_t *priority);

/** nr_items_drop - take the first one out; 0, or -ENOENT: there is none */
int nr_items_drop(struct nr_items *items);

/** nr_items_count - how many there are */
uint64_t nr_items_count(const struct nr_items *items);

/**
 * nr_items_each - look at all of them
 * @fn: called for each, in the order in which they would be taken; may not
 *      change anything. A return that is not zero ends it.
 *
 * Return: what @fn returned last, or 0.
 */
int nr_items_each(const struct nr_items *items,
		  int (*fn)(const void *item, size_t len, uint64_t priority,
			    void *arg),
		  void *arg);

#ifdef __cplusplus
}
#endif

#endif /* NR_ITEMS_H */
