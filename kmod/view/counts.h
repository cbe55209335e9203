/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stops handlers in a link's view, and what becomes of them. Calls that come
 * to their end there are not counted here: the kernel does not hear of them.
 */
#ifndef SKYIPC_VIEW_COUNTS_H
#define SKYIPC_VIEW_COUNTS_H

#include <linux/compiler.h>
#include <linux/types.h>

#include "skyipc_dev.h"

/* Why a call was parked */
enum view_cause {
	VIEW_BY_INTERRUPT,	/* Linux's, and none of the program's doing */
	VIEW_BY_FAULT,		/* of a page */
	VIEW_BY_SYSCALL,
	VIEW_BY_EXCEPTION,	/* any other */
	VIEW_CAUSES
};

/*
 * Why it has moved to the worker: what it was parked by, if that is not an
 * interrupt. Else one of those below; or its client has asked for it, for no
 * reason that is ours, and it is VIEW_BY_INTERRUPT.
 */
enum view_moved {
	VIEW_MOVED_LATE = VIEW_CAUSES,	/* parked for VIEW_LATE_MS */
	VIEW_MOVED_DEADLINE,
	VIEW_MOVED_GONE,		/* the client, or the connection */
	VIEW_MOVED_BARRED,		/* bars.h */
	VIEW_MOVES
};

/*
 * parked[] is written by the client's thread, where it has left the view, resumed by
 * root on that CPU, the others with the thread's lock for handing over.
 */
struct view_counts {
	u64 parked[VIEW_CAUSES];
	u64 resumed;
	u64 moved[VIEW_MOVES];
	u64 finished;	/* those that had come to their end already */
};

/* @to += @from, which somebody may be writing */
static inline void view_counts_add(struct view_counts *to,
				   const struct view_counts *from)
{
	for (int i = 0; i < VIEW_CAUSES; i++)
		to->parked[i] += READ_ONCE(from->parked[i]);
	to->resumed += READ_ONCE(from->resumed);
	for (int i = 0; i < VIEW_MOVES; i++)
		to->moved[i] += READ_ONCE(from->moved[i]);
	to->finished += READ_ONCE(from->finished);
}

/* As programs know it */
static inline void view_counts_tell(struct skyipc_dev_views *v,
				    const struct view_counts *c)
{
	v->interrupts = c->parked[VIEW_BY_INTERRUPT];
	v->faults = c->parked[VIEW_BY_FAULT];
	v->syscalls = c->parked[VIEW_BY_SYSCALL];
	v->exceptions = c->parked[VIEW_BY_EXCEPTION];
	v->resumed = c->resumed;
	v->finished = c->finished;
	v->moved_fault = c->moved[VIEW_BY_FAULT];
	v->moved_syscall = c->moved[VIEW_BY_SYSCALL];
	v->moved_exception = c->moved[VIEW_BY_EXCEPTION];
	v->moved_late = c->moved[VIEW_MOVED_LATE];
	v->moved_deadline = c->moved[VIEW_MOVED_DEADLINE];
	v->moved_gone = c->moved[VIEW_MOVED_GONE];
	v->moved_barred = c->moved[VIEW_MOVED_BARRED];
	v->moved_asked = c->moved[VIEW_BY_INTERRUPT];
}

#endif
