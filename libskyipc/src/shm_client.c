/* SPDX-License-Identifier: MIT */
/*
 * shm_client.c - the short call over shared memory, the client's side
 *
 * URPC (Bershad et al., TOCS 1991): a call is a message written to memory that
 * both processes have mapped; the kernel is needed only to give a processor to
 * somebody who has none. The path of a short call is skyipc_call() ->
 * shm_call() and stays under the budget that docs/shm.md states; anything out
 * of the ordinary branches off to functions marked noinline.
 */
#include <errno.h>

#include "err.h"
#include "hist.h"
#include "message.h"
#include "point.h"
#include "server.h"
#include "shm_call.h"
#include "shm_message.h"

static int probe(char *why, size_t size)
{
	(void)why;
	(void)size;
	return 0;
}

/* Every server does. */
static int serves(const struct skyipc_server *server, char *why, size_t size)
{
	(void)server;
	return probe(why, size);
}

/* ---- before a call ------------------------------------------------------ */

void shm_skip_done(struct shm_chan *ch, int dead)
{
	while (ch->tail != ch->pos) {
		struct pending *p = &ch->pending[ch->tail & ch->mask];
		uint64_t head;

		if (p->kind == PENDING_ABANDONED) {
			if (shm_ready(&ch->rep[ch->tail & ch->mask], ch->tail,
				      &head)) {
				if (shm_head_flags(head) & CALL_FDS)
					message_drop_fds(&ch->bufs, ch->tail);
			} else if (!dead) {
				return;
			}
			bufs_put(&ch->bufs, p->buf);
		} else if (p->kind != PENDING_DONE) {
			return;
		}
		p->kind = PENDING_NONE;
		ch->tail++;
	}
}

int shm_not_ready(struct shm_chan *ch)
{
	fail_clear();
	switch (conn_state(ch->base.conn)) {
	case CONN_FORKED:
		return fail(-ECHILD, "the connection belongs to the parent");
	case CONN_DEAD:
		return fail(-EPIPE, "the server has gone");
	}
	shm_skip_done(ch, 0);
	if (ch->pos - ch->tail > ch->mask)
		return fail(-EAGAIN, "%u calls are outstanding", ch->mask + 1);
	return 0;
}

/* ---- after a call ------------------------------------------------------- */

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
			shm_head(pos, shm_head_flags(head) | CALL_CANCEL,
				 shm_head_code(head)),
			memory_order_release);
	return fail(err,
		    err == -ETIMEDOUT
			    ? "no reply in time"
			    : "the server has gone in the middle of a call");
}

/* ---- the short call ----------------------------------------------------- */

int shm_wait_slow(struct shm_chan *ch, uint64_t pos, skyipc_time t,
		  uint64_t *head)
{
	int err = shm_wait(ch, pos, deadline_of(t, ch->base.conn->call_ns));

	if (err)
		return give_up(ch, pos, err);
	shm_ready(&ch->rep[pos & ch->mask], pos, head);
	return 0;
}

static __attribute__((noinline)) int status_lost(struct shm_chan *ch,
						 uint32_t status)
{
	leave(ch);
	return message_status_lost(status);
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
	/* The handler does not know that there is no room for descriptors. */
	if (shm_head_flags(head) == CALL_FDS) {
		message_drop_fds(&ch->bufs, pos);
	} else if (shm_head_flags(head)) {
		err = shm_head_flags(head) & CALL_ERROR
			      ? message_error(&ch->base, shm_head_code(head))
			      : message_broken(&ch->base,
					       "more than was asked for");
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

	leave(ch);
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
	struct shm_slot *slot, *rep;
	uint64_t pos, head;

	if (unlikely(ch->busy))
		return message_busy();
	/* As in enter(): before pos is read. */
	ch->busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	pos = ch->pos;
	if (unlikely(!shm_quiet(ch) || !in ||
		     conn_state(base->conn) != CONN_ALIVE ||
		     cpu_here() != ch->cpu || !(pos & TIMED_MASK)))
		return short_slow(ch, op, in, out, status, t);

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

static void shm_abandon(struct chan *base)
{
	struct shm_chan *ch = shm_of(base);

	for (uint64_t pos = ch->tail; pos != ch->pos; pos++)
		if (ch->pending[pos & ch->mask].kind == PENDING_ASYNC)
			ch->pending[pos & ch->mask].kind = PENDING_ABANDONED;
	bufs_abandon(&ch->bufs);
	ch->busy = 0;
}

const struct transport shm_transport = {
	.name = "shm",
	.rings = 1,
	.probe = probe,
	.serves = serves,
	.admit = sconn_bell_open,
	.open = shm_chan_open,
	.close = shm_chan_close,
	.conn_close = shm_conn_close,
	.abandon = shm_abandon,
	.wake = shm_wake,
	.call = shm_call,
	.call_msg = shm_call_msg,
	.submit = shm_submit,
	.reap = shm_reap,
	.buffer = shm_buffer,
};
