/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_call.c - calls by VMFUNC, the client's side
 *
 * A channel through the module (kcall_chan.h) that short and long calls do not
 * need unless something comes in between: then they go on, or are made, there.
 */
#ifdef __x86_64__
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "block.h"
#include "clock.h"
#include "hist.h"
#include "kcall_chan.h"
#include "kcall_dev.h"
#include "kcall_server.h"
#include "message.h"
#include "point.h"
#include "view/layout.h"
#include "kcall_worker.h"
#include "vmfunc_frame.h"
#include "vmfunc_lender.h"
#include "vmfunc_map.h"
#include "vmfunc_server.h"
#include "vmfunc_thread.h"

/*
 * What the fast way needs is fast's; the rest is here. Calls come here if
 * fast.left is VMFUNC_FAST_NONE, or one is on its way.
 */
struct vmfunc_chan {
	struct kcall_chan kcall;
	struct vmfunc_thread *thread;
	/*
	 * Of a thread that lends itself: in the view of the link that has this
	 * key, its handlers call by that slot.
	 */
	uint64_t parent;
};

static struct vmfunc_chan *vmfunc_of(struct kcall_chan *kcall)
{
	return container_of(kcall, struct vmfunc_chan, kcall);
}

/* Calls that only assembly has seen */
static void count(struct kcall_chan *ch)
{
	/* Nor does the handler of a signal call that way in between: it would
	 * not be counted. */
	uint32_t left = __atomic_fetch_or(&ch->fast.left,
					  UINT32_C(1) << VMFUNC_FAST_BUSY,
					  __ATOMIC_RELEASE);

	vmfunc_count_end(&ch->count, vmfunc_fast_left(left));
	vmfunc_count_set(&ch->fast.left, VMFUNC_FAST_NONE);
}

/* Calls of this thread are in order: if one is outstanding, the fast way is
 * not. */
static void arm(struct kcall_chan *ch)
{
	const uint32_t busy = UINT32_C(1) << VMFUNC_FAST_BUSY;
	uint32_t left, armed;

	/* (Nor is it if this is a signal's handler, nor from a view.) */
	if (!ch->fast.page || ch->head != ch->tail || ch->busy)
		return;
	/*
	 * The call of a signal's handler may have been let through before this
	 * one began, and have armed it; from here on none is, until all is set.
	 */
	left = ch->fast.left;
	do {
		armed = left == VMFUNC_FAST_NONE ? TIMED_MASK - 1 : left;
	} while (!__atomic_compare_exchange_n(&ch->fast.left, &left,
					      armed | busy, 0, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	if (left != VMFUNC_FAST_NONE) {
		vmfunc_count_end(&ch->count, vmfunc_fast_left(left));
		vmfunc_count_set(&ch->fast.left, (TIMED_MASK - 1) | busy);
	}
	vmfunc_count_begin(&ch->count, TIMED_MASK);
	vmfunc_count_set(&ch->fast.left, TIMED_MASK - 1);
}

static void vmfunc_chan_stats(const struct chan *base,
			      struct skyipc_stats *stats)
{
	const struct kcall_chan *ch = kcall_of((struct chan *)base);
	uint64_t n =
		vmfunc_count_read(&ch->count, &ch->fast.left, vmfunc_fast_left);

	stats->calls += n;
	stats->views.calls += n + stat_read(ch->in_c);
}

static void set_timeout(struct vmfunc_thread *t, uint64_t deadline)
{
	volatile uint64_t *at =
		(volatile uint64_t *)(t->page + VIEW_THREAD_TIMEOUT);
	uint64_t now;

	if (deadline == DEADLINE_NONE) {
		*at = UINT64_MAX;
		return;
	}
	now = now_ns();
	*at = deadline > now ? deadline - now : 1;
}

/* From there: what has come of it */
static int come_back(const struct kcall_chan *kcall, int err)
{
	if (!err && kcall_given_back(kcall))
		return -EAGAIN;
	/* Its server may be half-way: the module knows, or says -ENOENT. */
	return err == -EPROTO ? -EINPROGRESS : err;
}

static int by_view(struct kcall_chan *kcall, uint64_t deadline)
{
	struct vmfunc_chan *ch = vmfunc_of(kcall);
	struct skyipc_dev_msg *m = &kcall->call.msg;
	int err;

	/* What comes over the socket has to be fetched there. */
	if (m->ext[KCALL_FLAGS] >> 32 & CALL_FDS)
		return -EAGAIN;
	set_timeout(ch->thread, deadline);
	point("client-vmfunc");
	err = vmfunc_go(m, kcall->fast.slot, kcall->fast.key, kcall->fast.page);
	point("client-vmfunc-done");
	return come_back(kcall, err);
}

static uint64_t view_key(void)
{
	return *(volatile uint64_t *)(VIEW_PAGE_AT + VIEW_PAGE_KEY);
}

static int by_nest(struct kcall_chan *kcall, uint64_t deadline);

/* By a thread that lends itself, at home: how its handlers in a view call */
static void nest(struct vmfunc_chan *ch)
{
	struct skyipc_dev_nest n = { .size = sizeof(n),
				     .link = ch->kcall.link };

	if (ioctl(my_lender->worker->fd, SKYIPC_WORKER_NEST, &n) < 0) {
		/* No link has its worker now, or it will never be. */
		ch->parent = 0;
		ch->kcall.by_view = errno == EOPNOTSUPP ? NULL : by_nest;
		return;
	}
	ch->parent = n.parent;
	ch->kcall.fast.slot = n.slot;
	ch->kcall.fast.key = n.key;
	ch->kcall.by_view = by_nest;
}

/* Its own time is the caller's: what has a limit goes through the module. */
static int by_nest(struct kcall_chan *kcall, uint64_t deadline)
{
	struct vmfunc_chan *ch = vmfunc_of(kcall);
	struct skyipc_dev_msg *m = &kcall->call.msg;
	const uint64_t key = view_key();
	struct vmfunc_frame *f;
	uint64_t usual;
	int err;

	/* At home, or at its thread's end? */
	if (!key || !my_lender || deadline != DEADLINE_NONE ||
	    m->ext[KCALL_FLAGS] >> 32 & CALL_FDS)
		return -EAGAIN;
	if (key != ch->parent) {
		/* This moves, and so does the call then. */
		nest(ch);
		return -EAGAIN;
	}
	f = my_lender->frame;
	usual = f->ext;
	/* Nobody else's handler begins on this stack meanwhile. */
	f->ext = f->nothing;
	point("client-vmfunc");
	err = vmfunc_nest(m, kcall->fast.slot, kcall->fast.key, f->nest);
	point("client-vmfunc-done");
	f->ext = usual;
	return come_back(kcall, err);
}

int vmfunc_call_slow(struct chan *base, uint32_t op, const uint64_t *in,
		     uint64_t *out, int32_t *status, skyipc_time t)
{
	struct kcall_chan *ch = kcall_of(base);
	uint64_t t0 = 0;
	int err;

	if (unlikely(vmfunc_fast_busy(&ch->fast)))
		return message_busy();
	if (vmfunc_counts(&ch->count) && ch->fast.left == VMFUNC_FAST_NONE)
		t0 = ticks();
	count(ch);
	err = kcall_call(base, op, in, out, status, t);
	if (t0 && !err)
		hist_record(&base->stats.latency, ticks_to_ns(ticks() - t0));
	arm(ch);
	return err;
}

int vmfunc_call_rest(struct chan *base, uint64_t *out, int32_t *status,
		     int64_t said)
{
	struct kcall_chan *ch = kcall_of(base);
	struct skyipc_dev_msg *m = &ch->call.msg;
	uint64_t deadline = 0, pos = KCALL_POS_ANY;
	int err;

	said = come_back(ch, (int)said);
	if (said)
		deadline = deadline_of(SKYIPC_DEFAULT, base->conn->call_ns);
	/* One that has begun has its end, whatever has become of its server. */
	err = said == -EAGAIN ? kcall_enter(ch) : kcall_go_in(ch);
	/* That says from here on who is busy. (It does not count this one.) */
	count(ch);
	if (err)
		return err;
	if (said && said != -EAGAIN) {
		err = kcall_go_on(ch, (int)said, pos, NO_BUF, deadline);
		/* See transact_by_view(). */
		if (!err && kcall_given_back(ch))
			said = -EAGAIN;
	}
	if (said != -EAGAIN) {
		stat_add(ch->in_c, 1);
	} else {
		m->op = (uint32_t)m->status;
		m->ext[KCALL_LONG] = 0;
		m->ext[KCALL_FLAGS] = ch->fast.ext ^ ch->fast.key;
		m->ext[KCALL_POS] = pos = ch->pos++;
		err = kcall_go_on(ch, -EAGAIN, pos, NO_BUF, deadline);
	}
	if (err == -EPIPE && said != -EAGAIN)
		err = -ECONNRESET;
	if (!err)
		err = kcall_take(ch, pos, out, status);
	kcall_leave(ch);
	arm(ch);
	return err;
}

static int vmfunc_call_msg(struct chan *base, const struct skyipc_msg *req,
			   struct skyipc_msg *rep, skyipc_time t)
{
	struct kcall_chan *ch = kcall_of(base);
	int err;

	if (vmfunc_fast_busy(&ch->fast))
		return message_busy();
	count(ch);
	err = kcall_call_msg(base, req, rep, t);
	arm(ch);
	return err;
}

static int vmfunc_submit(struct chan *base, const struct skyipc_msg *req)
{
	struct kcall_chan *ch = kcall_of(base);

	if (vmfunc_fast_busy(&ch->fast))
		return message_busy();
	count(ch);
	return kcall_submit(base, req);
}

/* The calling thread, whose link that is, calls by VMFUNC from now on if it
 * can. */
static void bind_view(struct vmfunc_chan *ch)
{
	struct skyipc_dev_view_link v = { .size = sizeof(v),
					  .link = ch->kcall.link };

	if (my_lender) {
		nest(ch);
		return;
	}
	ch->thread = vmfunc_thread_get(ch->kcall.base.conn->kcall);
	if (!ch->thread)
		return;
	if (ioctl(ch->thread->fd, SKYIPC_VIEW_LINK, &v) < 0) {
		vmfunc_thread_put(ch->thread);
		ch->thread = NULL;
		return;
	}
	ch->kcall.fast = (struct vmfunc_fast){
		.left = VMFUNC_FAST_NONE,
		.slot = v.slot,
		.key = v.key,
		.page = ch->thread->page,
		.timeout = ch->kcall.base.conn->call_ns
				   ? ch->kcall.base.conn->call_ns
				   : UINT64_MAX,
		.ext = kcall_flags(0, ch->kcall.bufs.number) ^ v.key,
		.msg = &ch->kcall.call.msg,
	};
	ch->kcall.by_view = by_view;
}

static void unbind(struct vmfunc_chan *ch)
{
	count(&ch->kcall);
	ch->kcall.by_view = NULL;
	ch->kcall.fast.page = NULL;
	if (ch->thread)
		vmfunc_thread_put(ch->thread);
	ch->thread = NULL;
}

static int vmfunc_open(struct skyipc_conn *conn, struct chan **out,
		       uint64_t deadline)
{
	struct kcall_chan *ch;
	int err = kcall_chan_make(conn, sizeof(struct vmfunc_chan), &ch,
				  deadline);

	if (err)
		return err;
	/* chan_get() does that, too late for us. */
	ch->base.conn = conn;
	ch->fast.left = VMFUNC_FAST_NONE;
	bind_view(vmfunc_of(ch));
	*out = &ch->base;
	return 0;
}

static void vmfunc_close(struct chan *base)
{
	unbind(vmfunc_of(kcall_of(base)));
	kcall_chan_close(base);
}

static void vmfunc_abandon(struct chan *base)
{
	/* RELEASE is the end of its view: those are threads'. */
	kcall_abandon(base);
	unbind(vmfunc_of(kcall_of(base)));
}

static int vmfunc_adopt(struct chan *base)
{
	int err = kcall_adopt(base);

	if (!err)
		bind_view(vmfunc_of(kcall_of(base)));
	return err;
}

static void vmfunc_forked(struct skyipc_conn *conn)
{
	/* Their threads forget the rest: vmfunc_thread.c. */
	for (struct chan *c = conn->chans; c; c = c->next) {
		struct vmfunc_chan *ch = vmfunc_of(kcall_of(c));

		count(&ch->kcall);
		ch->kcall.by_view = NULL;
		ch->kcall.fast.page = NULL;
		ch->thread = NULL;
	}
	kcall_forked(conn);
}

static int vmfunc_probe(char *why, size_t size)
{
	int dev = kcall_dev_open(why, size), err;

	if (dev < 0)
		return dev;
	err = vmfunc_map(dev, why, size);
	close(dev);
	if (!err)
		snprintf(why, size, "%s", SKYIPC_DEV);
	return err;
}

const struct transport vmfunc_transport = {
	.name = "vmfunc",
	.probe = vmfunc_probe,
	.serves = vmfunc_serves,
	.admit = kcall_conn_open,
	.chan_made = vmfunc_chan_made,
	.kill = kcall_conn_kill,
	.open = vmfunc_open,
	.close = vmfunc_close,
	.conn_close = kcall_conn_close,
	.abandon = vmfunc_abandon,
	.adopt = vmfunc_adopt,
	.forked = vmfunc_forked,
	.wake = kcall_wake,
	.call = vmfunc_call,
	.call_msg = vmfunc_call_msg,
	.submit = vmfunc_submit,
	.stats = vmfunc_chan_stats,
	.reap = kcall_reap,
	.buffer = kcall_buffer,
};
#endif
