/* SPDX-License-Identifier: MIT */
/*
 * shm_message.c - long messages, descriptors and asynchronous calls over shared
 * memory, the client's side
 */
#include "shm_message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cancel.h"
#include "err.h"
#include "hist.h"
#include "point.h"
#include "shm_call.h"
#include "sock.h"

/* Everything up to the publication of @req. @want: attach a buffer. */
static int post(struct shm_chan *ch, const struct skyipc_msg *req, int want,
		uint64_t deadline, uint64_t *out_pos)
{
	struct skyipc_conn *conn = ch->base.conn;
	uint64_t pos = ch->pos, ext = 0;
	struct shm_slot *slot = &ch->req[pos & ch->mask];
	struct pending *p = &ch->pending[pos & ch->mask];
	uint32_t flags = 0, buf = NO_BUF;
	int err = 0;

	if (req->len > conn->buf_size)
		return fail(-EMSGSIZE, "%zu bytes, the buffer has %llu",
			    req->len, (unsigned long long)conn->buf_size);
	if (req->nfds > SKYIPC_MAX_FDS)
		return fail(-EINVAL, "at most %d descriptors", SKYIPC_MAX_FDS);

	if (req->len || want) {
		if (ch->prepared != NO_BUF) {
			buf = ch->prepared;
			ch->prepared = NO_BUF;
		} else {
			err = shm_buf_get(ch, &buf, deadline);
			if (err)
				return err;
		}
		if (req->len && req->data != shm_buf_req(ch, buf))
			memmove(shm_buf_req(ch, buf), req->data, req->len);
		flags |= SHM_LONG;
		ext = (uint64_t)req->len | (uint64_t)buf << 32;
	}
	if (req->nfds) {
		int cancel = cancel_off();

		err = conn_send_fds(conn, ch->number, pos, req->fds, req->nfds,
				    deadline);
		cancel_back(cancel);
		if (err) {
			shm_buf_put(ch, buf);
			return fail(err, "cannot pass descriptors: %s",
				    strerror(-err));
		}
		point("client-fds-sent");
		flags |= SHM_FDS;
		stat_add(ch->base.stats.fds_out, req->nfds);
	}
	point("client-message");
	tell_cpu(ch);
	p->buf = buf;
	p->op = req->op;
	p->tag = req->tag;
	stat_add(ch->base.stats.bytes_out, req->len);
	shm_put(slot, req->w, ext);
	ch->pos = pos + 1;
	if (shm_publish(slot, shm_head(pos, flags, req->op), &ch->head->server))
		shm_ring(ch);
	point("client-message-published");
	*out_pos = pos;
	return 0;
}

/* The reply's descriptors, to where the caller wants them. */
static int collect_fds(struct shm_chan *ch, uint64_t pos,
		       struct skyipc_msg *rep, unsigned room)
{
	int *fds, n, cancel = cancel_off();
	unsigned take = 0;

	n = conn_take_fds(ch->base.conn, ch->number, pos, &fds);
	if (n >= 0) {
		take = (unsigned)n < room ? (unsigned)n : room;
		if (take)
			memcpy(rep->fds, fds, take * sizeof(int));
		close_fds(fds + take, (unsigned)n - take);
		free(fds);
	}
	cancel_back(cancel);
	if (n < 0)
		return n == -EMFILE
			       ? fail(n, "no room for the reply's descriptors")
			       : shm_broken(ch,
					    "a reply without its descriptors");
	rep->nfds = take;
	stat_add(ch->base.stats.fds_in, take);
	return 0;
}

/* Fill @rep from the reply slot at @pos, whose @head has been seen. */
static int collect(struct shm_chan *ch, uint64_t pos, uint64_t head,
		   struct skyipc_msg *rep)
{
	struct shm_slot *slot = &ch->rep[pos & ch->mask];
	struct pending *p = &ch->pending[pos & ch->mask];
	unsigned room = rep->fds ? rep->nfds : 0;
	uint32_t flags = shm_head_flags(head);
	uint64_t ext, len, off;
	int err = 0;

	rep->op = p->op;
	rep->tag = p->tag;
	rep->status = (int32_t)shm_head_code(head);
	rep->data = NULL;
	rep->len = 0;
	rep->nfds = 0;
	rep->flags = 0;
	shm_get(slot, rep->w);
	if (flags & SHM_FDS)
		err = collect_fds(ch, pos, rep, room);
	if (flags & SHM_ERROR)
		err = shm_reply_error(ch, head);
	else if (flags & ~(SHM_LONG | SHM_FDS | SHM_INREQ))
		err = shm_broken(ch, "unknown flags");
	if (err)
		goto fail;
	if (!(flags & SHM_LONG)) {
		stat_add(ch->base.stats.calls, 1);
		return 0;
	}
	ext = atomic_load_explicit(&slot->ext, memory_order_relaxed);
	len = ext & 0xffffffff;
	off = ext >> 32;
	if (p->buf == NO_BUF || off > ch->base.conn->buf_size ||
	    len > ch->base.conn->buf_size - off) {
		err = shm_broken(ch, "a reply outside its buffer");
		goto fail;
	}
	stat_add(ch->base.stats.calls, 1);
	rep->data = (flags & SHM_INREQ ? shm_buf_req(ch, p->buf)
				       : shm_buf_rep(ch, p->buf)) +
		    off;
	rep->len = len;
	stat_add(ch->base.stats.bytes_in, len);
	return 0;
fail:
	/* Who gets an error does not look for descriptors. */
	close_fds(rep->fds, rep->nfds);
	rep->nfds = 0;
	return err;
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
	ch->held = ch->pending[pos & ch->mask].buf;
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
			msgs[done].nfds = 0;
			msgs[done].data = NULL;
			msgs[done].len = 0;
			msgs[done].result = -ECONNRESET;
			stat_add(ch->base.stats.errors, 1);
		} else {
			return done;
		}
		if (p->buf != NO_BUF)
			ch->held_async[ch->nheld++] = p->buf;
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
		return shm_is_busy();
	if (conn_state(base->conn) == CONN_FORKED)
		return -ECHILD;
	if (!any_async(ch))
		return fail(-ENOENT, "nothing is outstanding");
	ch->busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	if (ch->data)
		shm_buf_release_held(ch);
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
			shm_broken(ch, "replies out of order");
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
	if (ch->prepared == NO_BUF)
		err = shm_buf_get(ch, &ch->prepared, deadline);
	if (!err) {
		*buf = shm_buf_req(ch, ch->prepared);
		*size = base->conn->buf_size;
	}
	leave(ch);
	return err;
}
