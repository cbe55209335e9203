// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "alarm.h"
#include "compat.h"
#include "wake.h"

void sky_alarm_init(struct sky_alarm *alarm,
		    enum hrtimer_restart (*function)(struct hrtimer *timer))
{
	skyipc_hrtimer_setup(&alarm->timer, function, CLOCK_MONOTONIC,
			     HRTIMER_MODE_ABS);
}

void sky_alarm_drop(struct sky_alarm *alarm)
{
	hrtimer_cancel(&alarm->timer);
}

static int arm(struct sky_alarm *alarm, u64 deadline, u64 slack)
{
	if (ktime_get_ns() >= deadline)
		return -ETIMEDOUT;
	/* If the old one rings just now, the next wait arms it once more. */
	WRITE_ONCE(alarm->armed, deadline + slack);
	hrtimer_start_range_ns(&alarm->timer, ns_to_ktime(deadline), slack,
			       HRTIMER_MODE_ABS);
	return 0;
}

int sky_alarm_sleep(struct sky_alarm *alarm, u64 deadline)
{
	u64 armed, slack;

	if (deadline >= KTIME_MAX) {
		schedule();
		return 0;
	}
	/* It may be anything: prctl(2). */
	slack = min_t(u64, current->timer_slack_ns, KTIME_MAX - deadline);
	/* After the state has been set: pairs with rings(). */
	armed = READ_ONCE(alarm->armed);
	if ((!armed || armed > deadline + slack) &&
	    arm(alarm, deadline, slack))
		return -ETIMEDOUT;
	schedule();
	return 0;
}

/*
 * Whoever is about to sleep has said so, and set its state, before it looks
 * whether it is armed: if it saw that it is, it is woken here. Under RCU, as any
 * interrupt: @task may be another one soon.
 */
enum hrtimer_restart sky_alarm_rings(struct sky_alarm *alarm,
				     struct task_struct **task)
{
	WRITE_ONCE(alarm->armed, 0);
	/* Pairs with set_current_state() between begin() and sleep(). */
	smp_mb();
	if (READ_ONCE(alarm->wanted))
		sky_wake_client(READ_ONCE(*task));
	return HRTIMER_NORESTART;
}
