/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * To wait for the other side: set the state, look, sleep, look again.
 */
#ifndef SKYIPC_SLEEP_H
#define SKYIPC_SLEEP_H

#include <linux/freezer.h>
#include <linux/hrtimer.h>
#include <linux/sched.h>

#define SKY_SLEEPING (TASK_INTERRUPTIBLE | TASK_FREEZABLE)

/* In that state, until woken. 0, or -ETIMEDOUT if @deadline has passed. */
static inline int sky_sleep(u64 deadline)
{
	ktime_t until = min_t(u64, deadline, KTIME_MAX);

	if (until == KTIME_MAX) {
		schedule();
		return 0;
	}
	return schedule_hrtimeout_range(&until, current->timer_slack_ns,
					HRTIMER_MODE_ABS) ? 0 : -ETIMEDOUT;
}

#endif
