/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker: a thread of the server that serves calls.
 */
#ifndef SKYIPC_WORKER_H
#define SKYIPC_WORKER_H

#include <linux/kref.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "bell.h"
#include "lend.h"
#include "priority.h"

/* No call has the id 0. */
#define SKY_LOOK BIT_ULL(32)

struct skyipc_dev_worker;
struct sky_park;
struct sky_server;
struct sky_user;
struct task_struct;

struct sky_worker {
	/*
	 * The token of the call that it is to do: written by who has turned its
	 * bit of server->idle to 0. SKY_LOOK: it may have a look into pending.
	 */
	u64 given;
	u64 token;			/* of the call it took last */

	struct kref refs;
	struct task_struct *task;	/* referred to */
	struct file *file;		/* its own */
	struct sky_server *server;
	struct sky_user *user;
	unsigned int number;
	struct rcu_head rcu;

	struct sky_bell bell;
	struct sky_inherit inherit;
	struct sky_lend lend;
	/* To go on with a parked call, from this very state if @goes_on */
	struct sky_park *park;
	bool goes_on;
	unsigned int tries;
	struct callback_head work;
};

void sky_worker_put(struct sky_worker *worker);

int sky_worker_new(struct sky_server *server,
		   const struct skyipc_dev_worker __user *user);

#endif
