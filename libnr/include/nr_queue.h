/* SPDX-License-Identifier: MIT */
/*
 * nr_queue - a queue, a stack, or a priority queue, of bytes, replicated on
 * every NUMA node
 *
 * Made with nr.h; what is said there of errors, attributes, threads, contexts
 * and waiting holds here, too; and what nr_map.h says of memory. The sequential
 * structure below it is that of nr_items.h.
 *
 * Everything that is put or taken is an update, done again on every node: this
 * is for queues that are also looked at, or whose content has to be on all
 * nodes. Where things only pass through, a queue that is not replicated is
 * faster.
 */
#ifndef NR_QUEUE_H
#define NR_QUEUE_H

#include <nr.h>
#include <nr_items.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_queue;
struct nr_queue_context;

/**
 * struct nr_queue_attr - how a queue is to be
 * @size:     sizeof(struct nr_queue_attr).
 * @nr:       log, replicas, topology and memory policy, as for nr_create(); its
 *            arg is not used. NULL: defaults.
 * @order:    of enum nr_order.
 * @reserved: zero.
 * @seed:     as in struct nr_omap_attr.
 */
struct nr_queue_attr {
	size_t size;
	const struct nr_attr *nr;
	uint32_t order;
	uint32_t reserved;
	uint64_t seed;
};

#define NR_QUEUE_ATTR_INIT NR_INIT_(nr_queue_attr)

/**
 * nr_queue_create - make an empty one
 * @attr: attributes or NULL.
 * @out:  the caller's to destroy.
 *
 * Return: 0; -EINVAL: no such order; or what nr_create() says.
 */
int nr_queue_create(const struct nr_queue_attr *attr, struct nr_queue **out);

/**
 * nr_queue_destroy - free it, with what is in it
 *
 * All contexts must have left. NULL is ignored.
 *
 * Return: 0; -EBUSY: there are contexts, nothing has been done.
 */
int nr_queue_destroy(struct nr_queue *queue);

/**
 * nr_queue_register - take part
 * @attr: as for nr_register(); its depth is of no use here.
 * @out:  to be used by one thread at a time, given back with nr_queue_leave().
 *
 * Return: 0, or what nr_register() says.
 */
int nr_queue_register(struct nr_queue *queue,
		      const struct nr_context_attr *attr,
		      struct nr_queue_context **out);

/** nr_queue_leave - take part no more; NULL is ignored */
void nr_queue_leave(struct nr_queue_context *context);

/**
 * nr_queue_put - put an item in
 * @item, @len: any bytes, also none; copied.
 * @priority:   small ones are taken first; not used for other orders.
 *
 * Linearizable, as all that follows, and done for all threads on return.
 *
 * Return: 0; -ENOMEM: not done, on any replica; -EMSGSIZE: not done,
 * NR_ITEM_MAX bytes or more.
 */
int nr_queue_put(struct nr_queue_context *context, const void *item, size_t len,
		 uint64_t priority);

/**
 * nr_queue_submit_put - start to put an item, and go on
 * @item, @len, @priority: as for nr_queue_put(); copied.
 * @tag: the caller's own value, handed back.
 *
 * As nr_submit(): done at the latest when this context calls something that
 * updates, nr_queue_poll() or nr_queue_wait(). Items of one context are put in
 * the order of their submission; but one that found no room (-EAGAIN in struct
 * nr_done) has not been, and those after it have.
 *
 * Return: 0; -EAGAIN: as many outstanding as the context has room for, reap
 * some first; -ENOMEM, -EMSGSIZE: not submitted.
 */
int nr_queue_submit_put(struct nr_queue_context *context, const void *item,
			size_t len, uint64_t priority, uint64_t tag);

/**
 * nr_queue_poll - reap what has been submitted, without waiting for others
 *
 * As nr_map_poll(), returns likewise.
 */
int nr_queue_poll(struct nr_queue_context *context, struct nr_done *done,
		  unsigned n);

/** nr_queue_wait - ... and wait until at least @min are done, as nr_map_wait()
 */
int nr_queue_wait(struct nr_queue_context *context, struct nr_done *done,
		  unsigned n, unsigned min);

/**
 * nr_queue_take - take the first item out
 * @item, @room: where it is written. Other threads write there, before this
 *               returns.
 * @priority:    what it was put in with is written here, or 0 where the order
 *               does not go by it; NULL: not wanted.
 *
 * Does not wait for one to be put in.
 *
 * Return: how long it is; -ENOENT: there is none; -EMSGSIZE: it is longer than
 * @room, and has been left there.
 */
int nr_queue_take(struct nr_queue_context *context, void *item, size_t room,
		  uint64_t *priority);

/**
 * nr_queue_peek - look at the first item, which stays
 * @item, @room: as much of it as there is room for is written here.
 * @priority:    as for nr_queue_take().
 *
 * Return: how long it is, which may be more than @room; -ENOENT: there is none.
 */
int nr_queue_peek(struct nr_queue_context *context, void *item, size_t room,
		  uint64_t *priority);

/** nr_queue_count - how many items there are */
uint64_t nr_queue_count(struct nr_queue_context *context);

/**
 * nr_queue_each - look at all items, as they are at one moment
 * @fn: called for each, in the order in which they would be taken; a return
 * that is not zero ends it. It runs on the local replica, whose updates wait
 * for it. It must not call anything for the same queue, and what it is given is
 * readable only meanwhile.
 *
 * Return: what @fn returned last, or 0.
 */
int nr_queue_each(struct nr_queue_context *context,
		  int (*fn)(const void *item, size_t len, uint64_t priority,
			    void *arg),
		  void *arg);

/**
 * nr_queue_replica_add - one replica more, as nr_replica_add()
 *
 * Return: its number; -EINVAL: no such place; -ENOMEM.
 */
int nr_queue_replica_add(struct nr_queue *queue, int place);

/** nr_queue_replica_remove - one replica less, as nr_replica_remove() */
int nr_queue_replica_remove(struct nr_queue *queue, uint32_t replica);

/**
 * nr_queue_nr - what it is made with: for nr_stats() and nr_topology_of()
 *
 * Replicas may not be added or removed with it, nor contexts registered.
 */
struct nr *nr_queue_nr(struct nr_queue *queue);

#ifdef __cplusplus
}
#endif

#endif /* NR_QUEUE_H */
