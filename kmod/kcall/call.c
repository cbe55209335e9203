// SPDX-License-Identifier: GPL-2.0-only
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "call.h"
#include "dispatch.h"
#include "find.h"
#include "forward.h"
#include "hot.h"
#include "link.h"
#include "server.h"
#include "trace_kcall.h"
#include "user.h"
#include "wake.h"

void sky_call_trace(u32 id, u64 word)
{
	trace_skyipc_call(id, word);
}

int sky_call_new(struct sky_link *link, struct sky_call **made)
{
	struct sky_server *server = link->server;
	struct sky_call *call;
	int error;

	error = sky_user_charge(link->user, SKY_CALLS, 1);
	if (error)
		return error;
	call = kzalloc(sizeof(*call), GFP_KERNEL_ACCOUNT);
	error = -ENOMEM;
	if (!call)
		goto uncharge;
	INIT_LIST_HEAD(&call->node);
	INIT_LIST_HEAD(&call->queued);
	/* Ids are used again: no token should be, even of a confused server. */
	atomic64_set(&call->word, (u64)get_random_u32() <<
		     SKY_GENERATION_SHIFT);
	error = xa_alloc(&server->calls, &call->id, call, XA_LIMIT(1, U32_MAX),
			 GFP_KERNEL_ACCOUNT);
	if (error)
		goto free;
	call->link = link;
	call->server = server;
	call->home = server;
	call->home_id = call->id;
	sky_set_call(server, call->id, call);
	sky_server_get(server);
	call->user = sky_user_ref(link->user);
	*made = call;
	return 0;
free:
	kfree(call);
uncharge:
	sky_user_uncharge(link->user, SKY_CALLS, 1);
	return error;
}

void sky_call_free(struct sky_call *call)
{
	sky_call_home(call);
	sky_set_call(call->home, call->id, NULL);
	xa_erase(&call->home->calls, call->id);
	sky_user_uncharge(call->user, SKY_CALLS, 1);
	sky_user_put(call->user);
	sky_server_put(call->home);
	kfree_rcu(call, rcu);
}

bool sky_call_withdraw(struct sky_call *call)
{
	u64 word = atomic64_read(&call->word);

	if (sky_state_of(word) == SKY_QUEUED && sky_unqueue(call))
		return true;
	word = atomic64_read(&call->word);
	while (sky_state_of(word) == SKY_POSTED && !(word & SKY_FORWARDED))
		if (sky_step(call, &word, SKY_FREE)) {
			sky_unpend(call);
			sky_next(call->link, call);
			return true;
		}
	return false;
}

/*
 * Its link remembers it, so as to say when it ends. Who buries it takes the
 * link's lock before it frees it: what is the client's is taken out before.
 */
static bool leave(struct sky_call *call, u64 *word, struct sky_left *l)
{
	struct sky_link *link = call->link;
	bool left;

	spin_lock(&link->lock);
	left = sky_step(call, word, SKY_LEFT);
	if (left) {
		list_add(&call->queued, &link->left);
		l->server = call->server;
		sky_server_get(l->server);
		l->token = sky_token(call, *word);
		sky_data_move(&l->in, &call->in);
		sky_data_move(&l->out, &call->out);
	}
	spin_unlock(&link->lock);
	return left;
}

/* Its second server has not seen it, and will not. */
static bool withdraw_forwarded(struct sky_call *call, u64 *word)
{
	if (!sky_step(call, word, SKY_FREE))
		return false;
	sky_unpend(call);
	sky_call_home(call);
	sky_next(call->link, call);
	return true;
}

enum sky_state sky_call_drop(struct sky_call *call, struct sky_left *left)
{
	u64 word = atomic64_read(&call->word);
	enum sky_state state;

	for (;;) {
		state = sky_state_of(word);
		switch (state) {
		case SKY_QUEUED:
		case SKY_POSTED:
			if (sky_call_withdraw(call))
				return SKY_POSTED;
			if (state == SKY_POSTED && word & SKY_FORWARDED &&
			    withdraw_forwarded(call, &word))
				return SKY_FREE;
			word = atomic64_read(&call->word);
			continue;
		case SKY_TAKEN:
			if (!leave(call, &word, left))
				continue;
			break;
		case SKY_HELD:
			cpu_relax();
			word = atomic64_read(&call->word);
			continue;
		default:
			break;
		}
		return state;
	}
}

/* False: it is HELD just now. */
static bool keep(struct sky_call *call, bool *kept)
{
	u64 word = atomic64_read(&call->word), bits;

	for (;;) {
		bits = SKY_SUBMITTED;
		switch (sky_state_of(word)) {
		case SKY_HELD:
			return false;
		case SKY_DONE:
			*kept = false;
			return true;
		case SKY_QUEUED:
		case SKY_POSTED:
			bits |= SKY_CANCELLED;
			break;
		default:
			break;
		}
		if (atomic64_try_cmpxchg(&call->word, (s64 *)&word,
					 word | bits)) {
			*kept = true;
			return true;
		}
	}
}

bool sky_call_keep(struct sky_call *call)
{
	struct sky_link *link = call->link;
	bool kept, said;

	for (;;) {
		/* Under it, QUEUED calls are theirs who have it. */
		spin_lock(&link->lock);
		said = keep(call, &kept);
		spin_unlock(&link->lock);
		if (said)
			return kept;
		/* Who holds it may want the lock. */
		cpu_relax();
	}
}

void sky_call_bury(struct sky_call *call)
{
	u64 word = atomic64_read(&call->word);
	struct sky_link *link;

	if (sky_state_of(word) != SKY_LEFT || !sky_step(call, &word, SKY_FREE))
		return;
	/* The link may end just now, but is there for a grace period. */
	link = READ_ONCE(call->link);
	if (link) {
		spin_lock(&link->lock);
		list_del_init(&call->queued);
		spin_unlock(&link->lock);
		sky_next(link, call);
	}
	sky_call_free(call);
}

__sky_hot struct sky_call *sky_hold(struct sky_server *server, u64 token)
{
	struct sky_call *call;
	u64 word;

	/* A grace period does not end before preempt_enable(). */
	preempt_disable();
	call = sky_find_call(server, token);
	if (!call)
		goto none;
	/*
	 * Before the rest: the step has to find it unchanged. What was found here
	 * may have been forwarded, or come home, since.
	 */
	word = atomic64_read_acquire(&call->word);
	while (READ_ONCE(call->server) == server &&
	       sky_token(call, word) == token) {
		switch (sky_state_of(word)) {
		case SKY_TAKEN:
			if (sky_step(call, &word, SKY_HELD))
				return call;
			continue;
		case SKY_HELD:	/* another thread is at it */
			cpu_relax();
			word = atomic64_read_acquire(&call->word);
			continue;
		case SKY_LEFT:
			sky_call_bury(call);
			goto none;
		default:
			goto none;
		}
	}
none:
	preempt_enable();
	return NULL;
}

__sky_hot void sky_finish(struct sky_call *call, bool leaving)
{
	struct sky_link *link = call->link;
	struct task_struct *client = READ_ONCE(link->client);
	u64 word = atomic64_read(&call->word);

	/*
	 * From DONE on the client may free call and link and end, or give the
	 * link to another thread. All three stay for a grace period.
	 */
	if (word & SKY_SUBMITTED) {
		spin_lock(&link->lock);
		list_add_tail(&call->node, &link->done);
		sky_step(call, &word, SKY_DONE);
		spin_unlock(&link->lock);
		sky_next(link, call);
		wake_up_interruptible(&link->poll);
	} else {
		/* Nothing is behind it, and its client may call again. */
		sky_next(link, call);
		sky_step(call, &word, SKY_DONE);
		sky_wake(client, leaving);
	}
	preempt_enable();
}

void sky_call_fail(struct sky_server *server, u64 token, u32 error)
{
	struct sky_call *call = sky_hold(server, token);

	if (!call)
		return;
	call->op = error;
	call->replied = 0;
	sky_finish(call, false);
}
