// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "args.h"
#include "call.h"
#include "conn.h"
#include "dispatch.h"
#include "forward.h"
#include "hot.h"
#include "link.h"
#include "link_call.h"
#include "park.h"
#include "server.h"
#include "sleep.h"
#include "view/list.h"
#include "view/vlink.h"

/* Its message is @c's; it is FREE. */
static __sky_hot int fill(struct sky_link *link, struct sky_call *call,
			  const struct skyipc_dev_call *c)
{
	const bool granted = c->flags & SKYIPC_CALL_GRANT;
	int error;

	call->op = c->msg.op;
	memcpy(call->words, c->msg.words, sizeof(call->words));
	memcpy(call->ext, c->msg.ext, sizeof(call->ext));
	call->cookie = link->cookie;
	call->tag = c->tag;
	call->replied = 0;
	call->park = NULL;
	call->aside = false;
	call->has_data = c->flags & SKYIPC_CALL_LONG;
	if (!call->has_data)
		return 0;
	error = sky_data_pin(&call->in, link->user, c->msg.data, c->msg.len,
			     false, granted);
	if (error)
		return error;
	error = sky_data_pin(&call->out, link->user, c->reply, c->reply_size,
			     true, granted);
	if (error)
		sky_data_unpin(&call->in, link->user);
	return error;
}

/* The server has nothing to do with its pages any more. */
static void unpin(struct sky_link *link, struct sky_call *call)
{
	sky_data_unpin(&call->in, link->user);
	sky_data_unpin(&call->out, link->user);
}

enum sky_state sky_link_drop(struct sky_link *link, struct sky_call **at)
{
	struct sky_call *call = *at;
	struct sky_left left;
	enum sky_state state = sky_call_drop(call, &left);

	if (state == SKY_DONE)
		return state;
	if (state != SKY_TAKEN) {
		unpin(link, call);
		return state;
	}
	*at = NULL;
	sky_data_unpin(&left.in, link->user);
	sky_data_unpin(&left.out, link->user);
	/* Pairs with the barrier in sky_server_die(). */
	smp_mb();
	/* It is LEFT, or freed: there is nothing to be held, but to bury. */
	if (sky_server_is_dead(left.server))
		sky_hold(left.server, left.token);
	sky_server_put(left.server);
	return state;
}

__sky_hot void sky_link_collect(struct sky_link *link, struct sky_call *call)
{
	u64 word = atomic64_read(&call->word);

	if (call->has_data)
		unpin(link, call);
	if (call->conn)
		sky_call_home(call);
	sky_step(call, &word, SKY_FREE);
}

/* DONE to FREE: what the server has said */
static __sky_hot int collect(struct sky_link *link, struct sky_call *call,
			     struct skyipc_dev_call *c)
{
	int error = -(int)call->op;

	/* What servers have told each other is not the client's. */
	if (error) {
		call->status = 0;
		memset(call->words, 0, sizeof(call->words));
		memset(call->ext, 0, sizeof(call->ext));
	}
	c->tag = call->tag;
	c->msg.op = 0;
	c->msg.status = call->status;
	memcpy(c->msg.ext, call->ext, sizeof(c->msg.ext));
	c->msg.len = call->replied;
	memcpy(c->msg.words, call->words, sizeof(c->msg.words));
	sky_link_collect(link, call);
	return error;
}

static bool is_done(const struct sky_call *call)
{
	/* Pairs with sky_finish(). */
	return sky_state_of(atomic64_read_acquire(&call->word)) == SKY_DONE;
}

/*
 * The call of CALL becomes one of those that are reaped, and one that is free
 * takes its place. False: it is DONE by now.
 */
static bool keep(struct sky_link *link, struct sky_call *spare)
{
	struct sky_call *call = link->call;
	unsigned int i = 0;

	if (!sky_call_keep(call))
		return false;
	while (link->submits[i] != spare)
		i++;
	link->submits[i] = call;
	list_del_init(&spare->node);
	link->call = spare;
	link->outstanding++;
	return true;
}

/*
 * It is not DONE, and @why it can't be waited for any longer. 0: it is, by now
 */
static int give_up(struct sky_link *link, int why, bool kept)
{
	struct sky_call *call = link->call;
	struct sky_call *spare;

	if (why == -EINPROGRESS) {
		link->resumable = true;
		return why;
	}
	if (why == -EINTR) {
		if (!kept && sky_call_withdraw(call)) {
			unpin(link, call);
			return -EINTR;
		}
		/* Nobody is there to resume if the thread is killed. */
		if (!fatal_signal_pending(current)) {
			link->resumable = true;
			return -EINPROGRESS;
		}
	}
	spare = list_first_entry_or_null(&link->free, struct sky_call, node);
	if (why == -ETIMEDOUT && kept && spare)
		return keep(link, spare) ? why : 0;
	switch (sky_link_drop(link, &link->call)) {
	case SKY_DONE:
		return 0;
	case SKY_FREE:
	case SKY_TAKEN:
		return why == -EPIPE ? -ECONNRESET : why;
	default:
		return why;
	}
}

static __sky_hot int wait(struct sky_link *link, const struct skyipc_dev_call *c)
{
	struct sky_call *call = link->call;
	const bool in_parts = c->patience && c->patience < c->deadline;
	const u64 until = sky_host_time(in_parts ? c->patience : c->deadline);
	int error = 0;

	sky_alarm_begin(&link->alarm);
	for (;;) {
		set_current_state(SKY_SLEEPING);
		if (is_done(call))
			break;
		if (!error && sky_link_is_dead(link))
			error = -EPIPE;
		if (!error && signal_pending(current))
			error = -EINTR;
		if (error) {
			__set_current_state(TASK_RUNNING);
			sky_alarm_end(&link->alarm);
			return give_up(link, error,
				       c->flags & SKYIPC_CALL_KEEP);
		}
		error = sky_alarm_sleep(&link->alarm, until);
		/* As it usually is; and its state is what it should be. */
		if (!error && is_done(call))
			goto done;
		if (error && in_parts)
			error = -EINPROGRESS;
	}
	__set_current_state(TASK_RUNNING);
done:
	sky_alarm_end(&link->alarm);
	return 0;
}

static __sky_hot int get_call(struct skyipc_dev_call *c,
			      const struct skyipc_dev_call __user *user)
{
	int error = sky_args(c, user, sizeof(*c));

	if (error)
		return error;
	if (c->flags & ~(u32)(SKYIPC_CALL_LONG | SKYIPC_CALL_RESUME |
			      SKYIPC_CALL_KEEP | SKYIPC_CALL_GRANT))
		return -EINVAL;
	return 0;
}

/* The reply's part of it; what older programs don't know is not there. */
static __sky_hot int put_call(const struct skyipc_dev_call *c,
			      struct skyipc_dev_call __user *user)
{
	enum {
		begin = offsetof(struct skyipc_dev_call, tag),
		end = offsetofend(struct skyipc_dev_call, msg.len),
	};

	static_assert(begin % 8 == 0 && (end - begin) % 8 == 0);
	return sky_put_words((void __user *)user + begin, (void *)c + begin,
			     end - begin);
}

/*
 * What has begun in a view is the worker's from here on, and becomes this link's
 * call. 0: it can be resumed; 1: it was over, and @c is the reply; or -errno
 */
static int hand_over(struct sky_link *link, struct skyipc_dev_call *c)
{
	int error;

	if (c->flags & SKYIPC_CALL_LONG)
		return -EINVAL;
	if (!link->call) {
		error = sky_call_new(link, &link->call);
		if (error)
			return error;
	}
	error = view_link_hand_over(link->view, &link->call, &c->msg);
	link->resumable = !error;
	if (!error)
		link->call->tag = c->tag;
	link->view_until = sky_own_time(view_link_until(link->view));
	if (error)
		view_thread_refresh();
	return error;
}

/* @park: NULL, or where it goes on */
static __sky_hot int make_call(struct sky_link *link,
			       struct skyipc_dev_call __user *user,
			       struct sky_park *park)
{
	struct skyipc_dev_call c __uninitialized;
	int error;

	error = get_call(&c, user);
	if (error)
		return error;
	if (link->view && !link->resumable && c.flags & SKYIPC_CALL_RESUME) {
		error = hand_over(link, &c);
		if (error)
			return error < 0 ? error : put_call(&c, user);
	}
	/* Whose handler of that signal calls again has to wait. */
	if (link->resumable != !!(c.flags & SKYIPC_CALL_RESUME))
		return link->resumable ? -EBUSY : -ENOENT;
	if (!link->resumable) {
		if (sky_link_is_dead(link))
			return -EPIPE;
		/* One that was left behind is the server's. */
		if (!link->call)
			error = sky_call_new(link, &link->call);
		if (!error)
			error = fill(link, link->call, &c);
		if (error)
			return error;
		link->view_until = SKYIPC_DEV_FOREVER;
		link->call->park = park;
		sky_start(link->call, false);
	} else if (link->view) {
		/* It has begun before its client has said this. */
		c.deadline = min(c.deadline, link->view_until);
	}
	link->resumable = false;
	error = wait(link, &c);
	if (error)
		return error;
	error = collect(link, link->call, &c);
	if (link->view)
		view_thread_refresh();
	return error ?: put_call(&c, user);
}

__sky_hot int sky_link_call(struct sky_link *link, struct skyipc_dev_call __user *user)
{
	return make_call(link, user, NULL);
}

bool sky_link_may_park;

int sky_link_park(struct sky_link *link, struct skyipc_dev_park __user *user)
{
	u64 call;
	int error;

	if (!READ_ONCE(sky_link_may_park))
		return -EPERM;
	if (!link->resumable) {
		/* One that is kept may still have to go on from there. */
		if (link->outstanding)
			return -EBUSY;
		if (!link->park)
			link->park = sky_park_new();
		if (!link->park)
			return -ENOMEM;
		error = sky_park_get(link->park, user);
		if (error)
			return error;
	}
	if (get_user(call, &user->call))
		return -EFAULT;
	return make_call(link, u64_to_user_ptr(call), link->park);
}

int sky_link_submit(struct sky_link *link, struct skyipc_dev_call __user *user)
{
	struct skyipc_dev_call c;
	struct sky_call *call;
	int error;

	error = get_call(&c, user);
	if (error)
		return error;
	if (c.flags & (SKYIPC_CALL_RESUME | SKYIPC_CALL_KEEP))
		return -EINVAL;
	if (sky_link_is_dead(link))
		return -EPIPE;
	call = list_first_entry_or_null(&link->free, struct sky_call, node);
	if (!call)
		return -EAGAIN;
	error = fill(link, call, &c);
	if (error)
		return error;
	list_del_init(&call->node);
	link->outstanding++;
	sky_start(call, true);
	return 0;
}

static struct sky_call *first_done(struct sky_link *link)
{
	struct sky_call *call;

	spin_lock(&link->lock);
	call = list_first_entry_or_null(&link->done, struct sky_call, node);
	if (call)
		list_del_init(&call->node);
	spin_unlock(&link->lock);
	return call;
}

static int wait_done(struct sky_link *link, u64 deadline)
{
	DEFINE_WAIT(entry);
	int error = 0;

	for (;;) {
		prepare_to_wait(&link->poll, &entry, SKY_SLEEPING);
		if (!list_empty_careful(&link->done) || error)
			break;
		if (sky_link_is_dead(link))
			error = -ECONNRESET;
		else if (signal_pending(current))
			error = -EINTR;
		else
			error = sky_sleep(deadline);
	}
	finish_wait(&link->poll, &entry);
	return list_empty_careful(&link->done) ? error : 0;
}

int sky_link_reap(struct sky_link *link, struct skyipc_dev_call __user *user)
{
	struct skyipc_dev_call c;
	struct sky_call *call;
	int error;

	error = get_call(&c, user);
	if (error)
		return error;
	if (link->outstanding == 0)
		return -ENOENT;
	error = wait_done(link, sky_host_time(c.deadline));
	if (error)
		return error;
	call = first_done(link);
	link->outstanding--;
	c.flags = 0;
	error = collect(link, call, &c);
	list_add(&call->node, &link->free);
	return put_call(&c, user) ?: error;
}
