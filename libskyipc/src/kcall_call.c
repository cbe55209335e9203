/* SPDX-License-Identifier: MIT */
/*
 * kcall_call.c - the short call through the module, the client's side
 *
 * One system call: the module copies the words to a worker that waits, switches
 * to it, and comes back with its reply.
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
#include "kcall_server.h"
#include "message.h"
#include "point.h"

int kcall_go_in(struct kcall_chan *ch)
{
	if (unlikely(ch->busy))
		return message_busy();
	/* Before anything else is looked at: see enter() in shm_call.h. */
	ch->busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	return 0;
}

int kcall_enter(struct kcall_chan *ch)
{
	int err = kcall_go_in(ch);

	if (unlikely(err))
		return err;
	switch (conn_state(ch->base.conn)) {
	case CONN_FORKED:
		fail_clear();
		err = fail(-ECHILD, "the connection belongs to the parent");
		break;
	case CONN_DEAD:
		fail_clear();
		err = fail(-EPIPE, "the server has gone");
		break;
	}
	if (!err && unlikely(ch->tail != ch->head))
		kcall_skip(ch);
	if (!err && unlikely(ch->head - ch->tail > ch->mask))
		err = fail(-EAGAIN, "%u calls are outstanding", ch->mask + 1);
	if (err)
		ch->busy = 0;
	return err;
}

/* ---- the call ------------------------------------------------------------ */

/* While a thread keeps its seat, how often it asks for somebody to take it */
#define ASK_AGAIN_NS 64000000u

/*
 * A handler's nested call: after a while this thread's seat is for others (see
 * block.h), so it is waited for in parts. A signal makes more of them.
 */
static int transact_in_parts(struct kcall_chan *ch, int err)
{
	struct skyipc_conn *conn = ch->base.conn;
	struct skyipc_dev_call *c = &ch->call;
	int back = 0;

	if (block_hooks) {
		if (conn->to_self)
			back = about_to_block();
		if (!conn->to_self || back)
			c->patience = now_ns() + conn->spin_ns;
	}
	for (;;) {
		if (err == -EINPROGRESS)
			c->flags |= SKYIPC_CALL_RESUME;
		err = kcall_ipc(ch->link, SKYIPC_LINK_CALL, c);
		if (err != -EINPROGRESS)
			break;
		if (c->patience && now_ns() >= c->patience) {
			c->patience = 0;
			if (about_to_block()) {
				back = 1;
				c->patience = now_ns() + ASK_AGAIN_NS;
			}
		}
	}
	c->patience = 0;
	if (back)
		block_hooks->back();
	return err;
}

/*
 * Or by its view, if that can be. What has begun there may yet come back as not
 * served, and not only at once: its server may have said so after the call had
 * moved to the module.
 */
static int transact_by_view(struct kcall_chan *ch, uint64_t *pos, uint32_t buf,
			    uint64_t deadline)
{
	struct skyipc_dev_msg *m = &ch->call.msg;
	const uint64_t flags = m->ext[KCALL_FLAGS], ext = m->ext[KCALL_LONG];
	const uint32_t op = m->op;
	int err = ch->by_view(ch, deadline);
	int begun = err != -EAGAIN;

	if (begun && err) {
		err = kcall_go_on(ch, err, KCALL_POS_ANY, buf, deadline);
		begun = err || !kcall_given_back(ch);
	}
	if (begun) {
		stat_add(ch->in_c, 1);
		*pos = KCALL_POS_ANY;
		return err;
	}
	/* As it was: the words have come back. */
	m->op = op;
	m->ext[KCALL_LONG] = ext;
	m->ext[KCALL_FLAGS] = flags;
	m->ext[KCALL_POS] = *pos;
	return kcall_go_on(ch, -EAGAIN, *pos, buf, deadline);
}

int kcall_transact(struct kcall_chan *ch, uint64_t *pos, uint32_t buf,
		   uint64_t deadline)
{
	if (unlikely(ch->by_view && ch->head == ch->tail))
		return transact_by_view(ch, pos, buf, deadline);
	return kcall_go_on(ch, -EAGAIN, *pos, buf, deadline);
}

int kcall_go_on(struct kcall_chan *ch, int err, uint64_t pos, uint32_t buf,
		uint64_t deadline)
{
	struct skyipc_dev_call *c = &ch->call;

	c->flags = SKYIPC_CALL_KEEP;
	c->deadline = deadline;
	c->tag = ch->head;
	stat_add(ch->base.stats.parks, 1);
	point("client-kcall");
	if (likely(err == -EAGAIN)) {
		err = 0;
		if (likely(!block_hooks))
			err = kcall_ipc(ch->link, SKYIPC_LINK_CALL, c);
		else
			err = transact_in_parts(ch, 0);
	}
	if (unlikely(err == -EINPROGRESS))
		err = transact_in_parts(ch, err);
	point("client-kcall-done");
	if (likely(!err))
		return 0;
	stat_add(ch->base.stats.errors, 1);
	if (err != -ETIMEDOUT) {
		bufs_put(&ch->bufs, buf);
		return kcall_failed(ch, err);
	}
	/* There is room: see kcall_enter(). */
	ch->pending[ch->head++ & ch->mask] = (struct kcall_pending){
		.pos = pos, .buf = buf, .abandoned = 1
	};
	return fail(err, "no reply in time");
}

int kcall_failed(struct kcall_chan *ch, int err)
{
	switch (err) {
	case -EPIPE:
		/* It has not seen this one, nor will it see another. */
		conn_die(ch->base.conn);
		return fail(err, "the server has gone");
	case -ECONNRESET:
		return fail(err, "the server has gone in the middle of a call");
	case -ENOENT:
		return fail(-EPROTO, "the server replies as nobody should");
	default:
		return fail(err, "the module cannot pass on the call: %s",
			    strerror(-err));
	}
}

uint64_t kcall_pos(const struct kcall_chan *ch, uint64_t pos)
{
	return likely(pos != KCALL_POS_ANY)
		       ? pos
		       : KCALL_POS_SERVERS |
				 (uint32_t)ch->call.msg.ext[KCALL_FLAGS];
}

int kcall_take(struct kcall_chan *ch, uint64_t pos, uint64_t *out,
	       int32_t *status)
{
	const struct skyipc_dev_msg *m = &ch->call.msg;
	uint32_t flags = (uint32_t)(m->ext[KCALL_FLAGS] >> 32);
	struct chan *base = &ch->base;

	if (out)
		memcpy(out, m->words, sizeof(m->words));
	/* The handler does not know that there is no room for descriptors. */
	if (unlikely(flags == CALL_FDS))
		message_drop_fds(&ch->bufs, kcall_pos(ch, pos));
	else if (unlikely(flags))
		return flags & CALL_ERROR
			       ? message_error(base, (uint32_t)m->status)
			       : message_broken(base,
						"more than was asked for");
	stat_add(base->stats.calls, 1);
	if (status)
		*status = m->status;
	else if (m->status)
		return message_status_lost((uint32_t)m->status);
	return 0;
}

static const uint64_t no_words[SKYIPC_WORDS];

int kcall_call(struct chan *base, uint32_t op, const uint64_t *in,
	       uint64_t *out, int32_t *status, skyipc_time t)
{
	struct kcall_chan *ch = kcall_of(base);
	struct skyipc_dev_msg *m = &ch->call.msg;
	uint64_t t0 = 0, pos;
	int err = kcall_enter(ch);

	if (unlikely(err))
		return err;
	pos = ch->pos++;
	if (unlikely(!(pos & TIMED_MASK)))
		t0 = ticks();
	m->op = op;
	memcpy(m->words, in ? in : no_words, sizeof(m->words));
	m->ext[KCALL_FLAGS] = kcall_flags(0, ch->bufs.number);
	m->ext[KCALL_POS] = pos;
	err = kcall_transact(ch, &pos, NO_BUF,
			     deadline_of(t, base->conn->call_ns));
	if (unlikely(err))
		goto out;
	err = kcall_take(ch, pos, out, status);
	if (t0 && !err)
		hist_record(&base->stats.latency, ticks_to_ns(ticks() - t0));
out:
	kcall_leave(ch);
	return err;
}

const struct transport kcall_transport = {
	.name = "kcall",
	.probe = kcall_probe,
	.serves = kcall_serves,
	.admit = kcall_conn_open,
	.kill = kcall_conn_kill,
	.open = kcall_chan_open,
	.close = kcall_chan_close,
	.conn_close = kcall_conn_close,
	.abandon = kcall_abandon,
	.adopt = kcall_adopt,
	.forked = kcall_forked,
	.wake = kcall_wake,
	.call = kcall_call,
	.call_msg = kcall_call_msg,
	.submit = kcall_submit,
	.reap = kcall_reap,
	.buffer = kcall_buffer,
};
