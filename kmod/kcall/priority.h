/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls run with the scheduling class and priority of their client, by workers
 * that are made so (SKYIPC_WORKER_INHERIT): as far as Linux lets a module do it,
 * and as far as the server's process might go by itself, or serving somebody
 * would be a way to rights that one does not have.
 *
 * What cannot be: SCHED_DEADLINE (its budget is the client's alone), shares of
 * cgroups, and locks that the handler waits for (no inheritance beyond it).
 */
#ifndef SKYIPC_PRIORITY_H
#define SKYIPC_PRIORITY_H

#include <linux/types.h>

struct sky_worker;
struct task_struct;

struct sky_priority {
	u32 policy;
	u32 rt;		/* of SCHED_FIFO and SCHED_RR: 1 to 99; else 0 */
	s32 nice;	/* of the others */
};

struct sky_inherit {
	bool on;
	struct sky_priority base;	/* the worker's own */
	struct sky_priority has;	/* now */
	struct sky_priority best;	/* that it may have: rt and nice */
};

void sky_priority_of(struct sky_priority *p, const struct task_struct *task);

/* The calling thread, which @worker is, is one that inherits. */
void sky_inherit_begin(struct sky_worker *worker);
/* By that thread: it goes on as @want; may sleep. */
void sky_inherit(struct sky_worker *worker, const struct sky_priority *want);
/*
 * By who gives a call of @client's to it: it is not to wake up too late. What
 * needs more than a better nice value is left to itself.
 */
void sky_lend(struct sky_worker *worker, const struct task_struct *client);
/* As it was, by anybody; may sleep. */
void sky_inherit_end(struct sky_worker *worker);

#endif
