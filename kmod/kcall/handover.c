// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state is loaded by task work: when the system call has returned what it
 * has, before any signal is delivered (get_signal() runs task work first), so
 * that its frame has the registers of the call.
 *
 * A thread that has slept comes with its FPU registers in memory, and only the
 * way to user space loads them: no module may. So it takes that way, to the
 * same system call again, which finds that it has nothing to do but this.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/task_work.h>

#include "call.h"
#include "handover.h"
#include "park.h"
#include "worker.h"

/* So often in a row a thread may have been made to sleep on its way here. */
#define TRIES 100

/* SYSCALL and INT 80 are two bytes each; SYSENTER is TIF_ADDR32's only. */
static void once_more(struct pt_regs *regs)
{
	regs->ip -= 2;
	regs->ax = regs->orig_ax;
}

/*
 * A tracer, or whoever decides over its system calls, has made it sleep on its
 * way here each time: then this call ends, and the worker is told.
 */
static void give_up(struct sky_worker *worker, struct pt_regs *regs)
{
	sky_call_fail(worker->server, worker->token, ECONNRESET);
	worker->goes_on = false;
	regs->ax = -EAGAIN;
}

static void go_on(struct callback_head *work)
{
	struct sky_worker *worker = container_of(work, struct sky_worker, work);
	int error = 0;

	if (current->flags & PF_EXITING)
		goto out;
	error = sky_park_continue(worker->park);
	if (error == -EAGAIN) {
		/* What has begun on a stack that is lent ends on it, if ever. */
		if (worker->lend.lent || ++worker->tries < TRIES)
			once_more(current_pt_regs());
		else
			give_up(worker, current_pt_regs());
		goto out;
	}
	worker->goes_on = false;
	/* The kernel has made it or checked it: else it is a bug. */
	WARN_ON_ONCE(error && !worker->lend.lent);
	if (error)
		force_sig(SIGSEGV);
out:
	fput(worker->file);
}

bool sky_goes_on(struct sky_worker *worker)
{
	struct sky_call *call;

	/* What has begun in a client's thread goes on without it, too. */
	if (!worker->goes_on || worker->lend.lent)
		return worker->goes_on;
	/* Its client may have left meanwhile, or a signal's handler replied. */
	call = sky_hold(worker->server, worker->token);
	worker->goes_on = call;
	if (call)
		sky_unhold(call);
	return call;
}

int sky_go_on(struct sky_worker *worker)
{
	int error;

	init_task_work(&worker->work, go_on);
	/*
	 * It may be closed meanwhile, by another thread; and so may the last of
	 * what keeps this module.
	 */
	get_file(worker->file);
	error = task_work_add(current, &worker->work, TWA_RESUME);
	if (error)
		fput(worker->file);
	return error;
}

int sky_hand_over(struct sky_worker *worker, u64 token)
{
	struct sky_call *call;

	if (test_thread_flag(TIF_ADDR32))
		return -EOPNOTSUPP;
	if (!worker->park)
		worker->park = sky_park_new();
	if (!worker->park)
		return -ENOMEM;
	call = sky_hold(worker->server, token);
	if (!call)
		return -ESTALE;
	sky_park_copy(worker->park, call->park);
	sky_unhold(call);
	worker->goes_on = true;
	worker->tries = 0;
	return sky_go_on(worker);
}
