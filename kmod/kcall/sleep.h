/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * To wait for the other side: set the state, look, sleep, look again.
 */
#ifndef SKYIPC_SLEEP_H
#define SKYIPC_SLEEP_H

#include <linux/freezer.h>
#include <linux/hrtimer.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/time_namespace.h>

#define SKY_SLEEPING (TASK_INTERRUPTIBLE | TASK_FREEZABLE)

/* What the caller's clock, in its time namespace, calls @time */
static inline u64 sky_host_time(u64 time)
{
#ifdef CONFIG_TIME_NS
	s64 offset;

	if (!time || time >= KTIME_MAX)
		return time;
	offset = timespec64_to_ns(&current->nsproxy->time_ns->offsets.monotonic);
	if (offset >= (s64)time)
		return 1; /* long ago */
	time -= offset;
#endif
	return time;
}

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
