/* SPDX-License-Identifier: MIT */
/*
 * nr_omap - an ordered map, bytes to bytes, replicated on every NUMA node
 *
 * Made with nr.h; what is said there of errors, attributes, threads, contexts
 * and waiting holds here, too; and what nr_map.h says of memory. The sequential
 * one that it replicates can be used alone: nr_sorted.h, where the order is
 * described. Everything takes a time that grows with the logarithm of the
 * number of keys.
 */
#ifndef NR_OMAP_H
#define NR_OMAP_H

#include <nr.h>
#include <nr_sorted.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_omap;
struct nr_omap_context;

/**
 * struct nr_omap_attr - how an ordered map is to be
 * @size: sizeof(struct nr_omap_attr).
 * @nr:   as in struct nr_map_attr.
 * @seed: of the heights in the skip list; default: one that nobody knows.
 */
struct nr_omap_attr {
	size_t size;
	const struct nr_attr *nr;
	uint64_t seed;
};

#define NR_OMAP_ATTR_INIT NR_INIT_(nr_omap_attr)

/**
 * nr_omap_create - make an empty one
 * @attr: attributes or NULL.
 * @out:  the caller's to destroy.
 *
 * Return: 0, or what nr_create() says.
 */
int nr_omap_create(const struct nr_omap_attr *attr, struct nr_omap **out);

/**
 * nr_omap_destroy - free it
 *
 * All contexts must have left. NULL is ignored.
 *
 * Return: 0; -EBUSY: there are contexts, nothing has been done.
 */
int nr_omap_destroy(struct nr_omap *map);

/**
 * nr_omap_register - take part
 * @attr: as for nr_register(); its depth is of no use here.
 * @out:  to be used by one thread at a time, given back with nr_omap_leave().
 *
 * Return: 0, or what nr_register() says.
 */
int nr_omap_register(struct nr_omap *map, const struct nr_context_attr *attr,
		     struct nr_omap_context **out);

/** nr_omap_leave - take part no more; NULL is ignored */
void nr_omap_leave(struct nr_omap_context *context);

/**
 * nr_omap_put - set what a key has
 * @key, @klen, @value, @vlen, @flags: as for nr_map_put().
 *
 * Linearizable, as all that follows, and done for all threads on return.
 *
 * Return: as nr_map_put().
 */
int nr_omap_put(struct nr_omap_context *context, const void *key, size_t klen,
		const void *value, size_t vlen, unsigned flags);

/** nr_omap_remove - forget a key; returns as nr_map_remove() */
int nr_omap_remove(struct nr_omap_context *context, const void *key,
		   size_t klen);

/**
 * nr_omap_submit_put - start to set what a key has, and go on
 * @key, @klen, @value, @vlen, @flags, @tag: as for nr_map_submit_put().
 *
 * Return: as nr_map_submit_put().
 */
int nr_omap_submit_put(struct nr_omap_context *context, const void *key,
		       size_t klen, const void *value, size_t vlen,
		       unsigned flags, uint64_t tag);

/** nr_omap_submit_remove - ... to forget a key; returns as nr_map_submit_put()
 */
int nr_omap_submit_remove(struct nr_omap_context *context, const void *key,
			  size_t klen, uint64_t tag);

/** nr_omap_poll - reap updates that have been submitted, as nr_map_poll() */
int nr_omap_poll(struct nr_omap_context *context, struct nr_done *done,
		 unsigned n);

/** nr_omap_wait - ... and wait until at least @min are done, as nr_map_wait()
 */
int nr_omap_wait(struct nr_omap_context *context, struct nr_done *done,
		 unsigned n, unsigned min);

/**
 * nr_omap_get - what does a key have?
 * @value, @room: as much of it as there is room for is written here.
 *
 * Return: how long the value is, which may be more than @room; -ENOENT: the key
 * is not there.
 */
int nr_omap_get(struct nr_omap_context *context, const void *key, size_t klen,
		void *value, size_t room);

/**
 * struct nr_found - room for an entry
 * @key, @kroom:   as much of the key as there is room for is written here.
 * @value, @vroom: as much of the value.
 * @klen, @vlen:   how long they are, which may be more; set.
 */
struct nr_found {
	void *key;
	size_t kroom;
	size_t klen;
	void *value;
	size_t vroom;
	size_t vlen;
};

/**
 * nr_omap_find - a key, or the one next to where it would be
 * @found: where to write it; may not overlap @key.
 *
 * Return: 0; -ENOENT: there is none; -EINVAL: @which is not known.
 */
int nr_omap_find(struct nr_omap_context *context, const void *key, size_t klen,
		 enum nr_neighbour which, struct nr_found *found);

/** nr_omap_count - how many keys there are */
uint64_t nr_omap_count(struct nr_omap_context *context);

/**
 * nr_omap_range - look at entries in order, as they are at one moment
 * @from, @flen, @to, @tlen: as for nr_sorted_range().
 * @fn: called for each, in ascending order; a return that is not zero ends it.
 *      It runs on the local replica, whose updates wait for it. It must not
 * call anything for the same map, and what it is given is readable only
 *      meanwhile.
 *
 * Return: what @fn returned last, or 0.
 */
int nr_omap_range(struct nr_omap_context *context, const void *from,
		  size_t flen, const void *to, size_t tlen,
		  int (*fn)(const struct nr_entry *entry, void *arg),
		  void *arg);

/**
 * nr_omap_replica_add - one replica more, as nr_replica_add()
 *
 * Return: its number; -EINVAL: no such place; -ENOMEM.
 */
int nr_omap_replica_add(struct nr_omap *map, int place);

/** nr_omap_replica_remove - one replica less, as nr_replica_remove() */
int nr_omap_replica_remove(struct nr_omap *map, uint32_t replica);

/**
 * nr_omap_nr - what the map is made with: for nr_stats() and nr_topology_of()
 *
 * Replicas may not be added or removed with it, nor contexts registered.
 */
struct nr *nr_omap_nr(struct nr_omap *map);

#ifdef __cplusplus
}
#endif

#endif /* NR_OMAP_H */
