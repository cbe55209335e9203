// SPDX-License-Identifier: GPL-2.0-only
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/sched/prio.h>
#include <linux/sched/rt.h>
#include <linux/sched/signal.h>
#include <uapi/linux/sched/types.h>

#include "priority.h"
#include "worker.h"

static bool is_rt(u32 policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool is_fair(u32 policy)
{
	return policy == SCHED_NORMAL || policy == SCHED_BATCH;
}

/* Where the nice value counts for nothing, it stays what it was. */
static bool same(const struct sky_priority *a, const struct sky_priority *b)
{
	return a->policy == b->policy && a->rt == b->rt &&
	       (!is_fair(a->policy) || a->nice == b->nice);
}

/* Not one moment's: it may be changed just now. */
void sky_priority_of(struct sky_priority *p, const struct task_struct *task)
{
	p->policy = READ_ONCE(task->policy);
	p->rt = is_rt(p->policy) ? READ_ONCE(task->rt_priority) : 0;
	p->nice = PRIO_TO_NICE(READ_ONCE(task->static_prio));
}

/*
 * Somebody else has changed it since, by renice or chrt, or it executes another
 * program: that is not ours to undo.
 */
static bool is_ours(struct sky_worker *worker)
{
	struct sky_priority now;

	sky_priority_of(&now, worker->task);
	if (same(&now, &worker->inherit.has))
		return true;
	WRITE_ONCE(worker->inherit.on, false);
	return false;
}

void sky_inherit_begin(struct sky_worker *worker)
{
	struct sky_inherit *i = &worker->inherit;
	bool may_leave_idle = true;

	sky_priority_of(&i->base, current);
	i->has = i->base;
	if (capable(CAP_SYS_NICE)) {
		i->best.nice = MIN_NICE;
		i->best.rt = MAX_RT_PRIO - 1;
	} else {
		/* As in user_check_sched_setscheduler() */
		may_leave_idle = rlimit_to_nice(rlimit(RLIMIT_NICE)) <=
				 i->base.nice;
		i->best.nice = min_t(long, i->base.nice,
				     rlimit_to_nice(rlimit(RLIMIT_NICE)));
		i->best.rt = max_t(unsigned long, i->base.rt,
				   rlimit(RLIMIT_RTPRIO));
	}
	/* A group may have no time at all for those. */
	if (IS_ENABLED(CONFIG_RT_GROUP_SCHED))
		i->best.rt = 0;
	/* What has a budget of its own keeps that. */
	i->on = is_fair(i->base.policy) || is_rt(i->base.policy) ||
		(i->base.policy == SCHED_IDLE && may_leave_idle);
}

/* What it may have of @want */
static void limit(const struct sky_inherit *i, struct sky_priority *want)
{
	want->nice = max(want->nice, i->best.nice);
	want->rt = min(want->rt, i->best.rt);
	if (is_rt(want->policy) && want->rt)
		return;
	if (!is_fair(want->policy) && want->policy != SCHED_IDLE)
		*want = i->base;
}

static void set(struct sky_worker *worker, const struct sky_priority *p)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = p->policy,
		.sched_priority = p->rt,
		.sched_nice = p->nice,
	};

	if (!is_ours(worker))
		return;
	if (worker->task->sched_reset_on_fork)
		attr.sched_flags = SCHED_FLAG_RESET_ON_FORK;
	if (!sched_setattr_nocheck(worker->task, &attr))
		worker->inherit.has = *p;
}

void sky_inherit(struct sky_worker *worker, const struct sky_priority *want)
{
	struct sky_priority p = *want;

	limit(&worker->inherit, &p);
	if (!same(&p, &worker->inherit.has))
		set(worker, &p);
}

void sky_lend(struct sky_worker *worker, const struct task_struct *client)
{
	struct sky_priority want, *has = &worker->inherit.has;

	sky_priority_of(&want, client);
	if (!is_fair(want.policy) || !is_fair(has->policy))
		return;
	limit(&worker->inherit, &want);
	if (want.nice >= has->nice || !is_ours(worker))
		return;
	set_user_nice(worker->task, want.nice);
	has->nice = want.nice;
}

void sky_inherit_end(struct sky_worker *worker)
{
	if (worker->inherit.on && !same(&worker->inherit.base,
					&worker->inherit.has))
		set(worker, &worker->inherit.base);
}
