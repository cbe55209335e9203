// SPDX-License-Identifier: GPL-2.0-only
#include <linux/atomic.h>
#include <linux/spinlock.h>

#include "tell.h"
#include "thread.h"
#include "trace_view.h"
#include "vlink.h"

/* How many there are beyond those that are told, which they are from now on */
static u64 take(u64 *told, u64 now)
{
	const u64 before = READ_ONCE(*told);

	/* Who hands it over tells it as well as its thread. */
	return cmpxchg(told, before, now) == before ? now - before : 0;
}

static u64 parked(const struct view_link *link)
{
	u64 sum = 0;

	for (int i = 0; i < VIEW_CAUSES; i++)
		sum += READ_ONCE(link->counts.parked[i]);
	return sum;
}

static void tell_parked(struct view_link *link)
{
	const u64 n = take(&link->told_parked, parked(link));

	if (n)
		trace_skyipc_view_park(link, n);
}

static void tell_resumed(struct view_link *link)
{
	const u64 n = take(&link->told_resumed,
			   READ_ONCE(link->counts.resumed));

	if (n)
		trace_skyipc_view_resume(link, n);
}

/* What was first is told first. */
static void tell_link(struct view_link *link)
{
	if (link->resumed_at > link->parked_at) {
		tell_parked(link);
		tell_resumed(link);
	} else {
		tell_resumed(link);
		tell_parked(link);
	}
}

void view_tell(struct view_thread *t)
{
	t->untold = false;
	if (t->refused != t->told_refused) {
		trace_skyipc_view_refuse(t, t->refused - t->told_refused);
		t->told_refused = t->refused;
	}
	raw_spin_lock(&t->lock);
	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top; i++)
		if (t->links[i])
			tell_link(t->links[i]);
	raw_spin_unlock(&t->lock);
}

void view_tell_moved(struct view_link *link, unsigned int because)
{
	tell_link(link);
	trace_skyipc_view_move(link, because);
}

void view_tell_finished(struct view_link *link, int result)
{
	tell_link(link);
	trace_skyipc_view_finish(link, result);
}
