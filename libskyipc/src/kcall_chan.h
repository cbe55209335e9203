/* SPDX-License-Identifier: MIT */
/*
 * kcall_chan.h - the client's end of a channel whose calls go through skyipc.ko
 *
 * The connection is a descriptor that the server hands out; of it each thread
 * that calls makes a link. The module queues the calls of one link, runs them
 * one after the other, and tells each one's end exactly once.
 */
#ifndef SKY_KCALL_CHAN_H
#define SKY_KCALL_CHAN_H

#include "bufs.h"
#include "conn.h"
#include "skyipc_dev.h"
#include "transport.h"

/*
 * A call that is outstanding; its tag for the module is its place in the order.
 * One that was given up is, too, until it is over: its handler may be using its
 * buffer, and descriptors may come back.
 */
struct kcall_pending {
	uint64_t tag;
	uint64_t pos;
	uint32_t op;
	uint32_t buf;  /* NO_BUF: none */
	int abandoned; /* nobody wants its reply */
};

struct kcall_chan {
	struct chan base;
	int link;
	int busy;     /* the owner is inside the library */
	uint64_t pos; /* of the next call */

	/* Outstanding calls: from tail on, in order */
	struct kcall_pending *pending;
	uint64_t head, tail;
	uint32_t mask;
	uint32_t wanted; /* those that are not abandoned */

	struct bufs bufs;

	struct skyipc_dev_call call;
};

static inline struct kcall_chan *kcall_of(struct chan *base)
{
	return container_of(base, struct kcall_chan, base);
}

/* kcall_chan.c: making channels, handing them on, freeing them */
int kcall_chan_open(struct skyipc_conn *conn, struct chan **out,
		    uint64_t deadline);
void kcall_chan_close(struct chan *base);
void kcall_conn_close(struct skyipc_conn *conn);
void kcall_abandon(struct chan *base);
int kcall_adopt(struct chan *base);
void kcall_forked(struct skyipc_conn *conn);
void kcall_wake(struct chan *base);

/* kcall_call.c */
/*
 * Around everything its owner does with it. kcall_enter(): -EBUSY, -EPIPE,
 * -ECHILD, or -EAGAIN: there is no room for one more call.
 */
int kcall_enter(struct kcall_chan *ch);
static inline void kcall_leave(struct kcall_chan *ch)
{
	atomic_signal_fence(memory_order_seq_cst);
	ch->busy = 0;
}

/*
 * Make the call that ch->call describes, at @pos and with @buf, and wait for
 * its end: 0, and the reply is there instead; -ETIMEDOUT, -EPIPE, -ECONNRESET,
 * ...
 */
int kcall_transact(struct kcall_chan *ch, uint64_t pos, uint32_t buf,
		   uint64_t deadline);
/* No reply, because of @err: it is said why. */
int kcall_failed(struct kcall_chan *ch, int err);

/* kcall_message.c: those that are over and that nobody wants */
void kcall_skip(struct kcall_chan *ch);
/* kcall_message.c: the transport's functions of these names */
int kcall_call_msg(struct chan *base, const struct skyipc_msg *req,
		   struct skyipc_msg *rep, skyipc_time t);
int kcall_submit(struct chan *base, const struct skyipc_msg *req);
int kcall_reap(struct chan *base, struct skyipc_msg *msgs, unsigned n,
	       unsigned min, skyipc_time t);
int kcall_buffer(struct chan *base, void **buf, size_t *size,
		 uint64_t deadline);

#endif
