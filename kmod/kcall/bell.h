/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker that waits for calls hears something else as well: a file that can
 * be polled, an epoll descriptor above all. So one thread can serve calls
 * through the module and whatever else its process listens to.
 *
 * It is an edge: heard once for all rings since it was heard last, and once at
 * the start.
 */
#ifndef SKYIPC_BELL_H
#define SKYIPC_BELL_H

#include <linux/poll.h>
#include <linux/spinlock.h>

struct file;
struct sky_worker;

struct sky_bell {
	/* Its file keeps the head: who uses both, or takes the file, has this. */
	spinlock_t lock;
	struct file *file;		/* NULL: no bell (any more) */
	wait_queue_head_t *head;	/* NULL: not on one (any more) */
	wait_queue_entry_t entry;
	poll_table table;
	bool rung;
	bool listens;			/* its worker waits, and for this, too */
	bool odd;			/* it has more than one */
};

/* Of a worker that nobody knows yet */
void sky_bell_init(struct sky_bell *bell);
/* 0; -EBADF; -EINVAL: it can't be polled, or not simply */
int sky_bell_hang(struct sky_worker *worker, int fd);
/* It has rung, and this worker has something else to do: let others hear. */
void sky_bell_pass(struct sky_worker *worker);
/* Also if there is none */
void sky_bell_drop(struct sky_worker *worker);

#endif
