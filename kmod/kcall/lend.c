// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/thread_info.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>

#include "args.h"
#include "call.h"
#include "conn.h"
#include "compat.h"
#include "lend.h"
#include "park.h"
#include "pkru.h"
#include "server.h"
#include "skyipc_dev.h"
#include "worker.h"

/*
 * Its handler runs in threads that are Linux's to place and to interrupt as the
 * client's: cpu_id of the worker's struct rseq is not where it runs then, and
 * nobody aborts its critical sections. glibc and others, who find none registered,
 * do without.
 */
static bool has_what_clients_have_not(void)
{
	/* Its shadow stack would not have seen what a call that moves returns from. */
	if (sky_has_shadow_stack())
		return true;
	/* PR_SET_SPECULATION_CTRL: what goes for the thread where a handler runs */
	return test_thread_flag(TIF_SSBD) || test_thread_flag(TIF_SPEC_IB) ||
	       test_thread_flag(TIF_SPEC_L1D_FLUSH);
}

int sky_lend_check(void)
{
	if (sky_has_rseq())
		return -EBUSY;
	return has_what_clients_have_not() ? -EOPNOTSUPP : 0;
}

int sky_worker_lend(struct sky_worker *worker,
		    const struct skyipc_dev_lend __user *user)
{
	struct sky_server *server = worker->server;
	struct sky_lend *lend = &worker->lend;
	struct skyipc_dev_lend l;
	struct sky_conn *conn;
	int error = sky_args(&l, user, offsetof(struct skyipc_dev_lend, nest));

	if (error)
		return error;
	if (l.entry >= TASK_SIZE_MAX || l.sp >= TASK_SIZE_MAX || l.sp & 15 ||
	    l.nest >= TASK_SIZE_MAX || l.nest & 15 ||
	    l.nest_entry >= TASK_SIZE_MAX || !l.nest != !l.nest_entry)
		return -EINVAL;
	error = sky_lend_check();
	if (error)
		return error;
	/* Of this thread alone: nobody else writes to it until it is in the list. */
	if (lend->lent)
		return -EEXIST;
	if (!worker->park)
		worker->park = sky_park_new();
	if (!worker->park)
		return -ENOMEM;
	conn = sky_conn_of_server(l.conn, server);
	if (IS_ERR(conn))
		return PTR_ERR(conn);
	lend->entry = l.entry;
	lend->sp = l.sp;
	lend->nest = l.nest;
	lend->nest_entry = l.nest_entry;
	preempt_disable();
	lend->fs_base = x86_fsbase_read_cpu();
	/* GS itself is the kernel's now. */
	skyipc_rdmsr(MSR_KERNEL_GS_BASE, lend->gs_base);
	preempt_enable();
	lend->pkru = sky_read_pkru();
	spin_lock(&server->lock);
	if (conn->dead) {
		error = -EPIPE;
	} else {
		lend->lent = true;
		lend->conn = conn;
		list_add_tail(&lend->node, &conn->lenders);
	}
	spin_unlock(&server->lock);
	if (error)
		sky_conn_put(conn);
	return error;
}

void sky_lend_give(struct sky_worker *worker, u64 token)
{
	bool gone;

	spin_lock(&worker->server->lock);
	gone = worker->lend.gone;
	if (!gone) {
		worker->lend.busy = true;
		/* Pairs with sky_given(): the park is whole. */
		smp_store_release(&worker->lend.token, token);
		wake_up_process(worker->task);
	}
	spin_unlock(&worker->server->lock);
	if (gone)
		sky_call_fail(worker->server, token, ECONNRESET);
}

void sky_lend_wait(struct sky_worker *worker)
{
	spin_lock(&worker->server->lock);
	/* What has been given meanwhile is on its stack as good as. */
	if (!worker->lend.token)
		/* Pairs with view_link_is_free(). */
		smp_store_release(&worker->lend.busy, sky_lend_check());
	spin_unlock(&worker->server->lock);
}

void sky_lend_gone(struct sky_worker *worker)
{
	u64 token;

	spin_lock(&worker->server->lock);
	worker->lend.gone = true;
	token = worker->lend.token;
	spin_unlock(&worker->server->lock);
	if (token)
		sky_call_fail(worker->server, token, ECONNRESET);
}

void sky_lend_end(struct sky_worker *worker)
{
	spin_lock(&worker->server->lock);
	list_del_init(&worker->lend.node);
	spin_unlock(&worker->server->lock);
	if (worker->lend.conn)
		sky_conn_put(worker->lend.conn);
}

static void over(struct sky_worker *worker)
{
	/* Pairs with sleep() of serve.c, which looks after it has said so. */
	WRITE_ONCE(worker->lend.over, true);
	wake_up_process(worker->task);
}

void sky_lend_over(struct sky_worker *worker)
{
	spin_lock(&worker->server->lock);
	over(worker);
	spin_unlock(&worker->server->lock);
}

void sky_lend_conn_dies(struct sky_conn *conn)
{
	struct sky_worker *worker;

	lockdep_assert_held(&conn->server->lock);
	list_for_each_entry(worker, &conn->lenders, lend.node)
		if (!worker->lend.taken)
			over(worker);
}

void sky_lend_return(struct sky_worker *worker)
{
	spin_lock(&worker->server->lock);
	worker->lend.taken = false;
	if (worker->lend.conn->dead)
		over(worker);
	spin_unlock(&worker->server->lock);
	sky_worker_put(worker);
}

struct sky_worker *sky_lend_take(struct sky_conn *conn)
{
	struct sky_worker *worker, *found = NULL;

	spin_lock(&conn->server->lock);
	list_for_each_entry(worker, &conn->lenders, lend.node) {
		if (worker->lend.taken || worker->lend.gone || conn->dead)
			continue;
		found = worker;
		/* Else one that still ends a call of its last client's. */
		if (!worker->lend.busy)
			break;
	}
	if (found) {
		/* It is in the list: not freed yet, if its file is not closed. */
		found->lend.taken = true;
		kref_get(&found->refs);
	}
	spin_unlock(&conn->server->lock);
	return found;
}
