// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/kdebug.h>
#include <linux/notifier.h>
#include <linux/ptrace.h>
#include <asm/trapnr.h>

#include "layout.h"
#include "list.h"
#include "off.h"
#include "thread.h"

/*
 * A thread that has been scheduled in without views, and runs ever since, hears of
 * new ones here.
 *
 * What the program has mapped there is of no interest: it is told what a call has
 * come to, where it would be told if all were in order.
 */
static int undefined(struct notifier_block *block, unsigned long what,
		     void *data)
{
	const struct die_args *die = data;
	struct pt_regs *regs = die->regs;
	struct view_thread *t;
	u64 at;

	if (what != DIE_TRAP || die->trapnr != X86_TRAP_UD || !user_mode(regs))
		return NOTIFY_DONE;
	at = regs->ip - VIEW_AT;
	if (at != GATE_CALL_AT - 3 && at != VIEW_RESUME)
		return NOTIFY_DONE;
	t = view_thread_mine();
	if (!t)
		return NOTIFY_DONE;
	/* IRQs are off. If it has its views now, it executes that again. */
	if (view_list_reload(t))
		return NOTIFY_STOP;
	if (at == VIEW_RESUME) {
		/* VMCALL: what is parked is the worker's to go on with. */
		regs->ax = (unsigned long)-EINPROGRESS;
		regs->di = 0;
	} else {
		/* VMFUNC; the message's registers are as they were. */
		regs->ax = (unsigned long)-EAGAIN;
		regs->r11 = 0;
	}
	regs->ip = VIEW_AT + VIEW_BACK;
	return NOTIFY_STOP;
}

static struct notifier_block notifier = { .notifier_call = undefined };

void view_off_init(void)
{
	register_die_notifier(&notifier);
}

void view_off_exit(void)
{
	unregister_die_notifier(&notifier);
}
