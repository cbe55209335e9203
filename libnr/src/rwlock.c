/* SPDX-License-Identifier: MIT */
/* rwlock.c - the distributed reader lock, usable on its own */
#include <errno.h>

#include "mem.h"
#include "nr.h"
#include "rlock.h"

struct nr_rwlock {
	struct rlock lock;
};

struct nr_reader {
	struct reader reader;
};

NR_PUBLIC int nr_rwlock_create(struct nr_rwlock **out)
{
	struct nr_rwlock *lock =
		mem_node_alloc(sizeof(*lock), -1, NR_MEMORY_ANY);

	if (!lock)
		return -ENOMEM;
	*out = lock;
	return 0;
}

NR_PUBLIC int nr_rwlock_destroy(struct nr_rwlock *lock)
{
	if (!lock)
		return 0;
	gate_lock(&lock->lock.gate);
	if (lock->lock.n) {
		gate_unlock(&lock->lock.gate);
		return -EBUSY;
	}
	rlock_fini(&lock->lock);
	mem_node_free(lock, sizeof(*lock));
	return 0;
}

NR_PUBLIC int nr_rwlock_join(struct nr_rwlock *lock, struct nr_reader **out)
{
	/* A page of its own: on the node of the thread that joins. */
	struct nr_reader *reader =
		mem_node_alloc(sizeof(*reader), -1, NR_MEMORY_ANY);
	int err;

	if (!reader)
		return -ENOMEM;
	gate_lock(&lock->lock.gate);
	err = rlock_add(&lock->lock, &reader->reader, -1, NR_MEMORY_ANY);
	gate_unlock(&lock->lock.gate);
	if (err) {
		mem_node_free(reader, sizeof(*reader));
		return err;
	}
	*out = reader;
	return 0;
}

NR_PUBLIC void nr_rwlock_leave(struct nr_reader *reader)
{
	struct rlock *l;

	if (!reader)
		return;
	l = reader->reader.lock;
	gate_lock(&l->gate);
	rlock_del(l, &reader->reader);
	gate_unlock(&l->gate);
	mem_node_free(reader, sizeof(*reader));
}

NR_PUBLIC void nr_read_lock(struct nr_reader *reader)
{
	rlock_read_begin(&reader->reader, reader->reader.lock);
}

NR_PUBLIC void nr_read_unlock(struct nr_reader *reader)
{
	rlock_read_end(&reader->reader);
}

NR_PUBLIC void nr_write_lock(struct nr_rwlock *lock)
{
	gate_lock(&lock->lock.gate);
	rlock_write_begin(&lock->lock);
}

NR_PUBLIC void nr_write_unlock(struct nr_rwlock *lock)
{
	rlock_write_end(&lock->lock);
	gate_unlock(&lock->lock.gate);
}
