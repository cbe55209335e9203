/* SPDX-License-Identifier: MIT */
/*
 * nr - NUMA node replication
 *
 * Gives many threads a linearizable concurrent data structure, made from a
 * sequential one: a replica of it on every NUMA node, and one log of updates
 * that all nodes share. On each node one thread at a time, the combiner, puts
 * its node's waiting updates into the log with one step and applies the log to
 * its replica. Reads run at once on all nodes, on the local replica, as soon as
 * it has come as far as the log had when the read began. (Calciu, Sen,
 * Balakrishnan, Aguilera: Black-box Concurrent Data Structures for NUMA
 * Architectures, ASPLOS'17; Bhardwaj et al.: NrOS, OSDI'21.)
 *
 * Conventions, the same for every function here:
 *
 * - A function that can fail returns 0 or a count, or a negative errno value.
 *   errno itself is neither read nor written for the caller's use.
 * - Every attribute structure starts with its size; zero in any other field
 *   means the default. Use the *_INIT macros. New fields are only appended. A
 *   structure that is longer than the library knows must be zero there, or
 *   -E2BIG is returned: what was asked for is not quietly left out. Fields
 *   named reserved must be zero.
 * - Functions may be called from any thread unless their comment says less.
 *   None may be called from a signal handler, or from the functions of struct
 *   nr_ops for the same nr.
 * - A thread that does not call holds nobody up. One that is stopped inside a
 *   call may: the lock that it holds stays held.
 * - Functions that a program gives to the library return to it: longjmp(), an
 *   exception of C++, pthread_exit() or a cancellation that is acted upon in
 *   there would leave its locks held for ever. Disable cancellation in threads
 *   that are cancelled, or do not reach a cancellation point there.
 * - Waiting is spinning, then sched_yield(), then sleeping; but for entries of
 *   other combiners, for room in the log and for readers, which take no longer
 *   than those run, nobody sleeps. A thread under SCHED_FIFO or SCHED_RR does
 *   not yield to one of lower priority: threads that share a structure, and a
 *   CPU, should have the same.
 * - After fork() the child may use what it inherited only if no other thread
 *   of the parent was inside a call.
 */
#ifndef NR_H
#define NR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NR_VERSION_MAJOR 1
#define NR_VERSION_MINOR 0

#ifdef __cplusplus
#define NR_INIT_(type)                                                         \
	([]() {                                                                \
		struct type init_ = {};                                        \
		init_.size = sizeof(init_);                                    \
		return init_;                                                  \
	}())
#else
#define NR_INIT_(type)                                                         \
	{                                                                      \
		.size = sizeof(struct type)                                    \
	}
#endif

struct nr;
struct nr_context;
struct nr_topology;

/* -------------------------------------------------- the user's structure -- */

/**
 * struct nr_ops - a sequential structure, and what can be done with it
 * @size:        sizeof(struct nr_ops).
 * @object_size: bytes of the structure itself; the library allocates them,
 *               zeroed and aligned to 64, on the replica's node.
 * @result_size: bytes of an update's result; default 0.
 * @init:        makes a replica's structure in @object, which is zero. 0 or
 *               -errno. NULL: zero is enough.
 * @fini:        frees what the structure has. NULL: nothing.
 * @update:      applies an operation. It must do the same on every replica:
 *               what it does may depend on the structure and the operation
 *               alone, so not on time, addresses or memory being short; it
 *               cannot fail but in its result. @op is readable during the call
 *               only. @result has room for result_size bytes, which are zero;
 *               it is NULL on replicas where nobody waits for it, if the
 *               caller wants none, or if result_size is 0. Both are aligned
 *               to 8, wherever the caller's are; to more they may not be. For
 *               results of any length an operation can have the address of a
 *               callback, and of what it needs: @result is not NULL on one
 *               replica, where the caller waits, so both are there, and there
 *               @update may call it. (nr_queue_take() is made so.)
 * @read:        reads. Many may run at the same time on one replica, beside no
 *               update. @op and @result are what the caller gave. NULL: this
 *               structure is never read.
 * @clone:       makes a structure in @object, zeroed as for @init, that is
 *               equal to @from. Needed to add replicas later. 0 or -errno.
 * @batch_begin, @batch_end: called before and after updates are applied to
 *               @object, with their number. NULL: nothing.
 *
 * Of the functions that change one replica only one runs at a time, and no
 * @read beside it. They run on threads of that replica's node, as long as such
 * threads call; or else on any thread, with its memory policy set to that node.
 */
struct nr_ops {
	size_t size;
	size_t object_size;
	size_t result_size;
	int (*init)(void *object, void *arg);
	void (*fini)(void *object, void *arg);
	void (*update)(void *object, const void *op, size_t len, void *result);
	void (*read)(const void *object, const void *op, size_t len,
		     void *result);
	int (*clone)(void *object, const void *from, void *arg);
	void (*batch_begin)(void *object, size_t n);
	void (*batch_end)(void *object, size_t n);
};

#define NR_OPS_INIT NR_INIT_(nr_ops)

/** Where the memory of a replica, its contexts and its locks comes from. */
enum nr_memory {
	NR_MEMORY_PREFERRED = 0, /* the replica's node while it has some */
	NR_MEMORY_BIND,		 /* that node only */
	NR_MEMORY_ANY,		 /* wherever the kernel takes it */
};

/**
 * struct nr_attr - how a replicated structure is to be
 * @size:     sizeof(struct nr_attr).
 * @arg:      given to init, fini and clone of struct nr_ops.
 * @log_size: entries of the log, rounded up to a power of two; at least 4,
 *            default 8192. How far a replica may lag behind before others help
 *            it.
 * @op_size:  bytes of an operation that have room in a log entry; longer ones
 *            are copied to the heap, where the copy stays until the entry is
 *            used again, log_size updates later. Default 56, which makes
 *            entries of one cache line.
 * @batch:    most updates of others that a combiner puts into the log at once,
 *            beside one of its own; contexts take turns. Default 64, at most a
 *            quarter of the log.
 * @topology: places for replicas, in the notation of nr_topology_open(); NULL:
 *            those of $NR_TOPOLOGY if set, else the machine's.
 * @replicas: how many, dealt out to the places in turn. Default: one for every
 *            place.
 * @memory:   policy.
 */
struct nr_attr {
	size_t size;
	void *arg;
	uint64_t log_size;
	size_t op_size;
	uint32_t batch;
	uint32_t replicas;
	const char *topology;
	uint32_t memory; /* enum nr_memory */
	uint32_t reserved;
};

#define NR_ATTR_INIT NR_INIT_(nr_attr)

/**
 * nr_create - replicate a structure
 * @ops:  what it is; copied.
 * @attr: attributes or NULL.
 * @out:  the caller's to destroy.
 *
 * Return: 0; -EINVAL: no update function, or a value that cannot be; -E2BIG:
 * @ops or @attr has fields that are not known here; -ENOMEM; what
 * nr_topology_open() said of the topology; what init said.
 */
int nr_create(const struct nr_ops *ops, const struct nr_attr *attr,
	      struct nr **out);

/**
 * nr_destroy - free everything
 *
 * All contexts must have left. Nobody may use it during or after this. NULL is
 * ignored.
 *
 * Return: 0; -EBUSY: there are contexts, nothing has been done.
 */
int nr_destroy(struct nr *nr);

/* ------------------------------------------------------------- contexts -- */

/**
 * struct nr_context_attr - how a thread takes part
 * @size:    sizeof(struct nr_context_attr).
 * @replica: its number; default: one on the place of the CPU that the calling
 *           thread runs on, the one with the fewest contexts.
 * @depth:   asynchronous updates that may be outstanding; default 32, rounded
 *           up to a power of two, at most 65536.
 */
struct nr_context_attr {
	size_t size;
	uint32_t replica;
	uint32_t depth;
};

#define NR_CONTEXT_ATTR_INIT NR_INIT_(nr_context_attr)

/**
 * nr_register - take part
 * @attr: attributes or NULL.
 * @out:  a context, to be used by one thread at a time, and given back with
 *        nr_leave().
 *
 * Any number of contexts can be registered, at any time.
 *
 * Return: 0; -ENOENT: no such replica; -EINVAL; -E2BIG; -ENOMEM.
 */
int nr_register(struct nr *nr, const struct nr_context_attr *attr,
		struct nr_context **out);

/**
 * nr_leave - take part no more
 *
 * Outstanding updates are waited for, their results dropped. NULL is ignored.
 */
void nr_leave(struct nr_context *context);

/** nr_context_replica - the number of the replica that a context uses */
uint32_t nr_context_replica(const struct nr_context *context);

/* ----------------------------------------------------------- operations -- */

/**
 * nr_update - change the structure
 * @op, @len: the operation, any bytes; copied, so that nothing of it is
 *            referred to after return. What it points to must stay until every
 *            replica has applied it, see nr_sync().
 * @result:   result_size bytes are written here, those that the update function
 *            does not write as zero; not part of @op; NULL: not wanted.
 *
 * The update has been done, for all threads on all nodes, when this returns.
 * Updates of one context are done in the order of their submission. Waits for
 * the combiner of its replica, if that is somebody else; for the other
 * combiners to have written what they have put into the log before; and, once
 * per log_size updates, for replicas that lag behind, which it brings forward
 * itself if nobody does.
 *
 * Return: 0; -ENOMEM: an operation longer than op_size found no memory, and
 * was not done; -EMSGSIZE: 2 GiB or more.
 */
int nr_update(struct nr_context *context, const void *op, size_t len,
	      void *result);

/**
 * nr_read - look at the structure
 * @op, @len, @result: passed on to the read function as they are, so they may
 *            point to anything, a callback among it.
 *
 * The read function runs on the calling thread and sees every update that had
 * been done when this was called. If its replica has not come so far, the
 * calling thread brings it there, or waits for its combiner.
 *
 * Return: 0; -ENOSYS: there is no read function.
 */
int nr_read(struct nr_context *context, const void *op, size_t len,
	    void *result);

/**
 * nr_sync - bring the context's replica up to date
 *
 * After this it has applied every update that had been done when this was
 * called. What an operation points to may be freed when this is so for all
 * replicas: nr_inspect() brings each of them up to date.
 */
void nr_sync(struct nr_context *context);

/**
 * nr_submit - start an update and go on
 * @op, @len: as for nr_update().
 * @result:   as for nr_update(); must stay until the update has been reaped.
 * @tag:      the caller's own value, handed back.
 *
 * The update is put into the log by whichever thread of its replica combines
 * next; nobody does it before somebody calls, at the latest this context with
 * nr_poll(), nr_wait() or nr_update().
 *
 * Return: 0; -EAGAIN: as many outstanding as the context has room for, reap
 * some first; -ENOMEM and -EMSGSIZE as nr_update().
 */
int nr_submit(struct nr_context *context, const void *op, size_t len,
	      void *result, uint64_t tag);

/**
 * nr_poll - reap updates that have been submitted, without waiting for others
 * @tags: filled in the order of submission; NULL: not wanted.
 * @n:    room in @tags.
 *
 * Gives all that have been done, as far as there is room. If none has, does
 * them itself, as many as a batch has, if the replica's combiner lock is free.
 *
 * Waits for no lock, and never sleeps. Who does updates himself, here as
 * everywhere, waits for readers of his replica to come out; for those who have
 * taken a place in the log and have yet to write there; and, if the log is
 * full, until it has room.
 *
 * Return: how many were reaped, 0 if none is done yet; -ENOENT: nothing is
 * outstanding.
 */
int nr_poll(struct nr_context *context, uint64_t *tags, unsigned n);

/**
 * nr_wait - nr_poll(), but wait until at least @min are done
 *
 * Return: how many were reaped, fewer than @min only if fewer are outstanding;
 * -ENOENT: nothing is.
 */
int nr_wait(struct nr_context *context, uint64_t *tags, unsigned n,
	    unsigned min);

/**
 * struct nr_done - an update that has been done
 *
 * Of those structures that are made with this one, and tell what became of each
 * update: nr_map_poll().
 *
 * @tag: what it was submitted with.
 * @ret: what the function that waits for it would have returned. Or -EAGAIN:
 *       not done, there was no room for it. Submit it again: room has been
 *       made, or somebody else is about to. The library does not do it again,
 *       for what was submitted after it has been done.
 */
struct nr_done {
	uint64_t tag;
	int32_t ret;
	uint32_t reserved;
};

/* ------------------------------------------------------------- replicas -- */

/**
 * nr_replica_add - one replica more, at run time
 * @place: where, an index into nr_topology_of(@nr); -1: where the fewest are.
 *
 * It starts as a clone of another one. That one's combiner lock is held
 * meanwhile: its threads do not update, and read only as long as nobody else
 * updates; and everybody waits when the log is full.
 *
 * Return: its number, never used before; -ENOTSUP: there is no clone function;
 * -EINVAL: no such place; -ENOMEM; what clone said.
 */
int nr_replica_add(struct nr *nr, int place);

/**
 * nr_replica_remove - one replica less
 *
 * Return: 0; -ENOENT: no such replica; -EBUSY: it has contexts, or it is the
 * last one.
 */
int nr_replica_remove(struct nr *nr, uint32_t replica);

/**
 * nr_inspect - look at every replica's structure
 * @fn: called for each, brought up to date and not being updated meanwhile, in
 *      the order of their numbers; may only read. It must not call anything
 *      for the same nr, not even nr_read(): the locks that this needs are
 *      held. A non-zero return ends it.
 *
 * While @fn runs that replica waits as in nr_replica_add().
 *
 * For tests and for finding errors: where nobody updates meanwhile, all
 * structures must be equal.
 *
 * Return: what @fn returned last, or 0.
 */
int nr_inspect(struct nr *nr,
	       int (*fn)(uint32_t replica, const void *object, void *arg),
	       void *arg);

/* ----------------------------------------------------------- statistics -- */

/** Batches of 1, 2-3, 4-7, ... updates. */
#define NR_BATCHES 32

/**
 * struct nr_replica_stats - counters of one replica
 * @size:     set by the caller to sizeof(struct nr_replica_stats) before.
 * @replica:  its number. Numbers start with 1 and are not used again.
 * @place:    where it is: an index into nr_topology_of().
 * @contexts: registered now.
 * @lag:      updates in the log that it has not applied yet.
 * @applied:  updates applied ever, those that a clone started with included.
 * @updates:  updates of its own contexts.
 * @reads:    reads of its own contexts.
 * @batches:  how often a combiner has put updates into the log.
 * @batch_sizes: how many of those were of 1, 2-3, 4-7, ... updates.
 * @catch_ups: times that a read or a sync has brought it up to date.
 * @helped:   times that a thread of another replica had to bring it forward.
 * @collects: times that its combiners collected the log's free space.
 * @full:     times that its combiners found the log full.
 * @yields, @parks: waits for its combiner that gave up the CPU, or slept.
 */
struct nr_replica_stats {
	size_t size;
	uint32_t replica;
	uint32_t place;
	uint64_t contexts;
	uint64_t lag;
	uint64_t applied;
	uint64_t updates;
	uint64_t reads;
	uint64_t batches;
	uint64_t batch_sizes[NR_BATCHES];
	uint64_t catch_ups;
	uint64_t helped;
	uint64_t collects;
	uint64_t full;
	uint64_t yields;
	uint64_t parks;
};

/**
 * struct nr_stats - the state of the log
 * @size:     set by the caller to sizeof(struct nr_stats) before.
 * @log_size: entries.
 * @log_head: every replica has applied what is before this index.
 * @log_ctail: what is before this has been done.
 * @log_tail: where the next update will be put.
 * @replicas: how many there are.
 */
struct nr_stats {
	size_t size;
	uint64_t log_size;
	uint64_t log_head;
	uint64_t log_ctail;
	uint64_t log_tail;
	uint64_t replicas;
};

/**
 * nr_stats - what the log looks like, and every replica
 * @stats:    filled; set size before.
 * @replicas: filled in the order of their numbers, set size of the first
 *            before; may be NULL.
 * @n:        room in @replicas.
 *
 * Return: how many of @replicas were filled; -EINVAL: a size is not set.
 */
int nr_stats(struct nr *nr, struct nr_stats *stats,
	     struct nr_replica_stats *replicas, unsigned n);

/* ------------------------------------------------- distributed reader lock --
 */

struct nr_rwlock;
struct nr_reader;

/**
 * nr_rwlock_create - a lock with one cache line to each reader
 * @out: the caller's to destroy.
 *
 * Readers write nothing but their own line, so they do not disturb each other;
 * a writer looks at all of their lines. A writer that waits goes before readers
 * that come later; a reader that 64 writers in a row have gone before is let in
 * before the next one.
 *
 * Return: 0; -ENOMEM.
 */
int nr_rwlock_create(struct nr_rwlock **out);

/**
 * nr_rwlock_destroy - free it
 *
 * Return: 0; -EBUSY: there are readers, nothing has been done. NULL is ignored.
 */
int nr_rwlock_destroy(struct nr_rwlock *lock);

/**
 * nr_rwlock_join - get a line to read with
 * @out: to be used by one thread at a time, and given back with
 *       nr_rwlock_leave().
 *
 * Waits for writers, which wait for readers: a thread that reads, with another
 * line, or writes would wait for itself.
 *
 * Return: 0; -ENOMEM.
 */
int nr_rwlock_join(struct nr_rwlock *lock, struct nr_reader **out);

/**
 * nr_rwlock_leave - give it back
 *
 * It waits for writers like nr_rwlock_join(), so the thread may neither read,
 * with this line or another, nor write. NULL is ignored.
 */
void nr_rwlock_leave(struct nr_reader *reader);

/**
 * nr_read_lock - begin to read
 *
 * Implies an acquire barrier. May not be nested, nor held while the same thread
 * writes.
 */
void nr_read_lock(struct nr_reader *reader);

/** nr_read_unlock - end; implies a release barrier */
void nr_read_unlock(struct nr_reader *reader);

/** nr_write_lock - exclude readers and other writers; an acquire barrier */
void nr_write_lock(struct nr_rwlock *lock);

/** nr_write_unlock - let them in again; a release barrier */
void nr_write_unlock(struct nr_rwlock *lock);

/* ------------------------------------------------------------- topology -- */

/**
 * struct nr_place - where a replica can be
 * @size: set by the caller to sizeof(struct nr_place) before asking.
 * @node: the NUMA node that its CPUs are on; the first one, if memoryless nodes
 *        next to it have been put to it.
 * @memory: the node that its memory comes from; -1: the machine tells of none.
 * @cpus: how many CPUs.
 */
struct nr_place {
	size_t size;
	int32_t node;
	int32_t memory;
	uint32_t cpus;
	uint32_t reserved;
};

/**
 * nr_topology_open - the places of a machine
 * @spec: "2x1": two places of one CPU each, taken in order from those that the
 *        calling thread may run on, and again from the start when these are
 *        fewer; "0-3,8/4-7": CPUs of the first place, then of the second; NULL:
 *        $NR_TOPOLOGY if set, else the machine's nodes.
 * @out:  the caller's to close.
 *
 * A place of the machine is a NUMA node that has memory and CPUs that this
 * thread may run on. CPUs of a node whose memory is missing or forbidden belong
 * to the place that is nearest. A machine that tells of no nodes is one place.
 *
 * Return: 0; -EINVAL: @spec is not of that form; -ENOMEM.
 */
int nr_topology_open(const char *spec, struct nr_topology **out);

/** nr_topology_close - free it; NULL is ignored */
void nr_topology_close(struct nr_topology *topology);

/**
 * nr_topology_of - the places that @nr has replicas on, or may have
 *
 * Return: not the caller's to close; it stays as it is until nr_destroy().
 */
const struct nr_topology *nr_topology_of(const struct nr *nr);

/** nr_topology_places - how many there are, at least one */
uint32_t nr_topology_places(const struct nr_topology *topology);

/**
 * nr_topology_place - describe the @i-th
 *
 * Return: 0; -ENOENT: there are not so many; -EINVAL: the size is not set.
 */
int nr_topology_place(const struct nr_topology *topology, uint32_t i,
		      struct nr_place *place);

/**
 * nr_topology_here - the place of the CPU that the calling thread runs on
 *
 * Return: its index; 0 for a CPU that is in no place.
 */
uint32_t nr_topology_here(const struct nr_topology *topology);

/* --------------------------------------------------------------- misc. -- */

/** nr_version - "MAJOR.MINOR.PATCH" of the library at run time */
const char *nr_version(void);

#ifdef __cplusplus
}
#endif

#endif /* NR_H */
