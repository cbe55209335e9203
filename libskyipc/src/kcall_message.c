/* SPDX-License-Identifier: MIT */
/*
 * kcall_message.c - long messages, descriptors and asynchronous calls through
 * the module, the client's side
 *
 * Long parts lie in the buffers that both sides share, as with any transport:
 * nothing is copied. (The module can copy, for those who have none.)
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "block.h"
#include "clock.h"
#include "err.h"
#include "hist.h"
#include "kcall_chan.h"
#include "kcall_dev.h"
#include "message.h"
#include "point.h"

/* No call that has been reaped; none has so high a place. */
#define NO_TAG UINT64_MAX

/* ch->call from @req; @pos is its place. */
static int prepare(struct kcall_chan *ch, const struct skyipc_msg *req,
		   int want, uint64_t deadline, struct outgoing *o)
{
	struct skyipc_dev_msg *m = &ch->call.msg;
	int err = message_prepare(&ch->bufs, req, want, ch->pos, deadline, o);

	if (err)
		return err;
	m->op = req->op;
	memcpy(m->words, req->w, sizeof(m->words));
	m->ext[KCALL_LONG] = o->ext;
	m->ext[KCALL_FLAGS] = kcall_flags(o->flags, ch->bufs.number);
	m->ext[KCALL_POS] = ch->pos++;
	return 0;
}

/* @rep from ch->call, the reply to the call at @pos that had @buf */
static int collect(struct kcall_chan *ch, uint64_t pos, uint32_t buf,
		   struct skyipc_msg *rep)
{
	const struct skyipc_dev_msg *m = &ch->call.msg;
	struct incoming in = {
		.flags = (uint32_t)(m->ext[KCALL_FLAGS] >> 32),
		.code = (uint32_t)m->status,
		.ext = m->ext[KCALL_LONG],
		.pos = kcall_pos(ch, pos),
		.buf = buf,
	};

	memcpy(rep->w, m->words, sizeof(rep->w));
	return message_collect(&ch->bufs, &in, rep);
}

int kcall_call_msg(struct chan *base, const struct skyipc_msg *req,
		   struct skyipc_msg *rep, skyipc_time t)
{
	struct kcall_chan *ch = kcall_of(base);
	uint64_t t0 = ticks(), deadline, pos;
	int timed;
	struct outgoing o;
	int err = kcall_enter(ch);

	if (err)
		return err;
	deadline = deadline_of(t, base->conn->call_ns);
	pos = ch->pos;
	err = prepare(ch, req, 1, deadline, &o);
	if (err)
		goto out;
	timed = !(pos & TIMED_MASK);
	err = kcall_transact(ch, &pos, o.buf, deadline);
	if (err)
		goto out;
	point("client-message-reply");
	rep->op = req->op;
	rep->tag = req->tag;
	err = collect(ch, pos, o.buf, rep);
	rep->result = err;
	/* The reply stays valid in place until the next use. */
	ch->bufs.held = o.buf;
	if (timed)
		hist_record(&base->stats.latency, ticks_to_ns(ticks() - t0));
out:
	kcall_leave(ch);
	return err;
}

int kcall_submit(struct chan *base, const struct skyipc_msg *req)
{
	struct kcall_chan *ch = kcall_of(base);
	struct outgoing o;
	uint64_t pos;
	int err = kcall_enter(ch);

	if (err)
		return err;
	pos = ch->pos;
	err = prepare(ch, req, req->flags & SKYIPC_LONG_REPLY,
		      deadline_of(SKYIPC_DEFAULT, base->conn->call_ns), &o);
	if (err)
		goto out;
	ch->call.flags = 0;
	ch->call.tag = ch->head;
	point("client-kcall-submit");
	/* It does not wait: no signal interrupts it. */
	if (ioctl(ch->link, SKYIPC_LINK_SUBMIT, &ch->call)) {
		err = -errno;
		stat_add(base->stats.errors, 1);
		bufs_put(&ch->bufs, o.buf);
		err = kcall_failed(ch, err);
		goto out;
	}
	ch->pending[ch->head++ & ch->mask] = (struct kcall_pending){
		.tag = req->tag, .pos = pos, .op = req->op, .buf = o.buf
	};
	ch->wanted++;
out:
	kcall_leave(ch);
	return err;
}

/* ---- reaping ------------------------------------------------------------- */

/* The oldest one has its end: @err, or a reply, which goes into @rep. */
static void reap_oldest(struct kcall_chan *ch, struct skyipc_msg *rep, int err)
{
	struct kcall_pending *p = &ch->pending[ch->tail++ & ch->mask];

	ch->wanted--;
	rep->op = p->op;
	rep->tag = p->tag;
	if (err)
		message_lost(&ch->base, rep);
	else
		rep->result = collect(ch, p->pos, p->buf, rep);
	if (p->buf != NO_BUF)
		ch->bufs.held_async[ch->bufs.nheld++] = p->buf;
}

/* Likewise, and nobody wants to hear of it. */
static void drop_oldest(struct kcall_chan *ch, int err)
{
	struct kcall_pending *p = &ch->pending[ch->tail++ & ch->mask];

	if (!err && ch->call.msg.ext[KCALL_FLAGS] >> 32 & CALL_FDS)
		message_drop_fds(&ch->bufs, kcall_pos(ch, p->pos));
	bufs_put(&ch->bufs, p->buf);
}

/*
 * Wait for the oldest one. 0: its reply is in ch->call; -ECONNRESET: it will
 * have none; -ETIMEDOUT.
 */
static int await(struct kcall_chan *ch, uint64_t deadline)
{
	struct skyipc_dev_call *c = &ch->call;
	int err;

	c->deadline = deadline;
	do {
		c->flags = 0;
		c->tag = NO_TAG;
		err = ioctl(ch->link, SKYIPC_LINK_REAP, c) ? -errno : 0;
	} while (err == -EINTR);
	/* The module gives them in order. */
	if (!err && c->tag != ch->tail)
		return message_broken(&ch->base, "replies out of order");
	return err;
}

/* In a handler, others get this thread's seat after a while: see block.h. */
static int await_nested(struct kcall_chan *ch, uint64_t deadline, int *asked)
{
	int err = -ETIMEDOUT;

	if (!*asked)
		err = await(ch, min_u64(deadline,
					now_ns() + ch->base.conn->spin_ns));
	if (err != -ETIMEDOUT ||
	    (deadline != DEADLINE_NONE && now_ns() >= deadline))
		return err;
	*asked |= about_to_block();
	return await(ch, deadline);
}

static int is_abandoned(const struct kcall_chan *ch)
{
	return ch->tail != ch->head &&
	       ch->pending[ch->tail & ch->mask].abandoned;
}

void kcall_skip(struct kcall_chan *ch)
{
	while (is_abandoned(ch)) {
		int err = await(ch, 0);

		if (err == -ETIMEDOUT)
			return;
		drop_oldest(ch, err);
	}
}

int kcall_reap(struct chan *base, struct skyipc_msg *msgs, unsigned n,
	       unsigned min, skyipc_time t)
{
	struct kcall_chan *ch = kcall_of(base);
	uint64_t deadline = 0;
	unsigned done = 0;
	int err = 0, asked = 0;

	if (ch->busy)
		return message_busy();
	if (conn_state(base->conn) == CONN_FORKED)
		return -ECHILD;
	if (!ch->wanted)
		return fail(-ENOENT, "nothing is outstanding");
	ch->busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	bufs_release_held(&ch->bufs);
	if (min > n)
		min = n;
	while (done < n && ch->wanted) {
		if (done >= min)
			err = await(ch, 0);
		else if (!deadline)
			deadline = deadline_of(t, base->conn->call_ns);
		if (done < min)
			err = block_hooks ? await_nested(ch, deadline, &asked)
					  : await(ch, deadline);
		if (err == -ETIMEDOUT)
			break;
		if (is_abandoned(ch))
			drop_oldest(ch, err);
		else
			reap_oldest(ch, &msgs[done++], err);
	}
	if (asked)
		block_hooks->back();
	kcall_leave(ch);
	if (!done && err == -ETIMEDOUT && min)
		return fail(err, "no reply in time");
	return (int)done;
}

int kcall_buffer(struct chan *base, void **buf, size_t *size, uint64_t deadline)
{
	struct kcall_chan *ch = kcall_of(base);
	int err = kcall_enter(ch);

	if (err)
		return err;
	err = bufs_prepare(&ch->bufs, buf, size, deadline);
	kcall_leave(ch);
	return err;
}
