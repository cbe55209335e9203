/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A server: what its process has made of /dev/skyipc. Calls come in through
 * connections and go to workers.
 *
 * It lives as long as the process that made it (its mm), whoever else holds a
 * descriptor, and is dead from then on; its memory as long as something refers
 * to it.
 */
#ifndef SKYIPC_SERVER_H
#define SKYIPC_SERVER_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "skyipc_dev.h"
#include "view/flush.h"

struct file;
struct sky_call;
struct sky_user;
struct sky_worker;

/* Threads have numbers of 22 bits at most; who needs more than this? */
#define SKY_WORKERS_MAX BIT(16)

#define SKY_FEW 64

struct sky_server {
	struct kref refs;
	struct sky_user *user;
	struct mm_struct *mm;		/* to compare with, grabbed */
	pid_t pid;			/* of that process, for people */
	struct list_head all;		/* of all servers */
	struct mmu_notifier notifier;	/* its end */
	struct rcu_head rcu;

	/*
	 * A bit for each worker: 1 if it waits, and whoever turns it to 0 may
	 * give it a call. Where dispatch.c begins.
	 */
	unsigned long *idle;
	unsigned int top;		/* no number is higher, nor ever was */
	struct xarray workers;		/* by number */
	struct xarray calls;		/* by id; made by clients */
	/* Of both the first ones again, as those are looked for: find.h */
	struct sky_worker *few_workers[SKY_FEW];
	struct sky_call *few_calls[SKY_FEW];

	struct view_target target;	/* of views */
	spinlock_t lock;		/* the rest */
	bool dead;			/* written under it; read without, too */
	struct list_head pending;	/* calls without a worker */
	struct list_head conns;		/* to be told in the end */
	wait_queue_head_t poll;		/* somebody is pending */
};

/* A new server of this process: its descriptor */
int sky_server_new(const struct skyipc_dev_server __user *user);
void sky_server_get(struct sky_server *server);
void sky_server_put(struct sky_server *server);
/*
 * The one after @server, which is put; NULL: the first one, or none is left.
 * Each is referred to.
 */
struct sky_server *sky_server_next(struct sky_server *server);
/* No call will be answered any more: everybody is woken to see it. */
void sky_server_die(struct sky_server *server);

/* None is left, nor will any be made: wait until all is freed. */
void sky_server_exit(void);

static inline bool sky_server_is_dead(const struct sky_server *server)
{
	/* As sky_conn_is_dead() */
	return READ_ONCE(server->dead);
}

#endif
