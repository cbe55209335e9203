// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "args.h"
#include "call.h"
#include "conn.h"
#include "copy.h"
#include "dispatch.h"
#include "handover.h"
#include "hot.h"
#include "link.h"
#include "serve.h"
#include "server.h"
#include "sleep.h"
#include "worker.h"

/* What the client gets. @worker: waits from now on; NULL: nobody does */
static __sky_hot int reply(struct sky_server *server, struct sky_worker *worker,
			   const struct skyipc_dev_serve *s)
{
	const bool in_place = s->flags & SKYIPC_SERVE_IN_PLACE;
	const u64 len = s->flags & SKYIPC_SERVE_LONG ? s->msg.len : 0;
	struct sky_call *call;
	int error;

	error = in_place || !len ? 0 :
		sky_copy_out(server, s->token, u64_to_user_ptr(s->msg.data),
			     len);
	if (error)
		return error;
	call = sky_hold(server, s->token);
	if (!call)
		return -ESTALE;
	if (in_place && len > call->out.len) {
		sky_unhold(call);
		return -EMSGSIZE;
	}
	call->op = 0;
	call->status = s->msg.status;
	memcpy(call->words, s->msg.words, sizeof(call->words));
	memcpy(call->ext, s->msg.ext, sizeof(call->ext));
	call->replied = len;
	/* Its client may call again before we sleep. */
	if (worker)
		sky_wait_begin(worker);
	sky_finish(call, worker);
	return 0;
}

/* Until there is something to do. 0, or why not */
static __sky_hot int sleep(struct sky_worker *worker, u64 deadline)
{
	int error = 0;

	/* set_current_state() is the barrier: pairs with ring(). */
	WRITE_ONCE(worker->bell.listens, deadline);
	for (;;) {
		set_current_state(error ? TASK_UNINTERRUPTIBLE : SKY_SLEEPING);
		if (sky_given(worker))
			break;
		if (error) {
			/* It is being given just now, or never. */
			if (sky_wait_cancel(worker))
				break;
			schedule();
			continue;
		}
		if (sky_server_is_dead(worker->server) ||
		    READ_ONCE(worker->lend.over))
			error = -EPIPE;
		else if (deadline && READ_ONCE(worker->bell.rung))
			error = -EAGAIN;
		else if (signal_pending(current))
			error = -EINTR;
		else
			error = sky_sleep(deadline);
		/* As it usually is; its state is what it should be. */
		if (sky_given(worker))
			break;
	}
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(worker->bell.listens, false);
	if (sky_given(worker))
		return 0;
	/*
	 * Whoever has rung, and seen its bit, has told nobody else. (Its bit is
	 * 0 by now, after a barrier: later ones see that.)
	 */
	if (deadline && error != -EPIPE && READ_ONCE(worker->bell.rung))
		return -EAGAIN;
	return error;
}

/* Heard: what rings from now on, rings anew. */
static int hear(struct sky_worker *worker)
{
	/* Before whatever is looked at then: pairs with ring(). */
	smp_store_mb(worker->bell.rung, false);
	return -EAGAIN;
}

/* HELD: its connection, or that which it was forwarded over */
static bool is_dead(const struct sky_call *call)
{
	return sky_link_is_dead(call->link) ||
	       (call->conn && sky_conn_is_dead(call->conn));
}

/* A call, HELD */
static __sky_hot struct sky_call *next(struct sky_worker *worker, bool waiting,
				       u64 deadline)
{
	struct sky_call *call;
	int error;

	for (;; waiting = false) {
		if (!waiting) {
			/* However many calls there are. */
			if (deadline && READ_ONCE(worker->bell.rung))
				return ERR_PTR(hear(worker));
			sky_wait_begin(worker);
		}
		/* One that is pending, and nobody has thought of us? */
		if (!sky_is_pending(worker->server) || !sky_wait_cancel(worker)) {
			error = sleep(worker, deadline);
			if (error == -EAGAIN)
				error = hear(worker);
			if (error)
				return ERR_PTR(error);
		}
		call = sky_wait_end(worker);
		if (call && is_dead(call)) {
			call->op = call->conn ? ECONNRESET : EPIPE;
			call->replied = 0;
			sky_finish(call, false);
			call = NULL;
		}
		if (call)
			return call;
		if (sky_server_is_dead(worker->server))
			return ERR_PTR(-EPIPE);
	}
}

/* What the handler gets to know; TAKEN from here on. Is it parked? */
static __sky_hot bool take(struct sky_worker *worker, struct sky_call *call,
			   struct skyipc_dev_serve *s)
{
	const u64 word = atomic64_read(&call->word);
	const bool parked = call->park;
	struct sky_priority client;

	if (worker->inherit.on)
		sky_priority_of(&client, READ_ONCE(call->link->client));
	s->flags = SKYIPC_SERVE_WAIT;
	if (word & SKY_CANCELLED)
		s->flags |= SKYIPC_SERVE_CANCELLED;
	if (call->has_data && ((call->in.len && call->in.granted) ||
			       (call->out.len && call->out.granted)))
		s->flags |= SKYIPC_SERVE_GRANT;
	s->token = sky_token(call, word);
	s->cookie = call->cookie;
	s->msg.op = call->op;
	memcpy(s->msg.words, call->words, sizeof(s->msg.words));
	memcpy(s->msg.ext, call->ext, sizeof(s->msg.ext));
	s->msg.len = call->has_data ? call->in.len : 0;
	sky_unhold(call);
	if (worker->inherit.on)
		sky_inherit(worker, &client);
	return parked;
}

/*
 * A long message goes along if it fits; if it can't be written there, the
 * handler will see that when it reads.
 */
static int take_data(struct sky_server *server, struct skyipc_dev_serve *s)
{
	long copied;

	if (!s->msg.len)
		return 0;
	s->flags |= SKYIPC_SERVE_DATA;
	/* Who may map it does not want it copied. */
	if (s->flags & SKYIPC_SERVE_GRANT) {
		s->flags |= SKYIPC_SERVE_MORE;
		return 0;
	}
	copied = s->msg.len > s->buf_size ? -EMSGSIZE :
		sky_copy_in(server, s->token, 0, u64_to_user_ptr(s->buf),
			    s->msg.len);
	if (copied == -ESTALE)
		return -ESTALE;
	if (copied < 0)
		s->flags |= SKYIPC_SERVE_MORE;
	return 0;
}

static __sky_hot int get_serve(struct skyipc_dev_serve *s,
			       const struct skyipc_dev_serve __user *user)
{
	int error = sky_args(s, user, sizeof(*s));

	if (error)
		return error;
	if (s->flags & ~(u32)(SKYIPC_SERVE_REPLY | SKYIPC_SERVE_WAIT |
			      SKYIPC_SERVE_LONG | SKYIPC_SERVE_IN_PLACE))
		return -EINVAL;
	return 0;
}

int sky_reply(struct sky_server *server, struct skyipc_dev_serve __user *user)
{
	struct skyipc_dev_serve s;
	int error = get_serve(&s, user);

	if (error)
		return error;
	if (s.flags & SKYIPC_SERVE_WAIT)
		return -EINVAL;
	return reply(server, NULL, &s);
}

/* A call that goes on here, as @worker has lent itself. 0, or why not */
static int serve_lent(struct sky_worker *worker, struct skyipc_dev_serve *s,
		      struct skyipc_dev_serve __user *user, bool waiting)
{
	int error;

	if (!waiting)
		sky_wait_begin(worker);
	error = sky_lend_check();
	if (error)
		return error;
	error = sleep(worker, sky_host_time(s->deadline));
	if (error == -EAGAIN)
		return hear(worker);
	if (error)
		return error;
	worker->token = worker->lend.token;
	worker->lend.token = 0;
	s->flags = SKYIPC_SERVE_WAIT;
	s->token = worker->token;
	if (sky_put_words(user, s, sizeof(*s))) {
		sky_call_fail(worker->server, worker->token, ECONNRESET);
		return -EFAULT;
	}
	worker->goes_on = true;
	worker->tries = 0;
	return sky_go_on(worker);
}

/* A call, into @user's block. 0, or why not */
static __sky_hot int serve_next(struct sky_worker *worker, struct skyipc_dev_serve *s,
				struct skyipc_dev_serve __user *user, bool waiting)
{
	struct sky_call *call;
	bool parked;
	int error;

	if (worker->lend.lent)
		return serve_lent(worker, s, user, waiting);
	for (;; waiting = false) {
		call = next(worker, waiting, sky_host_time(s->deadline));
		if (IS_ERR(call)) {
			sky_inherit_end(worker);
			return PTR_ERR(call);
		}
		parked = take(worker, call, s);
		worker->token = s->token;
		if (READ_ONCE(worker->bell.rung))
			sky_bell_pass(worker);
		/* What it goes on with is none of the block's business. */
		if (parked)
			s->flags = SKYIPC_SERVE_WAIT;
		error = parked ? 0 : take_data(worker->server, s);
		if (!error && sky_put_words(user, s, sizeof(*s)))
			error = -EFAULT;
		if (!error && parked)
			error = sky_hand_over(worker, s->token);
		if (!error)
			return 0;
		if (error == -ESTALE)
			continue;
		sky_call_fail(worker->server, s->token, ECONNRESET);
		return error;
	}
}

__sky_hot int sky_serve(struct sky_worker *worker, struct skyipc_dev_serve __user *user)
{
	struct skyipc_dev_serve s __uninitialized;
	bool waiting = false;
	int error;
	u32 flags;

	error = get_serve(&s, user);
	if (error)
		return error;
	flags = s.flags;
	if (!s.token)
		s.token = worker->token;
	if (flags & SKYIPC_SERVE_REPLY) {
		waiting = flags & SKYIPC_SERVE_WAIT && !worker->goes_on &&
			  !READ_ONCE(worker->bell.rung);
		error = reply(worker->server, waiting ? worker : NULL, &s);
		if (error)
			goto said;
	}
	if (!(flags & SKYIPC_SERVE_WAIT))
		goto said;
	if (sky_goes_on(worker)) {
		error = sky_go_on(worker);
		/* It may come back with this block. */
		goto said;
	}
	error = serve_next(worker, &s, user, waiting);
	if (!error)
		return 0;
said:
	/* Whatever has come, the same is not to be said again. */
	if (flags & SKYIPC_SERVE_REPLY &&
	    put_user(flags & SKYIPC_SERVE_WAIT, &user->flags))
		return -EFAULT;
	return error;
}

long sky_read(struct sky_server *server, struct skyipc_dev_read __user *user)
{
	struct skyipc_dev_read r;
	int error = sky_args(&r, user, sizeof(r));

	if (error)
		return error;
	if (r.flags)
		return -EINVAL;
	return sky_copy_in(server, r.token, r.offset, u64_to_user_ptr(r.buf),
			   r.len);
}
