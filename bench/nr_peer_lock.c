/* SPDX-License-Identifier: MIT */
/* libnr's sequential structures behind locks that are always there. */
#include <pthread.h>

#include <nr.h>

#include "nr_locked.h"

/* ---------------------------------------------------------------- mutex -- */

struct mutex {
	pthread_mutex_t mutex;
	_Alignas(LOCKED_LINE) struct seq seq;
};

struct mutex_thread {
	struct mutex *lock;
};

static int mutex_init(struct mutex *l, const struct nr_job *job)
{
	(void)job;
	return pthread_mutex_init(&l->mutex, NULL);
}

static void mutex_fini(struct mutex *l)
{
	pthread_mutex_destroy(&l->mutex);
}

static int mutex_thread_init(struct mutex_thread *t)
{
	(void)t;
	return 0;
}

static void mutex_thread_fini(struct mutex_thread *t)
{
	(void)t;
}

static void mutex_write_lock(struct mutex_thread *t)
{
	pthread_mutex_lock(&t->lock->mutex);
}

static void mutex_write_unlock(struct mutex_thread *t)
{
	pthread_mutex_unlock(&t->lock->mutex);
}

#define mutex_read_lock mutex_write_lock
#define mutex_read_unlock mutex_write_unlock

LOCKED_ALL(mutex, "mutex", 0,
	   "pthread_mutex_t around the structure that libnr replicates");

/* --------------------------------------------------------------- rwlock -- */

struct rwlock {
	pthread_rwlock_t rwlock;
	_Alignas(LOCKED_LINE) struct seq seq;
};

struct rwlock_thread {
	struct rwlock *lock;
};

static int rwlock_init(struct rwlock *l, const struct nr_job *job)
{
	(void)job;
	return pthread_rwlock_init(&l->rwlock, NULL);
}

static void rwlock_fini(struct rwlock *l)
{
	pthread_rwlock_destroy(&l->rwlock);
}

static int rwlock_thread_init(struct rwlock_thread *t)
{
	(void)t;
	return 0;
}

static void rwlock_thread_fini(struct rwlock_thread *t)
{
	(void)t;
}

static void rwlock_read_lock(struct rwlock_thread *t)
{
	pthread_rwlock_rdlock(&t->lock->rwlock);
}

static void rwlock_write_lock(struct rwlock_thread *t)
{
	pthread_rwlock_wrlock(&t->lock->rwlock);
}

static void rwlock_write_unlock(struct rwlock_thread *t)
{
	pthread_rwlock_unlock(&t->lock->rwlock);
}

#define rwlock_read_unlock rwlock_write_unlock

LOCKED_ALL(rwlock, "rwlock", 0,
	   "pthread_rwlock_t around the structure that libnr replicates");

/* --------------------------------------------------- libnr's reader lock -- */

struct lock {
	struct nr_rwlock *rwlock;
	_Alignas(LOCKED_LINE) struct seq seq;
};

struct lock_thread {
	struct lock *lock;
	struct nr_reader *reader;
};

static int lock_init(struct lock *l, const struct nr_job *job)
{
	(void)job;
	return nr_rwlock_create(&l->rwlock);
}

static void lock_fini(struct lock *l)
{
	nr_rwlock_destroy(l->rwlock);
}

static int lock_thread_init(struct lock_thread *t)
{
	return nr_rwlock_join(t->lock->rwlock, &t->reader);
}

static void lock_thread_fini(struct lock_thread *t)
{
	nr_rwlock_leave(t->reader);
}

static void lock_read_lock(struct lock_thread *t)
{
	nr_read_lock(t->reader);
}

static void lock_read_unlock(struct lock_thread *t)
{
	nr_read_unlock(t->reader);
}

static void lock_write_lock(struct lock_thread *t)
{
	nr_write_lock(t->lock->rwlock);
}

static void lock_write_unlock(struct lock_thread *t)
{
	nr_write_unlock(t->lock->rwlock);
}

LOCKED_ALL(lock, "nr-lock", 0,
	   "nr_rwlock around the structure that libnr replicates");
