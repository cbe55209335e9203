// SPDX-License-Identifier: GPL-2.0-only
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sched.h>

#include "bell.h"
#include "server.h"
#include "worker.h"

/* Under the lock of the head */
static int ring(wait_queue_entry_t *entry, unsigned int mode, int flags,
		void *key)
{
	struct sky_bell *bell = container_of(entry, struct sky_bell, entry);
	struct sky_worker *worker = container_of(bell, struct sky_worker, bell);
	__poll_t events = key_to_poll(key);

	if (events & POLLFREE) {
		/* As in ep_poll_callback(): it goes, whatever we do. */
		list_del_init(&entry->entry);
		/* Pairs with sky_bell_drop(). */
		smp_store_release(&bell->head, NULL);
		return 1;
	}
	if (events && !(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return 0;
	WRITE_ONCE(bell->rung, true);
	/* Pairs with sky_wait_begin(): its bit is set, then this is read. */
	smp_mb();
	/* It is exclusive: one that does not wait leaves it to another. */
	if (!READ_ONCE(bell->listens) ||
	    !test_bit(worker->number, worker->server->idle))
		return 0;
	return wake_up_process(worker->task);
}

static void queue(struct file *file, wait_queue_head_t *head, poll_table *table)
{
	struct sky_bell *bell = container_of(table, struct sky_bell, table);

	if (bell->head) {
		bell->odd = true;
		return;
	}
	bell->head = head;
	add_wait_queue_exclusive(head, &bell->entry);
}

void sky_bell_init(struct sky_bell *bell)
{
	spin_lock_init(&bell->lock);
}

int sky_bell_hang(struct sky_worker *worker, int fd)
{
	struct sky_bell *bell = &worker->bell;

	bell->file = fget(fd);
	if (!bell->file)
		return -EBADF;
	init_waitqueue_func_entry(&bell->entry, ring);
	init_poll_funcptr(&bell->table, queue);
	bell->rung = true;
	vfs_poll(bell->file, &bell->table);
	if (bell->head && !bell->odd)
		return 0;
	sky_bell_drop(worker);
	return -EINVAL;
}

void sky_bell_pass(struct sky_worker *worker)
{
	struct sky_bell *bell = &worker->bell;
	wait_queue_head_t *head;

	spin_lock(&bell->lock);
	/* The head may go, but not before a grace period: POLLFREE. */
	rcu_read_lock();
	/* Pairs with ring(). */
	head = bell->file ? smp_load_acquire(&bell->head) : NULL;
	if (head)
		wake_up_poll(head, EPOLLIN);
	rcu_read_unlock();
	spin_unlock(&bell->lock);
}

void sky_bell_drop(struct sky_worker *worker)
{
	struct sky_bell *bell = &worker->bell;
	wait_queue_head_t *head;
	struct file *file;

	spin_lock(&bell->lock);
	file = bell->file;
	bell->file = NULL;
	spin_unlock(&bell->lock);
	if (!file)
		return;
	/* The head may go, but not before a grace period: POLLFREE. */
	rcu_read_lock();
	/* Pairs with ring(). */
	head = smp_load_acquire(&bell->head);
	if (head)
		remove_wait_queue(head, &bell->entry);
	rcu_read_unlock();
	fput(file);
}
