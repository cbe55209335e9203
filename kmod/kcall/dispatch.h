/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls to workers: who waits gets one at once, and else it is pending until
 * somebody looks.
 */
#ifndef SKYIPC_DISPATCH_H
#define SKYIPC_DISPATCH_H

#include <linux/bitops.h>
#include <linux/types.h>

#include "link.h"
#include "server.h"
#include "worker.h"

struct sky_call;

/*
 * Start a call that is FREE, whose message is there: POSTED, or QUEUED behind
 * others of its link. @submitted: it will be reaped; else the caller sleeps.
 */
void sky_start(struct sky_call *call, bool submitted);
/*
 * POSTED, as @word, at @server: to a worker, or into pending. It may have gone on
 * already. @leaving: the caller sleeps next.
 */
void sky_dispatch(struct sky_link *link, struct sky_server *server,
		  struct sky_call *call, u64 word, bool leaving);
/*
 * Start a call that has been taken already: its token. Those of its link that are
 * started later come after it; call->aside: beside others that have been before.
 */
u64 sky_start_taken(struct sky_call *call);
void sky_next_queued(struct sky_link *link, struct sky_call *call);
/* @call of this link has been replied to, or withdrawn: the next one is POSTED */
static inline void sky_next(struct sky_link *link, struct sky_call *call)
{
	if (atomic_long_cmpxchg(&link->active, (long)call, 0) != (long)call)
		sky_next_queued(link, call);
}

/* From QUEUED to FREE; false: it is not QUEUED any more. */
bool sky_unqueue(struct sky_call *call);
/* FREE again, and not given to anybody: out of those that are pending. */
void sky_unpend(struct sky_call *call);

/*
 * The worker's side, for the calling thread. sky_wait_begin(), then sleep until
 * sky_given(), then sky_wait_end(): the call, HELD as by sky_hold(), or NULL.
 */
static inline void sky_wait_begin(struct sky_worker *worker)
{
	worker->given = 0;
	if (worker->lend.lent) {
		sky_lend_wait(worker);
		return;
	}
	/* Everything before is done with: pairs with test_and_clear_bit(). */
	smp_mb__before_atomic();
	set_bit(worker->number, worker->server->idle);
	/* Pairs with sky_dispatch(). */
	smp_mb__after_atomic();
}

static inline bool sky_given(const struct sky_worker *worker)
{
	/* Pairs with give(). */
	if (smp_load_acquire(&worker->given))
		return true;
	/* Pairs with sky_lend_give(). */
	return smp_load_acquire(&worker->lend.token);
}

/* No more: true, or false if something is being given just now. */
static inline bool sky_wait_cancel(struct sky_worker *worker)
{
	/* Who has lent himself is given nothing by his bit. */
	return worker->lend.lent ||
	       test_and_clear_bit(worker->number, worker->server->idle);
}

struct sky_call *sky_wait_end(struct sky_worker *worker);

/* Is there a call without a worker? */
static inline bool sky_is_pending(const struct sky_server *server)
{
	return !list_empty_careful(&server->pending);
}

#endif
