/* SPDX-License-Identifier: MIT */
/*
 * shm_message.c - long messages, descriptors and asynchronous calls over shared
 * memory, the client's side
 */
#include "shm_message.h"

#include <errno.h>

#include "err.h"
#include "hist.h"
#include "message.h"
#include "point.h"
#include "shm_call.h"

/* Everything up to the publication of @req. @want: attach a buffer. */
static int post(struct shm_chan *ch, const struct skyipc_msg *req, int want,
		uint64_t deadline, uint64_t *out_pos)
{
	uint64_t pos = ch->pos;
	struct shm_slot *slot = &ch->req[pos & ch->mask];
	struct pending *p = &ch->pending[pos & ch->mask];
	struct outgoing o;
	int err = message_prepare(&ch->bufs, req, want, pos, deadline, &o);

	if (err)
		return err;
	point("client-message");
	tell_cpu(ch);
	p->buf = o.buf;
	p->op = req->op;
	p->tag = req->tag;
	shm_put(slot, req->w, o.ext);
	ch->pos = pos + 1;
	if (shm_publish(slot, shm_head(pos, o.flags, req->op),
			&ch->head->server))
		shm_ring(ch);
	point("client-message-published");
	*out_pos = pos;
	return 0;
}

/* Fill @rep from the reply slot at @pos, whose @head has been seen. */
static int collect(struct shm_chan *ch, uint64_t pos, uint64_t head,
		   struct skyipc_msg *rep)
{
	struct shm_slot *slot = &ch->rep[pos & ch->mask];
	struct pending *p = &ch->pending[pos & ch->mask];
	struct incoming in = {
		.flags = shm_head_flags(head),
		.code = shm_head_code(head),
		.ext = atomic_load_explicit(&slot->ext, memory_order_relaxed),
		.pos = pos,
		.buf = p->buf,
	};

	rep->op = p->op;
	rep->tag = p->tag;
	shm_get(slot, rep->w);
	return message_collect(&ch->bufs, &in, rep);
}

int shm_call_msg(struct chan *base, const struct skyipc_msg *req,
		 struct skyipc_msg *rep, skyipc_time t)
{
	struct shm_chan *ch = shm_of(base);
	uint64_t t0 = ticks(), pos, head, deadline;
	int err = enter(ch);

	if (err)
		return err;
	deadline = deadline_of(t, base->conn->call_ns);
	err = post(ch, req, 1, deadline, &pos);
	if (err)
		goto out;
	err = wait_reply(ch, pos,
			 deadline == DEADLINE_NONE ? SKYIPC_FOREVER
						   : SKYIPC_AT(deadline),
			 &head);
	if (err)
		goto out;
	point("client-message-reply");
	err = collect(ch, pos, head, rep);
	rep->result = err;
	/* The reply stays valid in place until the next use. */
	ch->bufs.held = ch->pending[pos & ch->mask].buf;
	finish(ch, pos);
	if (!(pos & TIMED_MASK))
		hist_record(&ch->base.stats.latency, ticks_to_ns(ticks() - t0));
out:
	leave(ch);
	return err;
}

int shm_submit(struct chan *base, const struct skyipc_msg *req)
{
	struct shm_chan *ch = shm_of(base);
	uint64_t pos;
	int err = enter(ch);

	if (err)
		return err;
	err = post(ch, req, req->flags & SKYIPC_LONG_REPLY,
		   deadline_of(SKYIPC_DEFAULT, base->conn->call_ns), &pos);
	if (!err)
		ch->pending[pos & ch->mask].kind = PENDING_ASYNC;
	leave(ch);
	return err;
}

/* Reap what is there, in order. */
static unsigned reap_ready(struct shm_chan *ch, struct skyipc_msg *msgs,
			   unsigned n, int dead)
{
	unsigned done = 0;

	for (;;) {
		struct pending *p;
		uint64_t head;

		shm_skip_done(ch, dead);
		if (done == n || shm_quiet(ch))
			return done;
		p = &ch->pending[ch->tail & ch->mask];
		/* Given up, and its reply may come this very moment. */
		if (p->kind != PENDING_ASYNC)
			return done;
		if (shm_ready(&ch->rep[ch->tail & ch->mask], ch->tail, &head)) {
			msgs[done].result =
				collect(ch, ch->tail, head, &msgs[done]);
		} else if (dead) {
			msgs[done].tag = p->tag;
			msgs[done].op = p->op;
			message_lost(&ch->base, &msgs[done]);
		} else {
			return done;
		}
		if (p->buf != NO_BUF)
			ch->bufs.held_async[ch->bufs.nheld++] = p->buf;
		p->kind = PENDING_NONE;
		ch->tail++;
		done++;
	}
}

/* Is any submitted call outstanding? */
static int any_async(struct shm_chan *ch)
{
	for (uint64_t pos = ch->tail; pos != ch->pos; pos++)
		if (ch->pending[pos & ch->mask].kind == PENDING_ASYNC)
			return 1;
	return 0;
}

/* Where the oldest submitted call is: waiting is for it. */
static uint64_t oldest_async(struct shm_chan *ch)
{
	uint64_t pos = ch->tail;

	while (ch->pending[pos & ch->mask].kind != PENDING_ASYNC)
		pos++;
	return pos;
}

int shm_reap(struct chan *base, struct skyipc_msg *msgs, unsigned n,
	     unsigned min, skyipc_time t)
{
	struct shm_chan *ch = shm_of(base);
	uint64_t deadline = 0;
	unsigned done = 0;
	int err = 0;

	if (ch->busy)
		return message_busy();
	if (conn_state(base->conn) == CONN_FORKED)
		return -ECHILD;
	if (!any_async(ch))
		return fail(-ENOENT, "nothing is outstanding");
	ch->busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	bufs_release_held(&ch->bufs);
	if (min > n)
		min = n;
	for (;;) {
		int dead = conn_state(base->conn) != CONN_ALIVE;

		done += reap_ready(ch, msgs + done, n - done, dead);
		if (done >= min || !any_async(ch))
			break;
		if (!deadline)
			deadline = deadline_of(t, base->conn->call_ns);
		err = shm_wait(ch, oldest_async(ch), deadline);
		if (err == -ETIMEDOUT)
			break;
		/* Replies come in order; another order would stop us here. */
		shm_skip_done(ch, 0);
		if (!err && oldest_async(ch) != ch->tail)
			message_broken(&ch->base, "replies out of order");
	}
	leave(ch);
	if (!done && err == -ETIMEDOUT)
		return fail(err, "no reply in time");
	return (int)done;
}

int shm_buffer(struct chan *base, void **buf, size_t *size, uint64_t deadline)
{
	struct shm_chan *ch = shm_of(base);
	int err = enter(ch);

	if (err)
		return err;
	err = bufs_prepare(&ch->bufs, buf, size, deadline);
	leave(ch);
	return err;
}
