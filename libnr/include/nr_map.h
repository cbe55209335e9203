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
 * what removed entries had is used again for entries of about the same length;
 * that of short ones, 16 bytes with the key, for such whose keys have hashes
 * alike.
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
 * @attr: as for nr_register().
 * @out:  to be used by one thread at a time, given back with nr_map_leave().
 *
 * Return: 0, or what nr_register() says.
 */
int nr_map_register(struct nr_map *map, const struct nr_context_attr *attr,
		    struct nr_map_context **out);

/**
 * nr_map_leave - take part no more
 *
 * Outstanding updates are waited for, their results dropped. NULL is ignored.
 */
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
 * struct nr_map_change - what nr_map_modify() is to do
 * @fn:   called on every replica, on any thread that updates, with what the key
 *        has at that moment: @old, @olen; NULL: it is not there. It writes what
 *        it is to have to @value, at most @room bytes, and returns its length;
 *        or -ENOENT: it is not to be there; or any other negative errno value
 *        but -ENOMEM: nothing is changed. What it does may depend on its
 *        arguments alone, and it may not call anything for the same map. @value
 *        and @arg are aligned to 8, @old may not be.
 * @arg, @alen: given to it; copied, less than NR_KEY_MAX - 64 bytes.
 * @room: given to it; less than NR_VALUE_MAX.
 */
struct nr_map_change {
	int (*fn)(const void *old, size_t olen, void *value, size_t room,
		  const void *arg, size_t alen);
	const void *arg;
	size_t alen;
	size_t room;
};

/**
 * nr_map_modify - change what a key has, depending on what it has
 * @value, @vroom: as much of the new value as there is room for is written
 * here; by other threads, before this returns.
 *
 * Nobody sees the key between what @change has been given and what it made of
 * it.
 *
 * Return: how long the new value is, which may be more than @vroom; -ENOENT:
 * the key is not there now; what else @change->fn returned, -EINVAL instead of
 * -ENOMEM, -EMSGSIZE if it was more than there was room for: then nothing has
 * changed; -ENOMEM, -EMSGSIZE as nr_map_put().
 */
int nr_map_modify(struct nr_map_context *context, const void *key, size_t klen,
		  const struct nr_map_change *change, void *value,
		  size_t vroom);

/**
 * nr_map_submit_put - start to set what a key has, and go on
 * @key, @klen, @value, @vlen, @flags: as for nr_map_put(); copied.
 * @tag: the caller's own value, handed back.
 *
 * As nr_submit(): done at the latest when this context calls something that
 * updates, nr_map_poll() or nr_map_wait(). Updates of one context are done in
 * the order of their submission.
 *
 * Return: 0; -EAGAIN: as many outstanding as the context has room for, reap
 * some first; -ENOMEM, -EMSGSIZE, -EINVAL: not submitted.
 */
int nr_map_submit_put(struct nr_map_context *context, const void *key,
		      size_t klen, const void *value, size_t vlen,
		      unsigned flags, uint64_t tag);

/** nr_map_submit_remove - ... to forget a key; returns as nr_map_submit_put()
 */
int nr_map_submit_remove(struct nr_map_context *context, const void *key,
			 size_t klen, uint64_t tag);

/**
 * nr_map_poll - reap updates that have been submitted, as nr_poll()
 * @done: filled in the order of submission; NULL: not wanted.
 * @n:    room in @done.
 *
 * Gives all that have been done, as far as there is room. Waits no more than
 * nr_poll() does: where an update has found no room, more is made here if
 * nobody else is at it, no replica is coming or going, and the replica's
 * combiner lock is free. Otherwise that is left to who comes next.
 *
 * Return: how many were reaped, 0 if none is done yet; -ENOENT: nothing is
 * outstanding.
 */
int nr_map_poll(struct nr_map_context *context, struct nr_done *done,
		unsigned n);

/**
 * nr_map_wait - nr_map_poll(), but wait until at least @min are done
 *
 * What has found no room most often has some when this returns, or there is no
 * memory.
 *
 * Return: how many were reaped, fewer than @min only if fewer are outstanding;
 * -ENOENT: nothing is.
 */
int nr_map_wait(struct nr_map_context *context, struct nr_done *done,
		unsigned n, unsigned min);

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
