/* SPDX-License-Identifier: MIT */
/*
 * nr_cnr - concurrent node replication: several logs
 *
 * With one log (nr.h) updates are done one after the other. Where most of them
 * do not conflict, as those of different keys do not, a structure can have
 * several logs. The program says of each operation to which class of conflicts
 * it belongs. Those of one class go through the same log, one after the other,
 * on all replicas in the same order; those of different logs at the same time,
 * each log with a combiner of its own. An operation may belong to several
 * classes, or to all (a scan): it is done when its replica has applied all of
 * their logs just as far as the operation is in each. All of this is
 * linearizable. (Bhardwaj et al.: NrOS, OSDI'21.)
 *
 * What nr.h says of errors, attributes, threads, contexts and waiting holds
 * here, too.
 */
#ifndef NR_CNR_H
#define NR_CNR_H

#include <nr.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_cnr;
struct nr_cnr_context;

/** A set of classes, to be filled. */
struct nr_classes;

/** The class that conflicts with every class. */
#define NR_CLASS_ALL UINT64_MAX

/**
 * nr_classes_add - an operation belongs to one class more
 * @classes: given to update_class or read_class of struct nr_cnr_ops, which may
 *           call this as often as it likes, while it runs.
 * @which:   any number, or NR_CLASS_ALL.
 */
void nr_classes_add(struct nr_classes *classes, uint64_t which);

/** Flags of struct nr_cnr_ops. */
enum nr_cnr_flags {
	/*
	 * The structure can be read while it is updated, by operations of the
	 * same class, too: reads of one class take no lock; those of several
	 * do, and are beside no update of theirs. Without this flag a read
	 * waits for updates of its class on its replica; what belongs to one
	 * class needs no lock of its own then, and what classes have in common
	 * does. With it nothing but the structure's own accesses orders an
	 * update and a read: what an update publishes it has to store with
	 * release, and a read has to load that with acquire.
	 */
	NR_CNR_CONCURRENT = 1,
};

/**
 * struct nr_cnr_ops - a structure, what can be done with it, and what conflicts
 * @size:        sizeof(struct nr_cnr_ops).
 * @object_size, @result_size, @init, @fini, @clone: as in struct nr_ops.
 * @update, @read: as in struct nr_ops; but on one replica several threads run
 *               them at the same time, if they have no class in common.
 * @update_class: the class of an update: any number; class modulo logs is its
 *               log. Of more classes it adds the others to @more. Must say the
 *               same of the same bytes. Called by the thread that updates.
 * @read_class:  the same of reads; needed if there is @read. A read has to be
 *               in all classes in which there are updates that change what it
 *               looks at.
 * @flags:       of enum nr_cnr_flags.
 * @reserved:    zero.
 *
 * The read function of a read in several classes may run on another thread:
 * where updates of others do not let it look at all of them at one moment, it
 * goes through their logs.
 */
struct nr_cnr_ops {
	size_t size;
	size_t object_size;
	size_t result_size;
	int (*init)(void *object, void *arg);
	void (*fini)(void *object, void *arg);
	void (*update)(void *object, const void *op, size_t len, void *result);
	void (*read)(const void *object, const void *op, size_t len,
		     void *result);
	int (*clone)(void *object, const void *from, void *arg);
	uint64_t (*update_class)(const void *op, size_t len,
				 struct nr_classes *more);
	uint64_t (*read_class)(const void *op, size_t len,
			       struct nr_classes *more);
	uint32_t flags;
	uint32_t reserved;
};

#define NR_CNR_OPS_INIT NR_INIT_(nr_cnr_ops)

/** Logs that are too many. */
#define NR_LOGS_MAX 256

/**
 * struct nr_cnr_attr - how it is to be
 * @size:     sizeof(struct nr_cnr_attr).
 * @nr:       size of each log, replicas, topology and memory policy, as for
 *            nr_create(); its arg is given to init, fini and clone. NULL:
 *            defaults.
 * @logs:     how many; at most NR_LOGS_MAX, default 4. More than threads that
 *            update on one node gain nothing.
 * @reserved: zero.
 */
struct nr_cnr_attr {
	size_t size;
	const struct nr_attr *nr;
	uint32_t logs;
	uint32_t reserved;
};

#define NR_CNR_ATTR_INIT NR_INIT_(nr_cnr_attr)

/**
 * nr_cnr_create - replicate a structure, with several logs
 * @ops:  what it is; copied.
 * @attr: attributes or NULL.
 * @out:  the caller's to destroy.
 *
 * Return: 0; -EINVAL: no update function, no function for the class of what
 * there is, or a value that cannot be; else what nr_create() says.
 */
int nr_cnr_create(const struct nr_cnr_ops *ops, const struct nr_cnr_attr *attr,
		  struct nr_cnr **out);

/**
 * nr_cnr_destroy - free everything
 *
 * All contexts must have left. Nobody may use it during or after this. NULL is
 * ignored.
 *
 * Return: 0; -EBUSY: there are contexts, nothing has been done.
 */
int nr_cnr_destroy(struct nr_cnr *cnr);

/**
 * nr_cnr_register - take part
 * @attr: as for nr_register(); depth is that of all logs together.
 * @out:  to be used by one thread at a time, given back with nr_cnr_leave().
 *
 * Return: 0, or what nr_register() says.
 */
int nr_cnr_register(struct nr_cnr *cnr, const struct nr_context_attr *attr,
		    struct nr_cnr_context **out);

/**
 * nr_cnr_leave - take part no more
 *
 * Outstanding updates are waited for, their results dropped. NULL is ignored.
 */
void nr_cnr_leave(struct nr_cnr_context *context);

/** nr_cnr_context_replica - the number of the replica that a context uses */
uint32_t nr_cnr_context_replica(const struct nr_cnr_context *context);

/**
 * nr_cnr_update - change the structure
 * @op, @len, @result: as for nr_update().
 *
 * Done for all threads on all nodes when this returns. Waits as nr_update()
 * does. One that is in several classes waits for others of that kind, for they
 * are put into the logs one after the other; and while it is done, updates of
 * all its classes wait on that replica.
 *
 * Return: 0; -ENOMEM: not done, an operation that is long, or in several
 * classes, found no memory; -EMSGSIZE: 1 GiB or more.
 */
int nr_cnr_update(struct nr_cnr_context *context, const void *op, size_t len,
		  void *result);

/**
 * nr_cnr_submit - start an update of one log and go on
 * @op, @len:     as for nr_cnr_update().
 * @result, @tag: as for nr_submit().
 *
 * Whichever thread of the replica combines next in that log does it; at the
 * latest this context, when it calls nr_cnr_poll() or nr_cnr_wait(), or updates
 * something of the same log. Updates of one context that have a log in common
 * are done in the order in which they were asked for, in whatever way.
 *
 * Return: 0; -ENOTSUP: it belongs to several classes, and they have not all the
 * same log: use nr_cnr_update(); -EAGAIN: as many outstanding as the context
 * has room for; -ENOMEM and -EMSGSIZE as nr_cnr_update().
 */
int nr_cnr_submit(struct nr_cnr_context *context, const void *op, size_t len,
		  void *result, uint64_t tag);

/**
 * nr_cnr_poll - reap updates that have been submitted
 * @tags: filled in the order of submission; NULL: not wanted.
 * @n:    room in @tags.
 *
 * Gives all that have been done, up to the first that has not, as far as there
 * is room. If there are none, does what is outstanding itself, in each log a
 * batch, if the combiner lock of that log is free on this replica.
 *
 * Waits where nr_poll() does; and, if it does updates and comes to one of
 * several classes in their log, until that has been done on this replica, as
 * all do; for that it may sleep.
 *
 * Return: how many were reaped, 0 if none is done yet; -ENOENT: nothing is
 * outstanding.
 */
int nr_cnr_poll(struct nr_cnr_context *context, uint64_t *tags, unsigned n);

/**
 * nr_cnr_wait - nr_cnr_poll(), but wait until at least @min are done
 *
 * Return: how many were reaped, fewer than @min only if fewer are outstanding;
 * -ENOENT: nothing is.
 */
int nr_cnr_wait(struct nr_cnr_context *context, uint64_t *tags, unsigned n,
		unsigned min);

/**
 * nr_cnr_read - look at the structure
 * @op, @len, @result: passed on as they are, as by nr_read().
 *
 * Sees every update of its classes that had been done when this was called; of
 * several classes all at the same moment.
 *
 * Return: 0; -ENOSYS: there is no read function; -ENOMEM: a read of several
 * classes had to go through the logs, and found no memory.
 */
int nr_cnr_read(struct nr_cnr_context *context, const void *op, size_t len,
		void *result);

/** nr_cnr_sync - bring the context's replica up to date, as nr_sync() */
void nr_cnr_sync(struct nr_cnr_context *context);

/**
 * nr_cnr_replica_add - one replica more, at run time
 * @place: as for nr_replica_add().
 *
 * It starts as a clone of another one, which stands still meanwhile. The clone
 * function may run on another thread that uses the structure.
 *
 * Return: its number; -ENOTSUP: there is no clone function; -EINVAL: no such
 * place; -ENOMEM; what clone said.
 */
int nr_cnr_replica_add(struct nr_cnr *cnr, int place);

/** nr_cnr_replica_remove - one replica less, as nr_replica_remove() */
int nr_cnr_replica_remove(struct nr_cnr *cnr, uint32_t replica);

/**
 * nr_cnr_inspect - look at every replica's structure
 * @fn: as for nr_inspect(); but it may run on another thread that uses the
 *      structure.
 *
 * Return: what @fn returned last, or 0; -ENOMEM: not all were looked at.
 */
int nr_cnr_inspect(struct nr_cnr *cnr,
		   int (*fn)(uint32_t replica, const void *object, void *arg),
		   void *arg);

/** nr_cnr_logs - how many logs there are */
uint32_t nr_cnr_logs(const struct nr_cnr *cnr);

/**
 * nr_cnr_log - one of the logs: for nr_stats() and nr_topology_of()
 *
 * Replicas may not be added, removed or inspected with it, nor contexts
 * registered.
 *
 * Of its statistics those that tell of entries count what is in several logs in
 * each of them: log_head, log_ctail, log_tail, lag, applied. Those that tell of
 * operations count it once, in the first of its logs, that of the lowest
 * number: updates and reads. So the sum of these over all logs is how often
 * nr_cnr_update() and nr_cnr_read() have done something. It is in no batch.
 *
 * Return: NULL: there are not so many.
 */
struct nr *nr_cnr_log(struct nr_cnr *cnr, uint32_t log);

/**
 * struct nr_cnr_stats - what has gone through several logs at once
 * @size:    set by the caller to sizeof(struct nr_cnr_stats) before.
 * @updates: updates of several classes, in more than one log.
 * @reads:   reads of several classes that updates of others did not let look at
 *           all of them at one moment, so that they had to go through the logs.
 * @visits:  replicas that were cloned, or inspected.
 * @empty:   entries left empty, as there was no room in another log.
 *
 * If @updates are a good part of all, one log is cheaper.
 */
struct nr_cnr_stats {
	size_t size;
	uint64_t updates;
	uint64_t reads;
	uint64_t visits;
	uint64_t empty;
};

/**
 * nr_cnr_stats - how much goes through several logs
 * @stats: filled; set size before.
 *
 * Return: 0; -EINVAL: the size is not set.
 */
int nr_cnr_stats(const struct nr_cnr *cnr, struct nr_cnr_stats *stats);

#ifdef __cplusplus
}
#endif

#endif /* NR_CNR_H */
