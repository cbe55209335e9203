// SPDX-License-Identifier: GPL-2.0-only
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/smp.h>
#include <linux/time64.h>
#include <linux/workqueue.h>
#include <asm/tsc.h>

#include "compat.h"
#include "kcall/lend.h"
#include "late.h"
#include "list.h"
#include "thread.h"
#include "vlink.h"

#define LATE_NS (VIEW_LATE_MS * NSEC_PER_MSEC)

/*
 * No CPU is in its view when this returns, nor will be. False: its worker still has to
 * take what is parked.
 */
static bool dies(struct view_link *link)
{
	on_each_cpu_cond(view_runs_on, view_look_again, NULL, true);
	if (view_link_hand_late(link) == -ENOENT &&
	    READ_ONCE(link->state) == VIEW_PARKED)
		return false;
	sky_lend_over(link->worker);
	return true;
}

static void look(struct work_struct *work)
{
	struct view_thread *t = container_of(work, struct view_thread,
					     late_work);
	bool again = false;

	/*
	 * Before looking: what is parked from here on is watched anew. Pairs with
	 * view_late_watch().
	 */
	atomic_xchg(&t->late_watched, 0);
	mutex_lock(&t->hand);
	/* Links come and go with this lock held. */
	for (unsigned int i = VIEW_SLOT_FIRST; i < READ_ONCE(t->top); i++) {
		struct view_link *link = READ_ONCE(t->links[i]);

		if (link && READ_ONCE(link->dying)) {
			again |= !dies(link);
			continue;
		}
		/* Pairs with view_park(). */
		if (!link || smp_load_acquire(&link->state) != VIEW_PARKED)
			continue;
		if (view_is_late(link))
			view_link_hand_late(link);
		else
			again = true;
	}
	mutex_unlock(&t->hand);
	if (again)
		view_late_watch(t);
}

static enum hrtimer_restart rings(struct hrtimer *timer)
{
	schedule_work(&container_of(timer, struct view_thread, late)->late_work);
	return HRTIMER_NORESTART;
}

void view_late_init(struct view_thread *t)
{
	/* A timer of this kind wakes nobody: run queues may be locked. */
	skyipc_hrtimer_setup(&t->late, rings, CLOCK_MONOTONIC,
			     HRTIMER_MODE_REL_HARD);
	INIT_WORK(&t->late_work, look);
}

/*
 * It is not put off by another one, nor called off: who comes back for a moment
 * each 9 ms would have it parked for ever.
 */
void view_late_watch(struct view_thread *t)
{
	/* A full barrier, behind PARKED: pairs with look(). */
	if (!atomic_xchg(&t->late_watched, 1))
		hrtimer_start(&t->late, LATE_NS, HRTIMER_MODE_REL_HARD);
}

void view_late_end(struct view_thread *t)
{
	hrtimer_cancel(&t->late);
	/* Without links it does not watch again. */
	cancel_work_sync(&t->late_work);
}
