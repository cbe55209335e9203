/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread's deadlines, most of which never come. Arming and disarming a timer
 * takes longer than the rest of a call; so one that is armed stays so, until it
 * is over or an earlier one is wanted, whatever call it was for.
 */
#ifndef SKYIPC_ALARM_H
#define SKYIPC_ALARM_H

#include <linux/hrtimer.h>

struct sky_alarm {
	struct hrtimer timer;
	u64 armed;	/* by when it wakes its thread; 0: it won't */
	bool wanted;	/* there is a wait */
};

/* @function: to call sky_alarm_rings() */
void sky_alarm_init(struct sky_alarm *alarm,
		    enum hrtimer_restart (*function)(struct hrtimer *timer));
/* It rings no more. */
void sky_alarm_drop(struct sky_alarm *alarm);

/* Around a wait, in which @task may have to be woken. */
static inline void sky_alarm_begin(struct sky_alarm *alarm)
{
	/* Before its state is set, which is a barrier: pairs with rings(). */
	WRITE_ONCE(alarm->wanted, true);
}

static inline void sky_alarm_end(struct sky_alarm *alarm)
{
	WRITE_ONCE(alarm->wanted, false);
}

/*
 * As sky_sleep(), by the thread that the alarm is for. Only one that has passed
 * is told: who wakes for another reason looks himself.
 */
int sky_alarm_sleep(struct sky_alarm *alarm, u64 deadline);

enum hrtimer_restart sky_alarm_rings(struct sky_alarm *alarm,
				     struct task_struct **task);

#endif
