/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call: one message to a server and its reply. A link has as many as may be
 * outstanding; they are made with it, so calling allocates nothing.
 *
 *	          start           take          finish        collect
 *	FREE ------------> POSTED -----> HELD --------> DONE --------> FREE
 *	 ^ |               ^   |         ^  | unhold
 *	 | | start    next |   |    hold |  v
 *	 | +----> QUEUED --+   |        TAKEN
 *	 |           |         |          | leave
 *	 |  withdraw |         |          v
 *	 +-----------+---------+        LEFT --------> (freed by the server)
 *
 * And, from HELD, POSTED again: at another server, that it is forwarded to.
 *
 * The calls of one link run one after the other, as they were started: those
 * that have to wait for another are QUEUED.
 *
 * Who may do what is said by one word: state and generation. Up to POSTED
 * the call is its client's, from then on the server's; a step that two sides might
 * take is a cmpxchg of the whole word, so that nobody takes a call for one that
 * used the same memory before.
 *
 * HELD is for moments only, without preemption: a client that wants to leave
 * spins meanwhile.
 */
#ifndef SKYIPC_CALL_H
#define SKYIPC_CALL_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/tracepoint-defs.h>

#include "data.h"
#include "skyipc_dev.h"

enum sky_state {
	SKY_FREE,	/* nobody waits */
	SKY_QUEUED,	/* others of its link come first */
	SKY_POSTED,	/* pending, or given to a worker that has not looked */
	SKY_TAKEN,	/* the server's: its handler runs, or it answers later */
	SKY_HELD,	/* likewise, and a thread of it is at the call just now */
	SKY_DONE,	/* the client's again, with the reply */
	SKY_LEFT,	/* the server's, and the client has gone */
	SKY_STATES
};

#define SKY_STATE_BITS 3
#define SKY_STATE_MASK ((1ULL << SKY_STATE_BITS) - 1)
/* Nobody sleeps in CALL for it, any more: its reply is reaped. */
#define SKY_SUBMITTED BIT_ULL(SKY_STATE_BITS)
/* A server has seen it, even if it is POSTED: forward.h */
#define SKY_FORWARDED BIT_ULL(SKY_STATE_BITS + 1)
/* Kept before it was taken: its client has given up. */
#define SKY_CANCELLED BIT_ULL(SKY_STATE_BITS + 2)
#define SKY_GENERATION_SHIFT (SKY_STATE_BITS + 3)
#define SKY_GENERATION BIT_ULL(SKY_GENERATION_SHIFT)
static_assert(SKY_STATES <= 1 << SKY_STATE_BITS);

struct sky_conn;
struct sky_link;
struct sky_park;
struct sky_server;

struct sky_call {
	/* The line that client and worker share */
	atomic64_t word;
	u32 op;			/* in a reply: 0, or the errno it is instead */
	s32 status;
	u64 words[SKYIPC_DEV_WORDS];

	/* The rest of what a short call looks at */
	u64 ext[SKYIPC_DEV_EXT];
	struct sky_link *link;	/* NULL: it has ended, and the call is LEFT */
	struct sky_server *server;	/* whose it is now */
	struct sky_conn *conn;	/* FORWARDED: over which; referred to */
	u64 cookie;
	u32 id;			/* in the server's calls */
	u32 home_id;		/* in those of home: reserved while it is away */

	u64 tag;
	u64 replied;		/* bytes of the reply's data */
	struct sky_park *park;	/* where to go on; NULL: a call as usual */
	bool has_data;		/* @in, @out and @replied mean something */
	bool aside;		/* it began in a view, and others were there */
	struct sky_server *home;	/* the link's; referred to */
	struct sky_user *user;	/* charged for it */
	struct list_head node;	/* pending; of those submitted: free, done */
	struct list_head queued;	/* of its link; or left behind */
	struct sky_data in;	/* the client's pages: request */
	struct sky_data out;	/* and reply */
	struct rcu_head rcu;
} ____cacheline_aligned;

static inline enum sky_state sky_state_of(u64 word)
{
	return word & SKY_STATE_MASK;
}

static inline u64 sky_with_state(u64 word, enum sky_state state)
{
	return (word & ~SKY_STATE_MASK) | state;
}

/* From which states to this one, as the picture above has it */
static __always_inline unsigned int sky_states_before(enum sky_state to)
{
	switch (to) {
	case SKY_FREE:
		return BIT(SKY_QUEUED) | BIT(SKY_POSTED) | BIT(SKY_DONE) |
		       BIT(SKY_LEFT);
	case SKY_QUEUED:
		return BIT(SKY_FREE);
	case SKY_POSTED:
		return BIT(SKY_FREE) | BIT(SKY_QUEUED);
	case SKY_TAKEN:
	case SKY_DONE:
		return BIT(SKY_HELD);
	case SKY_HELD:
		return BIT(SKY_POSTED) | BIT(SKY_TAKEN);
	case SKY_LEFT:
		return BIT(SKY_TAKEN);
	default:
		return 0;
	}
}

DECLARE_TRACEPOINT(skyipc_call);
void sky_call_trace(u32 id, u64 word);

static __always_inline void sky_stepped(const struct sky_call *call, u64 word)
{
	if (tracepoint_enabled(skyipc_call))
		sky_call_trace(call->id, word);
}

/*
 * From what was seen in it, @word: false if it is something else by now. In
 * line, as each call takes eight steps: what is to be checked is constant then.
 */
static __always_inline bool sky_step(struct sky_call *call, u64 *word,
				     enum sky_state state)
{
	u64 next = sky_with_state(*word, state);

	WARN_ON_ONCE(!(sky_states_before(state) & BIT(sky_state_of(*word))));
	/*
	 * What the one before wrote, and what the next reads: both ways, as any
	 * of two sides may be the one that goes on.
	 */
	if (!atomic64_try_cmpxchg(&call->word, (s64 *)word, next))
		return false;
	*word = next;
	sky_stepped(call, next);
	return true;
}

/* What a server replies to. 0 is none, as no call has the id 0. */
static inline u64 sky_token(const struct sky_call *call, u64 word)
{
	return (word >> SKY_GENERATION_SHIFT) << 32 | call->id;
}

/* A FREE one, into *@call; 0, -ENOMEM or -EDQUOT */
int sky_call_new(struct sky_link *link, struct sky_call **call);
/* FREE, and nobody can find it any more */
void sky_call_free(struct sky_call *call);

/*
 * The client's side. To FREE, if the server has not seen it: nor will it then.
 * False: it has.
 */
bool sky_call_withdraw(struct sky_call *call);
/* What a client has had of a call that it has left */
struct sky_left {
	struct sky_server *server;	/* referred to */
	u64 token;
	struct sky_data in;
	struct sky_data out;
};

/*
 * Withdraw or leave, whichever it has to be: where it was then. TAKEN: it is
 * LEFT now, the server's, and may be freed any moment: here is what is left.
 * FREE: withdrawn, but not before one server had forwarded it.
 */
enum sky_state sky_call_drop(struct sky_call *call, struct sky_left *left);
/*
 * From CALL to SUBMITTED, whatever its state but DONE; false: it is that. If no
 * server has seen it, the one that does hears that its client has given up.
 */
bool sky_call_keep(struct sky_call *call);
/* If it is LEFT: free it, as nobody else will. */
void sky_call_bury(struct sky_call *call);

/*
 * The server's side. HELD, with preemption disabled, or NULL: nobody waits for
 * that call (any more).
 */
struct sky_call *sky_hold(struct sky_server *server, u64 token);
/* Back to TAKEN */
static inline void sky_unhold(struct sky_call *call)
{
	u64 word = atomic64_read(&call->word);

	sky_step(call, &word, SKY_TAKEN);
	preempt_enable();
}

/* DONE; its client is woken, as WAKE says (wake.h). */
void sky_finish(struct sky_call *call, bool leaving);
/* It was taken and its server does not hear of it: @error is its reply. */
void sky_call_fail(struct sky_server *server, u64 token, u32 error);

#endif
