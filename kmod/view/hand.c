// SPDX-License-Identifier: GPL-2.0-only
/*
 * A call that has begun in a view moves to the worker that has lent itself: it goes
 * on from the very instruction where it was parked, in the server's own process.
 *
 * But not in the trampoline, which would switch views that the worker has not: a
 * call that has not come to the handler begins there, and one that has left it is
 * over.
 */
#include <linux/compiler.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <asm/page.h>
#include <asm/tsc.h>
#include <asm/fpu/types.h>

#include "kcall/call.h"
#include "kcall/dispatch.h"
#include "kcall/park.h"
#include "kcall/server.h"
#include "kcall/worker.h"
#include "late.h"
#include "layout.h"
#include "list.h"
#include "tell.h"
#include "thread.h"
#include "vlink.h"

enum where {
	IN_HANDLER,
	BEFORE_IT,	/* the handler has not been reached */
	AFTER_IT,	/* nor is it there any more */
	NESTING,	/* it calls somebody else */
	NEST_BACK,	/* that has come to its end */
	NOWHERE,
};

/* Who comes in: it is the client, as far as this link goes */
static bool shows_key(const struct view_link *link)
{
	return link->park->r11 == view_link_key(link);
}

static enum where where(const struct view_link *link)
{
	const struct sky_park *park = link->park;
	const u64 at = park->ip - VIEW_AT;

	if (at >= PAGE_SIZE)
		return IN_HANDLER;
	if (at >= VIEW_ENTRY && at < VIEW_RETURN)
		return shows_key(link) ? BEFORE_IT :
		       link->children  ? NEST_BACK :
					 NOWHERE;
	if (at >= VIEW_RETURN && at <= GATE_RET_AT - 3)
		return AFTER_IT;
	/* Both go by the call gate: the one to its parent has replied. */
	if (at == GATE_CALL_AT - 3 ||
	    (at >= VIEW_NEST && at < VIEW_NEST_RETURN))
		return view_link_replies(link, park->r8) ? AFTER_IT : NESTING;
	if (at >= VIEW_NEST_RETURN && at < VIEW_NEST_BACK)
		return AFTER_IT;
	if (at >= VIEW_NEST_BACK && at <= VIEW_NEST_TAIL)
		return NEST_BACK;
	return at > VIEW_NEST_TAIL && at < VIEW_NEST_END ? IN_HANDLER : NOWHERE;
}

/* As the worker was when it lent itself, but for the general registers */
static void as_lent(struct sky_park *park, const struct sky_lend *lend)
{
	struct fxregs_state *fx = (void *)park->xsave;
	struct xstate_header *head = (void *)(fx + 1);

	park->sp = lend->sp;
	park->fs_base = lend->fs_base;
	park->gs_base = lend->gs_base;
	park->flags = X86_EFLAGS_IF | X86_EFLAGS_FIXED;
	park->pkru = lend->pkru;
	memset(fx, 0, sizeof(*fx));
	memset(head, 0, sizeof(*head));
	fx->mxcsr = MXCSR_DEFAULT;
}

/* As if VIEW_ENTRY had come to its end */
static void enter(struct sky_park *park, const struct sky_lend *lend)
{
	as_lent(park, lend);
	park->ip = lend->entry;
}

/*
 * The worker goes on with a handler that has made a nested call: @error, or the reply
 * in registers.
 */
static void nest_goes_on(struct view_link *link, int error)
{
	const struct sky_lend *lend = &link->worker->lend;
	struct sky_park *park = link->park;

	as_lent(park, lend);
	park->ip = lend->nest_entry;
	park->dx = lend->nest;
	park->ax = (u64)(s64)error;
}

/* Its handler has made a nested call, as far as the kernel knows. */
static void nest_waits(struct view_link *link)
{
	memset(link->park, 0, sizeof(*link->park));
	nest_goes_on(link, -EINPROGRESS);
}

/* It has not gone anywhere yet: so it has not called. */
static void nest_not(struct view_link *link)
{
	struct sky_park *park = link->park;

	if (park->ip - VIEW_AT > VIEW_NEST_SAVES ||
	    park->ip == VIEW_AT + GATE_CALL_AT - 3) {
		nest_goes_on(link, -EAGAIN);
		return;
	}
	park->ip = VIEW_AT + VIEW_BACK; /* RET */
	park->ax = (u64)(s64)-EAGAIN;
}

static void nest_back(struct view_link *link)
{
	const u64 at = link->park->ip - VIEW_AT;

	nest_goes_on(link, at >= VIEW_NEST_FAILED && at <= VIEW_NEST_TAIL ?
		     (int)link->park->r8 : 0);
}

/* The message's registers: layout.h */
static void get_reply(struct skyipc_dev_msg *reply, const struct sky_park *park)
{
	memset(reply, 0, sizeof(*reply));
	reply->status = (s32)park->di;
	reply->words[0] = park->r9;
	reply->words[1] = park->r10;
	reply->words[2] = park->r12;
	reply->words[3] = park->r13;
	reply->words[4] = park->r14;
	reply->words[5] = park->r15;
	reply->ext[0] = park->bx;
	reply->ext[1] = park->bp;
}

/* Why is what is parked not resumed? */
static unsigned int why(const struct view_link *link)
{
	/* Nobody has tried to. */
	if (link->cause != VIEW_BY_INTERRUPT)
		return link->cause;
	if (READ_ONCE(link->ending) || READ_ONCE(link->dying) ||
	    sky_server_is_dead(link->server))
		return VIEW_MOVED_GONE;
	if (rdtsc() >= link->expires)
		return VIEW_MOVED_DEADLINE;
	if (view_is_late(link))
		return VIEW_MOVED_LATE;
	if (READ_ONCE(link->thread->barred))
		return VIEW_MOVED_BARRED;
	return VIEW_BY_INTERRUPT;
}

static void count(u64 *counter)
{
	WRITE_ONCE(*counter, *counter + 1);
}

static void give(struct view_link *link, struct sky_call *call)
{
	struct sky_worker *worker = link->worker;
	u64 token;

	call->op = 0;
	call->cookie = call->link->cookie;
	call->replied = 0;
	call->park = NULL;
	call->has_data = false;
	token = sky_start_taken(call);
	/* Neither uses his own now: it waits, and nothing is parked. */
	swap(worker->park, link->park);
	sky_lend_give(worker, token);
	/* It is busy by now: pairs with view_link_is_free(). */
	smp_store_release(&link->handing, false);
}

/* What was parked is given, and counted: each that is parked has one end. */
static void move(struct view_link *link, struct sky_call *call)
{
	const unsigned int because = why(link);

	count(&link->counts.moved[because]);
	view_tell_moved(link, because);
	give(link, call);
}

static int leave(struct view_link *link, int result)
{
	count(&link->counts.finished);
	view_tell_finished(link, result);
	/* Pairs with view_link_is_free(). */
	smp_store_release(&link->state, VIEW_FREE);
	/* Likewise */
	smp_store_release(&link->handing, false);
	return result;
}

/* As it was: it may be resumed, or handed over later. */
static int back(struct view_link *link, int error)
{
	/* Pairs with who resumes it, and with view_link_is_free(). */
	smp_store_release(&link->state, VIEW_PARKED);
	/* Likewise */
	smp_store_release(&link->handing, false);
	return error;
}

static bool is_handed(struct view_link *link, enum view_state from)
{
	/* Pairs with park() and with who resumes it. */
	return cmpxchg(&link->state, from, VIEW_HANDED) == from;
}

/*
 * One that waits for a nested call. If that was not parked, its server may have gone
 * home in place of its client, who says so by @asked, or does not come back.
 */
static bool nest_is_handed(struct view_link *link, bool asked)
{
	/* Nobody is in its view, nor will be. */
	const bool ends = READ_ONCE(link->ending) || READ_ONCE(link->dying) ||
			  READ_ONCE(link->recalled);
	const struct view_link *parent = READ_ONCE(link->parent);

	if (is_handed(link, VIEW_NESTED))
		return true;
	/* A worker that asks for it while its own handler is in a view has not called. */
	if (!link->children || !(asked || ends) ||
	    (!ends && parent && READ_ONCE(parent->state) != VIEW_HANDED) ||
	    cmpxchg(&link->state, VIEW_FREE, VIEW_NESTED) != VIEW_FREE)
		return false;
	/*
	 * A client's thread that asks is at home. But if it is a worker, the thread may
	 * be in this view, as somebody has told it the key: then this parks what it is
	 * in, and from here on it does not get there.
	 */
	if (!ends && current != link->thread->task)
		on_each_cpu_cond(view_runs_on, view_look_again, NULL, true);
	return is_handed(link, VIEW_NESTED);
}

/* Is its client, a handler, still where its worker is not? */
static bool parent_waits(const struct view_link *link)
{
	/* Pairs with view_park(). */
	const u32 state = smp_load_acquire(&link->state);

	return link->parent &&
	       (state == VIEW_NESTED ||
		(state == VIEW_PARKED && link->nests)) &&
	       READ_ONCE(link->parent->state) != VIEW_HANDED;
}

/* @reply: NULL if only a handler that is half-way is to go on */
static int hand_over(struct view_link *link, struct sky_call *call,
		     struct skyipc_dev_msg *reply)
{
	/* From the top: its client has to be at home, in its worker. */
	if (parent_waits(link))
		return -ENOENT;
	/* Before it is HANDED: pairs with view_link_is_free(). */
	WRITE_ONCE(link->handing, true);
	if (nest_is_handed(link, reply)) {
		nest_waits(link);
		give(link, call);
		return 0;
	}
	/* It may be parked since just now, and somebody wait for it. */
	if (parent_waits(link) || !is_handed(link, VIEW_PARKED)) {
		WRITE_ONCE(link->handing, false);
		return -ENOENT;
	}
	switch (where(link)) {
	case BEFORE_IT:
		if (!reply)
			return back(link, -EAGAIN);
		enter(link->park, &link->worker->lend);
		break;
	case AFTER_IT:
		if (!reply)
			return back(link, -EAGAIN);
		get_reply(reply, link->park);
		return leave(link, 1);
	case NESTING:
		nest_not(link);
		break;
	case NEST_BACK:
		nest_back(link);
		break;
	case NOWHERE:
		return leave(link, -EPROTO);
	case IN_HANDLER:
		break;
	}
	move(link, call);
	return 0;
}

int view_link_hand_over(struct view_link *link, struct sky_call **call,
			struct skyipc_dev_msg *reply)
{
	int error = 0;

	mutex_lock(&link->thread->hand);
	if (link->is_late) {
		link->is_late = false;
		swap(link->late, *call);
	} else {
		error = hand_over(link, *call, reply);
	}
	mutex_unlock(&link->thread->hand);
	return error;
}

static int hand_late(struct view_link *link)
{
	int error = 0;

	if (!link->is_late) {
		error = hand_over(link, link->late, NULL);
		link->is_late = !error;
	}
	return error;
}

/* The topmost that waits for @link, or that itself */
static struct view_link *topmost(struct view_link *link)
{
	while (parent_waits(link))
		link = link->parent;
	return link;
}

int view_link_hand_late(struct view_link *link)
{
	struct view_link *top;

	/* No recursion: a chain may be as long as there are slots. */
	while ((top = topmost(link)) != link)
		if (hand_late(top) || READ_ONCE(top->state) != VIEW_HANDED)
			return -ENOENT;
	return hand_late(link);
}

u64 view_link_until(const struct view_link *link)
{
	const u64 now = rdtsc();

	if (link->expires == U64_MAX)
		return U64_MAX;
	return ktime_get_ns() + (link->expires <= now ? 0 :
		mul_u64_u32_div(link->expires - now, USEC_PER_SEC, tsc_khz));
}

/* With its thread's lock held, by the CPU where that runs, or before it does */
bool view_link_is_free(struct view_link *link)
{
	/* Before the others: pairs with hand_over() and leave(). */
	const u32 state = smp_load_acquire(&link->state);
	const struct sky_lend *lend = &link->worker->lend;

	/* Its client has not heard of the late one: no other is to be late. */
	if (state == VIEW_PARKED || READ_ONCE(link->is_late) ||
	    READ_ONCE(link->dying) || READ_ONCE(link->ending) ||
	    READ_ONCE(link->recalled) ||
	    READ_ONCE(lend->gone) || sky_server_is_dead(link->server))
		return false;
	/* HANDED since then or before: till the worker is busy. Pairs with give(). */
	if (smp_load_acquire(&link->handing))
		return false;
	/* Its stack is free: pairs with sky_lend_wait(). */
	if (smp_load_acquire(&lend->busy))
		return false;
	if (state == VIEW_HANDED)
		cmpxchg(&link->state, VIEW_HANDED, VIEW_FREE);
	return READ_ONCE(link->state) == VIEW_FREE;
}

bool view_link_changed(struct view_link *link)
{
	/* Pairs with view_target_changed(). */
	const u64 now = atomic64_read(&link->server->target.changes);
	const bool changed = link->changes != now;

	link->changes = now;
	return changed;
}
