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
#include "flags.h"
#include "kcall_dev.h"
#include "skyipc_dev.h"
#include "transport.h"
#include "vmfunc_count.h"
#include "vmfunc_fast.h"

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
	struct vmfunc_fast fast; /* of a channel that calls by VMFUNC */
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

	/*
	 * NULL, or another way for the call in @call, if nothing is
	 * outstanding. 0: the reply is in there; -EINPROGRESS: it goes on in
	 * the module; -EAGAIN: it has not begun
	 */
	int (*by_view)(struct kcall_chan *ch, uint64_t deadline);
	struct vmfunc_count count; /* of fast.left */
	uint64_t in_c;		   /* calls that have begun in a view besides */
};

static_assert((int)offsetof(struct kcall_chan, base) == -VMFUNC_FAST,
	      "it is before that");

static inline struct kcall_chan *kcall_of(struct chan *base)
{
	return container_of(base, struct kcall_chan, base);
}

/* kcall_chan.c: making channels, handing them on, freeing them */
int kcall_chan_open(struct skyipc_conn *conn, struct chan **out,
		    uint64_t deadline);
/* Of @size bytes, which begin with it */
int kcall_chan_make(struct skyipc_conn *conn, size_t size,
		    struct kcall_chan **out, uint64_t deadline);
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
/* Likewise, for what has begun: 0 or -EBUSY */
int kcall_go_in(struct kcall_chan *ch);
static inline void kcall_leave(struct kcall_chan *ch)
{
	atomic_signal_fence(memory_order_seq_cst);
	ch->busy = 0;
}

/*
 * Make the call that ch->call describes, at *@pos and with @buf, and wait for
 * its end: 0, and the reply is there instead; -ETIMEDOUT, -EPIPE, -ECONNRESET,
 * ...
 * *@pos is KCALL_POS_ANY then, if its server has chosen it.
 */
int kcall_transact(struct kcall_chan *ch, uint64_t *pos, uint32_t buf,
		   uint64_t deadline);
/*
 * Likewise, of one that has not begun (@err is -EAGAIN), or goes on in the
 * module (-EINPROGRESS), from where it may be given back
 */
int kcall_go_on(struct kcall_chan *ch, int err, uint64_t pos, uint32_t buf,
		uint64_t deadline);
/* Is what ch->call has as its reply none, but a call that was not served? */
static inline int kcall_given_back(const struct kcall_chan *ch)
{
	return (ch->call.msg.ext[KCALL_FLAGS] >> 32 & CALL_BUSY) != 0;
}
/* The short call's end: what ch->call has as its reply */
int kcall_take(struct kcall_chan *ch, uint64_t pos, uint64_t *out,
	       int32_t *status);
/* Where it was, of a call at @pos: its server may have chosen that. */
uint64_t kcall_pos(const struct kcall_chan *ch, uint64_t pos);
/* No reply, because of @err: it is said why. */
int kcall_failed(struct kcall_chan *ch, int err);
/* The transport's function of this name */
int kcall_call(struct chan *base, uint32_t op, const uint64_t *in,
	       uint64_t *out, int32_t *status, skyipc_time t);

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
