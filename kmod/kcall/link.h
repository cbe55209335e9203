/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A link: one client thread's way to a server, and the calls that it may have
 * outstanding. Everything here is that thread's; others see its calls only.
 */
#ifndef SKYIPC_LINK_H
#define SKYIPC_LINK_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "alarm.h"
#include "call.h"

struct sky_conn;
struct sky_park;
struct sky_user;
struct task_struct;
struct file;
struct view_link;

/* debugfs/skyipc/hand_over: is SKYIPC_LINK_PARK for everybody? */
extern bool sky_link_may_park;

/* In link->active: others are queued behind that call. */
#define SKY_MORE 1L

struct sky_link {
	struct sky_conn *conn;
	struct sky_server *server;	/* the connection's */
	u64 cookie;			/* likewise */
	bool dead;			/* likewise; written by tell_links() */
	struct task_struct *owner;	/* may use it: the client, or nobody */
	struct task_struct *client;	/* to be woken; referred to */
	pid_t client_pid;		/* its number, for people */
	struct sky_user *user;		/* charged: the client's */
	unsigned int worker;		/* that served last; SKY_WORKERS_MAX: none */
	bool resumable;			/* @call goes on after a signal */
	struct sky_alarm alarm;		/* of CALL: the client's */
	struct sky_park *park;		/* of @call, for tests */
	/* NULL: calls by ioctl only. Written with the server's lock held */
	struct view_link *view;
	u64 view_until;			/* of @call, if it has begun in there */
	struct list_head node;		/* conn->links */

	struct sky_call *call;		/* for CALL; NULL: make one */
	struct list_head free;		/* for SUBMIT */
	unsigned int depth;		/* how many those are in all */
	unsigned int outstanding;	/* submitted and not reaped */

	atomic_long_t active;		/* the call whose turn it is, and a bit */
	spinlock_t lock;		/* the lists below */
	struct list_head queue;		/* those that wait for their turn */
	struct list_head left;		/* the server's now */
	struct list_head done;		/* submitted, to be reaped */
	wait_queue_head_t poll;
	struct rcu_head rcu;
	struct sky_call *submits[];	/* all that SUBMIT has */
};

static inline bool sky_link_is_dead(const struct sky_link *link)
{
	/* As sky_conn_is_dead() */
	return READ_ONCE(link->dead);
}

/* NULL: it is no link's */
struct sky_link *sky_link_of(struct file *file);
/* By who owns it: from now on it is called through @view, too. -EPIPE */
int sky_link_set_view(struct sky_link *link, struct view_link *view);
/* Likewise: it is not, if it was. May sleep. */
void sky_link_end_view(struct sky_link *link);

int sky_link_new(struct sky_conn *conn,
		 const struct skyipc_dev_link __user *user);

#endif
