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

/* The caller's clock, in its time namespace, is ahead of the host's by this. */
static inline s64 sky_time_offset(void)
{
#ifdef CONFIG_TIME_NS
	return timespec64_to_ns(&current->nsproxy->time_ns->offsets.monotonic);
#else
	return 0;
#endif
}

static inline u64 sky_host_time(u64 time)
{
	s64 offset;

	if (!time || time >= KTIME_MAX)
		return time;
	offset = sky_time_offset();
	/* 1: long ago */
	return offset >= (s64)time ? 1 : time - offset;
}

static inline u64 sky_own_time(u64 time)
{
	return time < KTIME_MAX ? time + sky_time_offset() : time;
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
