// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two sides that must not miss each other:
 *
 *	client (sky_dispatch())		worker (sky_wait_begin())
 *	posts, puts it into pending	sets its bit in idle
 *	full barrier			full barrier
 *	looks for a bit in idle		looks into pending
 *
 * At least one of them sees the other. The usual call sees no lock: the worker
 * that served last waits, and its bit is all there is to get.
 */
#include <linux/bitmap.h>
#include <linux/sched.h>

#include "call.h"
#include "dispatch.h"
#include "find.h"
#include "hot.h"
#include "link.h"
#include "server.h"
#include "wake.h"
#include "worker.h"

/* The bit is what counts: a worker that waits is not freed. Not preempted. */
static __sky_hot struct sky_worker *claim(struct sky_server *server, unsigned int number)
{
	if (!test_bit(number, server->idle) ||
	    !test_and_clear_bit(number, server->idle))
		return NULL;
	return sky_find_worker(server, number);
}

/* Can it go on here, where the caller stops, with its memory near? */
static bool is_near(struct sky_server *server, unsigned int number)
{
	struct sky_worker *worker = sky_find_worker(server, number);

	/* A grace period does not end meanwhile. */
	return worker &&
	       cpumask_test_cpu(smp_processor_id(), worker->task->cpus_ptr) &&
	       cpu_to_node(task_cpu(worker->task)) == numa_node_id();
}

/* One that is near, or else any */
static struct sky_worker *claim_any(struct sky_server *server)
{
	const unsigned int top = READ_ONCE(server->top);
	struct sky_worker *worker;
	unsigned long number;

	for (bool near = true;; near = false) {
		for_each_set_bit(number, server->idle, top) {
			if (near && !is_near(server, number))
				continue;
			worker = claim(server, number);
			if (worker)
				return worker;
		}
		if (!near)
			return NULL;
	}
}

static __sky_hot void give(struct sky_worker *worker, u64 token, bool leaving)
{
	/* Pairs with sky_given(). */
	smp_store_release(&worker->given, token);
	sky_wake(worker->task, leaving);
}

void sky_unpend(struct sky_call *call)
{
	struct sky_server *server = call->server;

	spin_lock(&server->lock);
	list_del_init(&call->node);
	spin_unlock(&server->lock);
}

/* Into pending, unless it has been withdrawn since it was POSTED, as @word */
static void pend(struct sky_server *server, struct sky_call *call, u64 word)
{
	/* Kept since then, it waits all the same. */
	const u64 either = SKY_SUBMITTED | SKY_CANCELLED;

	spin_lock(&server->lock);
	if (((u64)atomic64_read(&call->word) | either) == (word | either))
		list_add_tail(&call->node, &server->pending);
	spin_unlock(&server->lock);
}

/*
 * POSTED, as @word: to a worker, or, if there is none or others came first, into
 * pending, from where whoever is idle takes the oldest one. It may have been
 * taken, and answered, and posted anew, by the time that we look for somebody.
 *
 * Not preempted: from its bit on the worker can't go away before it is woken,
 * nor can it do anything else.
 */
__sky_hot void sky_dispatch(struct sky_link *link, struct sky_server *server,
			    struct sky_call *call, u64 word, bool leaving)
{
	struct sky_worker *worker = NULL;
	u64 token = sky_token(call, word);

	preempt_disable();
	if (!sky_is_pending(server))
		worker = claim(server, link->worker) ?: claim_any(server);
	if (!worker) {
		pend(server, call, word);
		/* Pairs with sky_wait_begin(). */
		smp_mb();
		worker = claim_any(server);
		token = SKY_LOOK;
	}
	if (worker) {
		if (worker->inherit.on)
			sky_lend(worker, READ_ONCE(link->client));
		if (server == link->server)
			WRITE_ONCE(link->worker, worker->number);
		give(worker, token, leaving);
		/* After a barrier: pairs with server_poll(). */
	} else if (waitqueue_active(&server->poll)) {
		wake_up_interruptible(&server->poll);
	}
	preempt_enable();
}

/*
 * The call of a link that runs, or will next, is in one word; its lowest bit
 * says that others wait in the queue, which is looked at under the lock.
 */
/* Is it @call's turn? Else it will be. */
static bool turn(struct sky_link *link, struct sky_call *call, bool *queued)
{
	long now = atomic_long_read(&link->active);

	if (!now)
		return !atomic_long_cmpxchg(&link->active, 0, (long)call);
	*queued = now & SKY_MORE ||
		  atomic_long_cmpxchg(&link->active, now, now | SKY_MORE) == now;
	return false;
}

static __sky_hot void begin(struct sky_call *call, u64 *word, enum sky_state state,
			    u64 submitted)
{
	*word = sky_with_state(atomic64_read(&call->word) + SKY_GENERATION,
			       state);
	*word &= ~(SKY_SUBMITTED | SKY_FORWARDED | SKY_CANCELLED);
	*word |= submitted;
	/* The message before the word: pairs with sky_step() of who takes it. */
	atomic64_set_release(&call->word, *word);
	sky_stepped(call, *word);
}

__sky_hot void sky_start(struct sky_call *call, bool submitted)
{
	u64 bit = submitted ? SKY_SUBMITTED : 0;
	struct sky_link *link = call->link;
	bool queued = false;
	u64 word;

	if (!atomic_long_cmpxchg(&link->active, 0, (long)call))
		goto mine;
	spin_lock(&link->lock);
	while (!turn(link, call, &queued))
		if (queued) {
			begin(call, &word, SKY_QUEUED, bit);
			list_add_tail(&call->queued, &link->queue);
			spin_unlock(&link->lock);
			return;
		}
	spin_unlock(&link->lock);
mine:
	begin(call, &word, SKY_POSTED, bit);
	/* Who waits for it sleeps at once. */
	sky_dispatch(link, link->server, call, word, !submitted);
}

u64 sky_start_taken(struct sky_call *call)
{
	u64 word, token;

	/* It is half-way already, so it does not wait for those before it. */
	call->aside = atomic_long_cmpxchg(&call->link->active, 0, (long)call);
	begin(call, &word, SKY_POSTED, 0);
	token = sky_token(call, word);
	preempt_disable();
	/* Nobody else has heard of it. */
	sky_step(call, &word, SKY_HELD);
	sky_unhold(call);
	return token;
}

bool sky_unqueue(struct sky_call *call)
{
	struct sky_link *link = call->link;
	u64 word;
	bool mine;

	/* QUEUED is left under the lock only. */
	spin_lock(&link->lock);
	word = atomic64_read(&call->word);
	mine = sky_state_of(word) == SKY_QUEUED &&
	       sky_step(call, &word, SKY_FREE);
	if (mine)
		list_del_init(&call->queued);
	spin_unlock(&link->lock);
	return mine;
}

void sky_next_queued(struct sky_link *link, struct sky_call *call)
{
	struct sky_call *next;
	u64 word;

	/* It has kept nobody waiting. */
	if (call->aside)
		return;
	spin_lock(&link->lock);
	WARN_ON_ONCE((atomic_long_read(&link->active) & ~SKY_MORE) !=
		     (long)call);
	next = list_first_entry_or_null(&link->queue, struct sky_call, queued);
	if (next) {
		list_del_init(&next->queued);
		word = atomic64_read(&next->word);
		sky_step(next, &word, SKY_POSTED);
	}
	atomic_long_set(&link->active, !next ? 0 : (long)next |
			(list_empty(&link->queue) ? 0 : SKY_MORE));
	spin_unlock(&link->lock);
	/* Its client may withdraw it meanwhile; it is there for a while. */
	if (next)
		sky_dispatch(link, link->server, next, word, false);
}

/* POSTED to HELD, unless its client withdraws it just now. @token: or 0 */
static bool take(struct sky_server *server, struct sky_call *call, u64 token)
{
	/* Before the rest: the step has to find it unchanged. */
	u64 word = atomic64_read_acquire(&call->word);

	while (sky_state_of(word) == SKY_POSTED &&
	       READ_ONCE(call->server) == server &&
	       (!token || sky_token(call, word) == token))
		if (sky_step(call, &word, SKY_HELD))
			return true;
	return false;
}

static struct sky_call *take_pending(struct sky_server *server)
{
	struct sky_call *call, *found = NULL;

	spin_lock(&server->lock);
	while (!found && !list_empty(&server->pending)) {
		call = list_first_entry(&server->pending, struct sky_call, node);
		list_del_init(&call->node);
		if (take(server, call, 0))
			found = call;
	}
	spin_unlock(&server->lock);
	return found;
}

/* Calls are freed after a grace period: see sky_hold(). */
static struct sky_call *take_given(struct sky_worker *worker)
{
	struct sky_call *call = sky_find_call(worker->server, worker->given);

	return call && take(worker->server, call, worker->given) ? call : NULL;
}

__sky_hot struct sky_call *sky_wait_end(struct sky_worker *worker)
{
	struct sky_call *call = NULL;

	preempt_disable();
	if (worker->given)
		call = take_given(worker);
	if (!call)
		call = take_pending(worker->server);
	if (!call)
		preempt_enable();
	return call;
}
