/* SPDX-License-Identifier: MIT */
/*
 * shm_chan.h - the client's private half of a shm channel
 *
 * Cursors, and what is known of each outstanding call, live here and never in
 * shared memory (see shm_layout.h).
 */
#ifndef SKY_SHM_CHAN_H
#define SKY_SHM_CHAN_H

#include "bufs.h"
#include "conn.h"
#include "shm_layout.h"
#include "transport.h"

/* What has become of the call in a slot. */
enum pending_kind {
	PENDING_NONE = 0,
	PENDING_ASYNC,	   /* submitted, to be reaped */
	PENDING_DONE,	   /* synchronous, reaped before older ones */
	PENDING_ABANDONED, /* timed out, or its thread has gone */
};

struct pending {
	uint64_t tag;
	uint32_t op;
	uint32_t buf; /* NO_BUF: none */
	enum pending_kind kind;
};

struct shm_chan {
	struct chan base;

	/* Read on every call. */
	struct shm_slot *req;
	struct shm_slot *rep;
	struct shm_chan_head *head;
	uint64_t pos;  /* next call */
	uint64_t tail; /* oldest not reaped */
	uint32_t mask;
	int busy; /* the owner is inside the library */
	int cpu;  /* last told to the server */

	/* Waiting. */
	uint64_t spin_max;   /* ticks */
	uint64_t wait_avg;   /* ticks, moving average of whole waits */
	uint32_t waits;	     /* counts probes of long spins */
	uint32_t yield_skip; /* waits in which not to try sched_yield() */

	uint64_t rang; /* next call when the server was last rung for */

	struct pending *pending;
	struct bufs bufs;
};

/*
 * A channel that the server has made and we could not map for want of address
 * space. It is the next thread's that wants one.
 */
struct unmapped {
	struct unmapped *next;
	int fd;
	uint32_t number;
};

static inline struct shm_chan *shm_of(struct chan *base)
{
	return container_of(base, struct shm_chan, base);
}

/* Is anything of the fast path's assumptions not so? */
static inline int shm_quiet(const struct shm_chan *ch)
{
	return ch->pos == ch->tail;
}

/* shm_wait.c: wait for the reply at @pos. 0; -ETIMEDOUT; -ECONNRESET. */
int shm_wait(struct shm_chan *ch, uint64_t pos, uint64_t deadline);
/* Wake the server after shm_publish() said so. */
void shm_ring(struct shm_chan *ch);
void shm_wake(struct chan *base);

/* shm_chan.c: making and freeing channels. */
int shm_chan_open(struct skyipc_conn *conn, struct chan **out,
		  uint64_t deadline);
void shm_chan_close(struct chan *base);
/* What is left when all its channels are closed. */
void shm_conn_close(struct skyipc_conn *conn);

#endif
