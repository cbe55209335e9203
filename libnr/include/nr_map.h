/* SPDX-License-Identifier: MIT */
/*
 * nr_map - a hash map, bytes to bytes, replicated on every NUMA node
 *
 * Made with nr.h; what is said there of errors, attributes, threads, contexts
 * and waiting holds here, too. The sequential table that it replicates can be
 * used alone: nr_table.h.
 *
 * Memory: an update that finds no room says so on all replicas alike, and has
 * changed nothing. Then the thread that asked for it gets more for every
 * replica, on its node, and only when it has all of it tells them, through the
 * log. So -ENOMEM means that nothing has happened, and replicas never differ.
 * Memory grows by doubling. It does not shrink before the map is destroyed;
 * what removed entries had is used again for entries of about the same length.
 */
#ifndef NR_MAP_H
#define NR_MAP_H

#include <nr.h>
#include <nr_table.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_map;
struct nr_map_context;

/**
 * struct nr_map_attr - how a map is to be
 * @size: sizeof(struct nr_map_attr).
 * @nr:   log, replicas, topology and memory policy, as for nr_create(); its arg
 *        is not used. Keys and values of op_size - 16 bytes together go into
 *        the log as they are, longer ones by way of the heap. NULL: defaults.
 * @seed: of the hash; default: one that nobody knows.
 */
struct nr_map_attr {
	size_t size;
	const struct nr_attr *nr;
	uint64_t seed;
};

#define NR_MAP_ATTR_INIT NR_INIT_(nr_map_attr)

/**
 * nr_map_create - make an empty map
 * @attr: attributes or NULL.
 * @out:  the caller's to destroy.
 *
 * Return: 0, or what nr_create() says.
 */
int nr_map_create(const struct nr_map_attr *attr, struct nr_map **out);

/**
 * nr_map_destroy - free it
 *
 * All contexts must have left. NULL is ignored.
 *
 * Return: 0; -EBUSY: there are contexts, nothing has been done.
 */
int nr_map_destroy(struct nr_map *map);

/**
 * nr_map_register - take part
 * @attr: as for nr_register(); depth is not used.
 * @out:  to be used by one thread at a time, given back with nr_map_leave().
 *
 * Return: 0, or what nr_register() says.
 */
int nr_map_register(struct nr_map *map, const struct nr_context_attr *attr,
		    struct nr_map_context **out);

/** nr_map_leave - take part no more; NULL is ignored */
void nr_map_leave(struct nr_map_context *context);

/**
 * nr_map_put - set what a key has
 * @key, @klen:   any bytes, also none.
 * @value, @vlen: likewise; both are copied.
 * @flags:        0, or one of enum nr_put_flags.
 *
 * Linearizable, as all that follows, and done for all threads on return.
 *
 * Return: 0: the key is new; 1: its value was replaced; -EEXIST, -ENOENT: not
 * done, as @flags want it; -ENOMEM: not done, on any replica; -EMSGSIZE: not
 * done, NR_KEY_MAX or NR_VALUE_MAX bytes or more; -EINVAL: flags.
 */
int nr_map_put(struct nr_map_context *context, const void *key, size_t klen,
	       const void *value, size_t vlen, unsigned flags);

/**
 * nr_map_remove - forget a key
 *
 * Return: 0; -ENOENT: it was not there; -ENOMEM: not done: a key that is longer
 * than an entry of the log found no memory for its copy; -EMSGSIZE.
 */
int nr_map_remove(struct nr_map_context *context, const void *key, size_t klen);

/**
 * nr_map_get - what does a key have?
 * @value, @room: as much of it as there is room for is written here.
 *
 * Return: how long the value is, which may be more than @room; -ENOENT: the key
 * is not there.
 */
int nr_map_get(struct nr_map_context *context, const void *key, size_t klen,
	       void *value, size_t room);

/** nr_map_count - how many keys there are */
uint64_t nr_map_count(struct nr_map_context *context);

/**
 * nr_map_each - look at all entries, as they are at one moment
 * @fn: called for each, in no order; a return that is not zero ends it. It runs
 *      on the local replica, whose updates wait for it. It must not call
 *      anything for the same map, and what it is given is readable only
 *      meanwhile.
 *
 * Return: what @fn returned last, or 0.
 */
int nr_map_each(struct nr_map_context *context,
		int (*fn)(const void *key, size_t klen, const void *value,
			  size_t vlen, void *arg),
		void *arg);

/**
 * nr_map_replica_add - one replica more, as nr_replica_add()
 *
 * Return: its number; -EINVAL: no such place; -ENOMEM.
 */
int nr_map_replica_add(struct nr_map *map, int place);

/** nr_map_replica_remove - one replica less, as nr_replica_remove() */
int nr_map_replica_remove(struct nr_map *map, uint32_t replica);

/**
 * nr_map_nr - what the map is made with: for nr_stats() and nr_topology_of()
 *
 * Replicas may not be added or removed with it, nor contexts registered.
 */
struct nr *nr_map_nr(struct nr_map *map);

#ifdef __cplusplus
}
#endif

#endif /* NR_MAP_H */
