// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "args.h"
#include "call.h"
#include "conn.h"
#include "dispatch.h"
#include "find.h"
#include "forward.h"
#include "grant_call.h"
#include "link.h"
#include "server.h"

/*
 * HELD, by us: over @conn, where it gets the place @id. Neither array has to
 * grow for it: that place and the one at home are reserved. Whoever has found it
 * at the old place sees another generation.
 */
static void move(struct sky_call *call, struct sky_conn *conn, u32 id)
{
	struct sky_server *from = call->server;

	sky_set_call(from, call->id, NULL);
	if (call->conn)
		xa_erase(&from->calls, call->id);
	else
		xa_cmpxchg(&from->calls, call->id, call, XA_ZERO_ENTRY, 0);
	call->conn = conn;
	call->server = conn->server;
	call->id = id;
	xa_store(&conn->server->calls, id, call, 0);
	sky_set_call(conn->server, id, call);
}

static void fill(struct sky_call *call, const struct skyipc_dev_forward *f)
{
	call->op = f->op;
	memcpy(call->words, f->words, sizeof(call->words));
	memcpy(call->ext, f->ext, sizeof(call->ext));
	call->cookie = call->conn->cookie;
	/* If it was one, it has been continued. */
	call->park = NULL;
}

/* HELD to POSTED, with a token that only the new server knows */
static u64 post(struct sky_call *call)
{
	u64 word = atomic64_read(&call->word) + SKY_GENERATION;

	word = sky_with_state(word, SKY_POSTED) | SKY_FORWARDED;
	/* The message before the word: pairs with sky_step() of who takes it. */
	atomic64_set_release(&call->word, word);
	sky_stepped(call, word);
	return word;
}

/* @call is @server's, and came over @conn (NULL: any), unless its word changes. */
static bool is_there(const struct sky_call *call, u64 word,
		     const struct sky_server *server,
		     const struct sky_conn *conn)
{
	return word & SKY_FORWARDED && READ_ONCE(call->server) == server &&
	       (!conn || READ_ONCE(call->conn) == conn);
}

/* Answered, if it is there. Under RCU, or not preempted. */
static void fail(struct sky_server *server, struct sky_call *call,
		 const struct sky_conn *conn)
{
	/* Before what is_there() looks at: the step has to find it unchanged. */
	u64 word = atomic64_read_acquire(&call->word);

	preempt_disable();
	while (is_there(call, word, server, conn)) {
		switch (sky_state_of(word)) {
		case SKY_POSTED:
		case SKY_TAKEN:
			if (!sky_step(call, &word, SKY_HELD))
				continue;
			sky_unpend(call);
			call->op = ECONNRESET;
			call->replied = 0;
			sky_finish(call, false);
			return;
		case SKY_HELD:
			cpu_relax();
			word = atomic64_read_acquire(&call->word);
			continue;
		case SKY_LEFT:
			/* Others of its link wait for that. */
			sky_call_bury(call);
			goto out;
		default:
			goto out;
		}
	}
out:
	preempt_enable();
}

void sky_forwarded_fail(struct sky_server *server, const struct sky_conn *conn)
{
	struct sky_call *call;
	unsigned long id = 0;

	do {
		rcu_read_lock();
		call = xa_find(&server->calls, &id, ULONG_MAX, XA_PRESENT);
		if (call)
			fail(server, call, conn);
		rcu_read_unlock();
		cond_resched();
	} while (call && id++ < U32_MAX);
}

/* 0 or -ESTALE, -EBUSY; 0: @id and a reference to @conn are the call's then. */
static int hand_on(struct sky_server *server, struct sky_conn *conn, u32 id,
		   const struct skyipc_dev_forward *f)
{
	struct sky_call *call = sky_hold(server, f->token);
	struct sky_conn *before;
	struct sky_link *link;
	u64 word;

	if (!call)
		return -ESTALE;
	/* Another thread has just mapped it anew? */
	if (!sky_grants_forget(call)) {
		sky_unhold(call);
		return -EBUSY;
	}
	before = call->conn;
	link = call->link;
	sky_conn_get(conn);
	atomic_inc(&conn->forwarded);
	move(call, conn, id);
	fill(call, f);
	/* From here on it may be over any moment, and be another one's. */
	word = post(call);
	sky_dispatch(link, conn->server, call, word, false);
	/*
	 * Who kills looks for calls after that, we for that after the call is
	 * there: one of the two sees the other.
	 */
	smp_mb();
	if (sky_conn_is_dead(conn))
		fail(conn->server, call, conn);
	preempt_enable();
	if (before) {
		atomic_dec(&before->forwarded);
		sky_conn_put(before);
	}
	return 0;
}

int sky_forward(struct sky_server *server,
		const struct skyipc_dev_forward __user *user)
{
	struct skyipc_dev_forward f;
	struct sky_conn *conn;
	u32 id;
	int error;

	error = sky_args(&f, user, sizeof(f));
	if (error)
		return error;
	if (f.flags)
		return -EINVAL;
	conn = sky_conn_get_fd(f.conn);
	if (IS_ERR(conn))
		return PTR_ERR(conn);
	/* A place for it; what is there is nobody's yet. */
	error = xa_alloc(&conn->server->calls, &id, NULL,
			 XA_LIMIT(1, U32_MAX), GFP_KERNEL_ACCOUNT);
	if (error)
		goto put;
	/* What it has mapped is not its own any more when the next one has it. */
	error = sky_grants_revoke(server, f.token);
	if (!error)
		error = hand_on(server, conn, id, &f);
	if (error)
		xa_release(&conn->server->calls, id);
put:
	sky_conn_put(conn);
	return error;
}

void sky_call_home(struct sky_call *call)
{
	struct sky_conn *conn = call->conn;

	if (!conn)
		return;
	sky_set_call(call->server, call->id, NULL);
	xa_erase(&call->server->calls, call->id);
	call->conn = NULL;
	call->server = call->home;
	call->id = call->home_id;
	xa_store(&call->home->calls, call->id, call, 0);
	sky_set_call(call->home, call->id, call);
	atomic_dec(&conn->forwarded);
	sky_conn_put(conn);
}
