/* SPDX-License-Identifier: MIT */
/*
 * A sequential structure behind a lock, made for each pair of them, so that
 * the compiler sees both: calls through pointers would be a cost that is
 * nobody's.
 *
 * A file that uses this has, for a lock LOCK:
 *
 *	struct LOCK { struct seq seq; ... };
 *	struct LOCK_thread { struct LOCK *lock; ... };
 *	int LOCK_init(struct LOCK *, const struct nr_job *);
 *	void LOCK_fini(struct LOCK *);
 *	int LOCK_thread_init(struct LOCK_thread *);
 *	void LOCK_thread_fini(struct LOCK_thread *);
 *	void LOCK_read_lock(struct LOCK_thread *), LOCK_read_unlock(...);
 *	void LOCK_write_lock(struct LOCK_thread *), LOCK_write_unlock(...);
 */
#ifndef BENCH_NR_LOCKED_H
#define BENCH_NR_LOCKED_H

#include <stdlib.h>

#include "nr_peer.h"
#include "nr_seq.h"

/* Nobody else's words are on the lines of what comes from here. */
#define LOCKED_LINE 128

static inline void *locked_alloc(size_t size)
{
	void *p = aligned_alloc(LOCKED_LINE, (size + LOCKED_LINE -
					      1) & ~(size_t)(LOCKED_LINE - 1));

	return p ? memset(p, 0, size) : NULL;
}

#define LOCKED_THREADS(LOCK)                                                   \
	static void LOCK##_destroy(void *structure)                            \
	{                                                                      \
		struct LOCK *l = structure;                                    \
                                                                               \
		seq_destroy(&l->seq);                                          \
		LOCK##_fini(l);                                                \
		free(l);                                                       \
	}                                                                      \
	static void *LOCK##_join(void *structure)                              \
	{                                                                      \
		struct LOCK##_thread *t = locked_alloc(sizeof(*t));            \
                                                                               \
		if (!t)                                                        \
			return NULL;                                           \
		t->lock = structure;                                           \
		return LOCK##_thread_init(t) ? NULL : t;                       \
	}                                                                      \
	static void LOCK##_leave(void *thread)                                 \
	{                                                                      \
		LOCK##_thread_fini(thread);                                    \
		free(thread);                                                  \
	}

#define LOCKED(LOCK, SEQ, KIND, NAME, FLAGS, HOW)                              \
	static void *LOCK##_##SEQ##_create(const struct nr_job *job)           \
	{                                                                      \
		struct LOCK *l = locked_alloc(sizeof(*l));                     \
                                                                               \
		if (!l || seq_##SEQ##_create(&l->seq) || LOCK##_init(l, job))  \
			return NULL;                                           \
		l->seq.keys = 2 * job->entries;                                \
		return l;                                                      \
	}                                                                      \
	static int LOCK##_##SEQ##_get(void *thread, uint64_t key,              \
				      uint64_t *value)                         \
	{                                                                      \
		struct LOCK##_thread *t = thread;                              \
		int ret;                                                       \
                                                                               \
		LOCK##_read_lock(t);                                           \
		ret = seq_##SEQ##_get(&t->lock->seq, key, value);              \
		LOCK##_read_unlock(t);                                         \
		return ret;                                                    \
	}                                                                      \
	static int LOCK##_##SEQ##_put(void *thread, uint64_t key,              \
				      uint64_t value)                          \
	{                                                                      \
		struct LOCK##_thread *t = thread;                              \
		int ret;                                                       \
                                                                               \
		LOCK##_write_lock(t);                                          \
		ret = seq_##SEQ##_put(&t->lock->seq, key, value);              \
		LOCK##_write_unlock(t);                                        \
		return ret;                                                    \
	}                                                                      \
	static int LOCK##_##SEQ##_remove(void *thread, uint64_t key,           \
					 uint64_t *value)                      \
	{                                                                      \
		struct LOCK##_thread *t = thread;                              \
		int ret;                                                       \
                                                                               \
		LOCK##_write_lock(t);                                          \
		ret = seq_##SEQ##_remove(&t->lock->seq, key, value);           \
		LOCK##_write_unlock(t);                                        \
		return ret;                                                    \
	}                                                                      \
	static uint64_t LOCK##_##SEQ##_count(void *thread)                     \
	{                                                                      \
		struct LOCK##_thread *t = thread;                              \
                                                                               \
		return seq_##SEQ##_count(&t->lock->seq);                       \
	}                                                                      \
	const struct nr_peer nr_peer_##LOCK##_##SEQ = {                        \
		.name = NAME,                                                  \
		.kind = KIND,                                                  \
		.flags = FLAGS,                                                \
		.how = HOW,                                                    \
		.create = LOCK##_##SEQ##_create,                               \
		.destroy = LOCK##_destroy,                                     \
		.join = LOCK##_join,                                           \
		.leave = LOCK##_leave,                                         \
		.get = LOCK##_##SEQ##_get,                                     \
		.put = LOCK##_##SEQ##_put,                                     \
		.remove = LOCK##_##SEQ##_remove,                               \
		.count = LOCK##_##SEQ##_count,                                 \
	}

#define LOCKED_ALL(LOCK, NAME, FLAGS, HOW)                                     \
	LOCKED_THREADS(LOCK)                                                   \
	LOCKED(LOCK, map, NR_MAP, NAME, FLAGS, HOW);                           \
	LOCKED(LOCK, omap, NR_OMAP, NAME, FLAGS, HOW);                         \
	LOCKED(LOCK, queue, NR_QUEUE, NAME, FLAGS, HOW);                       \
	LOCKED(LOCK, vspace, NR_VSPACE, NAME, FLAGS, HOW)

#endif /* BENCH_NR_LOCKED_H */
