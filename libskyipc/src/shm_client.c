/* SPDX-License-Identifier: MIT */
/*
 * shm_client.c - calls over shared memory, the client's side
 *
 * URPC (Bershad et al., TOCS 1991): a call is a message written to memory that
 * both processes have mapped; the kernel is needed only to give a processor to
 * somebody who has none. The path of a short call is skyipc_call() ->
 * shm_call() and stays under the budget that docs/shm.md states; anything out
 * of the ordinary branches off to functions marked noinline.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "hist.h"
#include "shm_chan.h"
#include "sock.h"
#include "point.h"

/* One call in so many is timed. */
#define TIMED_MASK 63

/* Spins inline before shm_wait() takes over: about one uncontended call. */
#define SPIN_INLINE 24

static int probe(char *why, size_t size)
{
	(void)why;
	(void)size;
	return 0;
}

/* ---- before a call ------------------------------------------------------ */

/* Drop descriptors nobody will ask for. */
static void drop_fds(struct shm_chan *ch, uint64_t pos)
{
	int *fds, n;

	n = conn_take_fds(ch->base.conn, ch->number, pos, &fds);
	if (n < 0)
		return;
	close_fds(fds, (unsigned)n);
	free(fds);
}

/*
 * Pass over what needs no reaping at the oldest end. From a dead server nothing
 * more is expected.
 */
static void skip_done(struct shm_chan *ch, int dead)
{
	while (ch->tail != ch->pos) {
		struct pending *p = &ch->pending[ch->tail & ch->mask];
		uint64_t head;

		if (p->kind == PENDING_ABANDONED) {
			if (shm_ready(&ch->rep[ch->tail & ch->mask], ch->tail,
				      &head)) {
				if (shm_head_flags(head) & SHM_FDS)
					drop_fds(ch, ch->tail);
			} else if (!dead) {
				return;
			}
			shm_buf_put(ch, p->buf);
		} else if (p->kind != PENDING_DONE) {
			return;
		}
		p->kind = PENDING_NONE;
		ch->tail++;
	}
}

/*
 * Everything that can be in the way of a call: -EBUSY, -EPIPE, -ECHILD,
 * -EAGAIN; 0 if nothing is any more.
 */
static __attribute__((noinline)) int not_ready(struct shm_chan *ch)
{
	fail_clear();
	if (ch->busy)
		return fail(-EBUSY, "called from a signal handler that "
				    "interrupted a call");
	switch (conn_state(ch->base.conn)) {
	case CONN_FORKED:
		return fail(-ECHILD, "the connection belongs to the parent");
	case CONN_DEAD:
		return fail(-EPIPE, "the server has gone");
	}
	skip_done(ch, 0);
	if (ch->pos - ch->tail > ch->mask)
		return fail(-EAGAIN, "%u calls are outstanding", ch->mask + 1);
	return 0;
}

/* Tell the server where we run, when that has changed. */
static inline void tell_cpu(struct shm_chan *ch)
{
	int cpu = cpu_here();

	if (unlikely(cpu != ch->cpu)) {
		ch->cpu = cpu;
		atomic_store_explicit(&ch->head->client.cpu, (uint32_t)cpu + 1,
				      memory_order_relaxed);
	}
}

static inline int enter(struct shm_chan *ch)
{
	int err;

	if (unlikely(ch->busy || !shm_quiet(ch) ||
		     conn_state(ch->base.conn) != CONN_ALIVE)) {
		err = not_ready(ch);
		if (err)
			return err;
	}
	ch->busy = 1;
	/* A signal handler of this thread may look at busy. */
	atomic_signal_fence(memory_order_seq_cst);
	return 0;
}

static inline void leave(struct shm_chan *ch)
{
	atomic_signal_fence(memory_order_seq_cst);
	ch->busy = 0;
}

/* ---- after a call ------------------------------------------------------- */

/* The connection cannot be trusted any more. */
static int broken(struct shm_chan *ch, const char *what)
{
	fail(-EPROTO, "the server sent %s", what);
	conn_die(ch->base.conn);
	return -EPROTO;
}

/* A reply with SHM_ERROR: the server's library speaks, not the handler. */
static int reply_error(struct shm_chan *ch, uint64_t head)
{
	int err = (int32_t)shm_head_code(head);

	stat_add(ch->base.stats.errors, 1);
	if (err >= 0 || err < -4095)
		return broken(ch, "an impossible error");
	switch (err) {
	case -ENOSYS:
		return fail(err, "the server has no such operation");
	case -EMSGSIZE:
		return fail(err, "the reply has no room: see SKYIPC_LONG_REPLY "
				 "and skyipc_connect_attr.buf_size");
	default:
		return fail(err, "the server could not answer: %s",
			    strerror(-err));
	}
}

/* Not in time, or the server died: the slot is skipped when its time comes. */
static __attribute__((noinline)) int give_up(struct shm_chan *ch, uint64_t pos,
					     int err)
{
	struct shm_slot *slot = &ch->req[pos & ch->mask];
	struct pending *p = &ch->pending[pos & ch->mask];
	uint64_t head = atomic_load_explicit(&slot->head, memory_order_relaxed);

	stat_add(ch->base.stats.errors, 1);
	p->kind = PENDING_ABANDONED;
	/* If the server has not looked yet, it need not run the handler. */
	if (err == -ETIMEDOUT)
		atomic_store_explicit(
			&slot->head,
			shm_head(pos, shm_head_flags(head) | SHM_CANCEL,
				 shm_head_code(head)),
			memory_order_release);
	return fail(err,
		    err == -ETIMEDOUT
			    ? "no reply in time"
			    : "the server has gone in the middle of a call");
}

/* ---- the short call ----------------------------------------------------- */

static __attribute__((noinline)) int
wait_slow(struct shm_chan *ch, uint64_t pos, skyipc_time t, uint64_t *head)
{
	int err = shm_wait(ch, pos, deadline_of(t, ch->base.conn->call_ns));

	if (err)
		return give_up(ch, pos, err);
	shm_ready(&ch->rep[pos & ch->mask], pos, head);
	return 0;
}

static inline int server_is_here(struct shm_chan *ch)
{
	return atomic_load_explicit(&ch->head->server.cpu,
				    memory_order_relaxed) ==
	       (uint32_t)ch->cpu + 1;
}

/* Until the reply at @pos is there, with its head. */
static inline int wait_reply(struct shm_chan *ch, uint64_t pos, skyipc_time t,
			     uint64_t *head)
{
	struct shm_slot *slot = &ch->rep[pos & ch->mask];

	for (int i = 0; i < SPIN_INLINE; i++) {
		if (shm_ready(slot, pos, head))
			return 0;
		/* On one CPU the server needs it more than we do. */
		if (server_is_here(ch))
			break;
		cpu_relax();
	}
	return wait_slow(ch, pos, t, head);
}

/*
 * A synchronous call is over: the slot can be used again, unless older ones
 * are outstanding.
 */
static inline void finish(struct shm_chan *ch, uint64_t pos)
{
	if (likely(ch->tail == pos))
		ch->tail = pos + 1;
	else
		ch->pending[pos & ch->mask].kind = PENDING_DONE;
}

static __attribute__((noinline)) int status_lost(struct shm_chan *ch,
						 uint32_t status)
{
	leave(ch);
	return fail(-EREMOTEIO, "the handler's status is %d", (int32_t)status);
}

/* The short call that was published last: everything that is left to do. */
static __attribute__((noinline)) int
short_rest(struct shm_chan *ch, uint64_t *out, int32_t *status, skyipc_time t)
{
	uint64_t pos = ch->pos - 1, head;
	int err;

	if (atomic_load_explicit(&ch->head->server.park,
				 memory_order_relaxed) != SHM_AWAKE)
		shm_ring(ch);
	err = wait_reply(ch, pos, t, &head);
	if (err) {
		ch->pending[pos & ch->mask].buf = NO_BUF;
		goto out;
	}
	point("client-reply-seen");
	if (out)
		shm_get(&ch->rep[pos & ch->mask], out);
	finish(ch, pos);
	if (shm_head_flags(head)) {
		err = shm_head_flags(head) & SHM_ERROR
			      ? reply_error(ch, head)
			      : broken(ch, "more than was asked for");
		goto out;
	}
	stat_add(ch->base.stats.calls, 1);
	if (status)
		*status = (int32_t)shm_head_code(head);
	else if (shm_head_code(head))
		return status_lost(ch, shm_head_code(head));
out:
	leave(ch);
	return err;
}

static const uint64_t no_words[SKYIPC_WORDS];

/* A short call with whatever keeps it from the fast path; timed. */
static __attribute__((noinline)) int short_slow(struct shm_chan *ch,
						uint32_t op, const uint64_t *in,
						uint64_t *out, int32_t *status,
						skyipc_time t)
{
	uint64_t t0 = ticks(), pos;
	struct shm_slot *slot;
	int err;

	err = enter(ch);
	if (err)
		return err;
	tell_cpu(ch);
	pos = ch->pos;
	slot = &ch->req[pos & ch->mask];
	point("client-call");
	shm_put(slot, in ? in : no_words, 0);
	ch->pos = pos + 1;
	shm_publish(slot, shm_head(pos, 0, op), &ch->head->server);
	point("client-published");
	err = short_rest(ch, out, status, t);
	if (!err && !(pos & TIMED_MASK))
		hist_record(&ch->base.stats.latency, ticks_to_ns(ticks() - t0));
	return err;
}

/*
 * The path that nearly every call takes. It calls nothing: whatever is out of
 * the ordinary is somebody else's, by a jump, so that no register needs to be
 * saved.
 */
static int shm_call(struct chan *base, uint32_t op, const uint64_t *in,
		    uint64_t *out, int32_t *status, skyipc_time t)
{
	struct shm_chan *ch = shm_of(base);
	uint64_t pos = ch->pos, head;
	struct shm_slot *slot, *rep;

	if (unlikely(ch->busy || !shm_quiet(ch) || !in ||
		     conn_state(base->conn) != CONN_ALIVE ||
		     cpu_here() != ch->cpu || !(pos & TIMED_MASK)))
		return short_slow(ch, op, in, out, status, t);
	ch->busy = 1;
	/* A signal handler of this thread may look at busy. */
	atomic_signal_fence(memory_order_seq_cst);

	slot = &ch->req[pos & ch->mask];
	shm_put(slot, in, 0);
	ch->pos = pos + 1;
	if (unlikely(shm_publish(slot, shm_head(pos, 0, op),
				 &ch->head->server) ||
		     server_is_here(ch)))
		return short_rest(ch, out, status, t);

	rep = &ch->rep[pos & ch->mask];
	for (int i = 0; !shm_ready(rep, pos, &head); i++) {
		if (unlikely(i == SPIN_INLINE))
			return short_rest(ch, out, status, t);
		cpu_relax();
	}
	if (unlikely(shm_head_flags(head)))
		return short_rest(ch, out, status, t);
	if (likely(out))
		shm_get(rep, out);
	ch->tail = pos + 1;
	stat_add(base->stats.calls, 1);
	if (likely(status))
		*status = (int32_t)shm_head_code(head);
	else if (unlikely(shm_head_code(head)))
		return status_lost(ch, shm_head_code(head));
	leave(ch);
	return 0;
}

/* ---- messages ----------------------------------------------------------- */

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
		err = conn_send_fds(conn, ch->number, pos, req->fds, req->nfds,
				    deadline);
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
	int *fds, n;
	unsigned take;

	n = conn_take_fds(ch->base.conn, ch->number, pos, &fds);
	if (n < 0)
		return n == -EMFILE
			       ? fail(n, "no room for the reply's descriptors")
			       : broken(ch, "a reply without its descriptors");
	take = (unsigned)n < room ? (unsigned)n : room;
	if (take)
		memcpy(rep->fds, fds, take * sizeof(int));
	close_fds(fds + take, (unsigned)n - take);
	free(fds);
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
		return reply_error(ch, head);
	if (flags & ~(SHM_LONG | SHM_FDS | SHM_INREQ))
		return broken(ch, "unknown flags");
	if (err) {
		close_fds(rep->fds, rep->nfds);
		rep->nfds = 0;
		return err;
	}
	stat_add(ch->base.stats.calls, 1);
	if (!(flags & SHM_LONG))
		return 0;
	ext = atomic_load_explicit(&slot->ext, memory_order_relaxed);
	len = ext & 0xffffffff;
	off = ext >> 32;
	if (p->buf == NO_BUF || off > ch->base.conn->buf_size ||
	    len > ch->base.conn->buf_size - off)
		return broken(ch, "a reply outside its buffer");
	rep->data = (flags & SHM_INREQ ? shm_buf_req(ch, p->buf)
				       : shm_buf_rep(ch, p->buf)) +
		    off;
	rep->len = len;
	stat_add(ch->base.stats.bytes_in, len);
	return 0;
}

static int shm_call_msg(struct chan *base, const struct skyipc_msg *req,
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

static int shm_submit(struct chan *base, const struct skyipc_msg *req)
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

		skip_done(ch, dead);
		if (done == n || shm_quiet(ch))
			return done;
		p = &ch->pending[ch->tail & ch->mask];
		if (shm_ready(&ch->rep[ch->tail & ch->mask], ch->tail, &head)) {
			msgs[done].result =
				collect(ch, ch->tail, head, &msgs[done]);
		} else if (dead && p->kind == PENDING_ASYNC) {
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

static int shm_reap(struct chan *base, struct skyipc_msg *msgs, unsigned n,
		    unsigned min, skyipc_time t)
{
	struct shm_chan *ch = shm_of(base);
	uint64_t deadline = 0;
	unsigned done = 0;
	int err = 0;

	if (ch->busy)
		return not_ready(ch);
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
		skip_done(ch, 0);
		if (!err && oldest_async(ch) != ch->tail)
			broken(ch, "replies out of order");
	}
	leave(ch);
	if (!done && err == -ETIMEDOUT)
		return fail(err, "no reply in time");
	return (int)done;
}

static int shm_buffer(struct chan *base, void **buf, size_t *size)
{
	struct shm_chan *ch = shm_of(base);
	int err = enter(ch);

	if (err)
		return err;
	if (ch->prepared == NO_BUF)
		err = shm_buf_get(
			ch, &ch->prepared,
			deadline_of(SKYIPC_DEFAULT, base->conn->call_ns));
	if (!err) {
		*buf = shm_buf_req(ch, ch->prepared);
		*size = base->conn->buf_size;
	}
	leave(ch);
	return err;
}

static void shm_abandon(struct chan *base)
{
	struct shm_chan *ch = shm_of(base);

	for (uint64_t pos = ch->tail; pos != ch->pos; pos++)
		if (ch->pending[pos & ch->mask].kind == PENDING_ASYNC)
			ch->pending[pos & ch->mask].kind = PENDING_ABANDONED;
	if (ch->data) {
		shm_buf_release_held(ch);
		shm_buf_put(ch, ch->prepared);
	}
	ch->prepared = NO_BUF;
	ch->busy = 0;
}

const struct transport shm_transport = {
	.name = "shm",
	.probe = probe,
	.open = shm_chan_open,
	.close = shm_chan_close,
	.abandon = shm_abandon,
	.wake = shm_wake,
	.call = shm_call,
	.call_msg = shm_call_msg,
	.submit = shm_submit,
	.reap = shm_reap,
	.buffer = shm_buffer,
};
