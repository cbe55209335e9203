/* SPDX-License-Identifier: MIT */
/*
 * seat.h - which channels a worker looks at
 *
 * A channel is on the list of at most one seat. One that is on no list has its
 * park word set: its client, after writing a request, writes the connection's
 * doorbell.
 */
#ifndef SKY_SEAT_H
#define SKY_SEAT_H

#include "server.h"

/* Is there a request, now that park has been set? See shm_ready_sc(). */
static inline int seat_pending(struct schan *ch)
{
	uint64_t pos = atomic_load_explicit(&ch->pos, memory_order_relaxed);

	return shm_ready_sc(&ch->req[pos & ch->mask], pos);
}

/*
 * Have we moved to another CPU? Asked while there is time anyway, before
 * waiting, not on the path of a call.
 */
void seat_look_where(struct seat *seat);

/* Put a channel, whose owner we have become, on the list; -ENOMEM. */
int seat_list_add(struct seat *seat, struct schan *ch);

/* Remove the @i-th, and its reference. */
void seat_list_del(struct seat *seat, uint32_t i);

/*
 * Take the @i-th off the list, so that its client rings next time. It stays (0)
 * if a request has come meanwhile.
 */
int seat_list_drop(struct seat *seat, uint32_t i);

/* Look at the doorbells; sleep (@ms -1) if none has rung. How many had. */
int seat_bells(struct seat *seat, int ms);

/* Polling: take new channels. */
void seat_take_inbox(struct seat *seat);

/* worker.c's way into seat.c: serve until the server drains or the seat is
 * lost. */
void seat_serve(struct seat *seat);
void seat_poll(struct seat *seat);

#endif
