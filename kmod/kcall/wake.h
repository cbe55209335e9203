/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Direct process switch, as far as kernels let a module do it.
 *
 * The thread that is woken goes on where we stop: so it should run here, on this
 * CPU, where the message is in the cache, and not be sent to an idle one. Since
 * 6.6 the scheduler takes that wish (WF_CURRENT_CPU, made for seccomp's
 * supervisors); before there is only the hint that we are about to sleep.
 */
#ifndef SKYIPC_WAKE_H
#define SKYIPC_WAKE_H

#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/wait.h>

/* kernel/sched/sched.h */
#define SKY_WF_SYNC 0x10
#define SKY_WF_CURRENT_CPU 0x40

#ifdef HAVE_WAKE_HERE
#define SKY_WAKE_FLAGS (SKY_WF_SYNC | SKY_WF_CURRENT_CPU)
#else
#define SKY_WAKE_FLAGS SKY_WF_SYNC
#endif

/* If it waits in a call: elsewhere it has nothing to do with that. */
static inline void sky_wake_client(struct task_struct *task)
{
	struct wait_queue_entry entry = { .private = task };

	default_wake_function(&entry, TASK_INTERRUPTIBLE, 0, NULL);
}

/* The end is for everybody who polls, those who wait exclusively too. */
static inline void sky_wake_hup(struct wait_queue_head *head)
{
	__wake_up(head, TASK_NORMAL, 0, poll_to_key(EPOLLHUP | EPOLLERR));
}

/* @leaving: the caller sleeps next. */
static inline void sky_wake(struct task_struct *task, bool leaving)
{
	struct wait_queue_entry entry = { .private = task };

	if (!leaving)
		wake_up_process(task);
	else
		default_wake_function(&entry, TASK_NORMAL, SKY_WAKE_FLAGS, NULL);
}

#endif
