// SPDX-License-Identifier: GPL-2.0-only
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>
#include <asm/invpcid.h>

#include "bars.h"
#include "late.h"
#include "list.h"
#include "tables.h"
#include "tell.h"
#include "thread.h"
#include "trace_view.h"
#include "vlink.h"
#include "vmx/vmx.h"

/* The one that runs here */
static DEFINE_PER_CPU(struct view_thread *, view_thread_here);

/* ---- loading it ------------------------------------------------------------------ */

/*
 * Its gate view has this CPU's list, and no CPU remembers another one. True: it
 * has come from elsewhere.
 */
static bool take_list(struct view_thread *t, u64 *list)
{
	const int cpu = smp_processor_id();

	t->list = list;
	if (t->cpu == cpu && t->mapped == list)
		return false;
	view_gate_reaches(list);
	/* It has its tables there already, so this does not fail. */
	view_set_again(t->gate, VIEW_PLACE_LIST, list);
	vmx_forget_here();
	t->cpu = cpu;
	t->mapped = list;
	return true;
}

/* With its lock held */
static void grant(struct view_thread *t, unsigned int slot)
{
	struct view_link *link = t->links[slot];
	const bool granted = link && !t->barred && view_link_is_free(link);

	WRITE_ONCE(t->list[slot],
		   granted ? view_link_entry(link) : VIEW_UNGRANTED);
}

/* @changed: has something that this CPU may remember? */
static void grant_links(struct view_thread *t, bool *changed)
{
	raw_spin_lock(&t->lock);
	t->parked = false;
	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top; i++) {
		struct view_link *link = t->links[i];

		grant(t, i);
		if (!link)
			continue;
		*changed |= view_link_changed(link);
		t->parked |= READ_ONCE(link->state) == VIEW_PARKED;
	}
	raw_spin_unlock(&t->lock);
}

static void load_list(struct view_thread *t, bool moved)
{
	bool changed = moved;

	grant_links(t, &changed);
	if (changed)
		invpcid_flush_all();
	WRITE_ONCE(t->list[VIEW_SLOT_GATE], t->gate_entry | VIEW_ENABLE);
	WRITE_ONCE(t->list[VIEW_SLOT_HOME], t->home_entry | VIEW_ENABLE);
}

bool view_list_parked(struct view_thread *t)
{
	bool parked = false;

	raw_spin_lock(&t->lock);
	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top && !parked; i++)
		parked = t->links[i] &&
			 READ_ONCE(t->links[i]->state) == VIEW_PARKED;
	t->parked = parked;
	raw_spin_unlock(&t->lock);
	return parked;
}

/*
 * What is parked goes on at once if the thread goes to the resume point for it.
 * Else it is in a signal's handler, or has been: who knows for how long.
 */
static void look_for_parked(struct view_thread *t)
{
	const struct pt_regs *regs = task_pt_regs(current);
	const bool resumes = regs->ip == VIEW_AT + VIEW_RESUME;
	bool parked = false, stays = false;

	raw_spin_lock(&t->lock);
	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top; i++) {
		const struct view_link *link = t->links[i];

		if (!link || READ_ONCE(link->state) != VIEW_PARKED)
			continue;
		parked = true;
		stays |= !resumes || regs->di != i;
	}
	t->parked = parked;
	raw_spin_unlock(&t->lock);
	if (stays)
		view_late_watch(t);
}

/* Is it to be barred, or not any more? True: that is new. */
static bool bar(struct view_thread *t)
{
	const bool barred = view_is_barred();

	if (barred == t->barred)
		return false;
	WRITE_ONCE(t->barred, barred);
	trace_skyipc_view_bar(t, barred);
	return true;
}

/* Linux is on its way back to the program: this CPU's thread, whoever it is by now. */
static void returns(void)
{
	struct view_thread *t = __this_cpu_read(view_thread_here);

	if (!t)
		return;
	/* It has executed another program. What is parked is for the worker. */
	if (current->mm != t->mm) {
		look_for_parked(t);
		t->parked = false;
		view_list_unload(t);
		return;
	}
	if (bar(t))
		view_look_again(NULL);
	if (t->untold)
		view_tell(t);
	if (t->parked)
		look_for_parked(t);
}

void view_list_load(struct view_thread *t)
{
	u64 *list = vmx_list();
	bool moved;

	/*
	 * A root that has been started anew does not know these views; nor is
	 * this, after exec, the address space that they are of. Pairs with
	 * thread_anew().
	 */
	if (!list || smp_load_acquire(&t->epoch) != vmx_epoch() ||
	    current->mm != t->mm)
		return;
	moved = take_list(t, list);
	bar(t);
	__this_cpu_write(view_thread_here, t);
	/* Pairs with view_target_changed() and sky_server_die(). */
	smp_mb();
	load_list(t, moved);
	vmx_resume_set(&t->resume);
	view_returns_begin(returns);
}

void view_list_unload(struct view_thread *t)
{
	if (__this_cpu_read(view_thread_here) != t)
		return;
	__this_cpu_write(view_thread_here, NULL);
	view_returns_end();
	vmx_resume_set(NULL);
	for (unsigned int i = 0; i < t->top; i++)
		WRITE_ONCE(t->list[i], VIEW_UNGRANTED);
}

bool view_list_reload(struct view_thread *t)
{
	if (__this_cpu_read(view_thread_here) == t)
		return false;
	view_list_load(t);
	return __this_cpu_read(view_thread_here) == t;
}

bool view_runs_on(int cpu, void *unused)
{
	return READ_ONCE(*per_cpu_ptr(&view_thread_here, cpu));
}

void view_look_again(void *unused)
{
	struct view_thread *t = __this_cpu_read(view_thread_here);
	bool changed = false;

	if (!t)
		return;
	grant_links(t, &changed);
	if (changed)
		invpcid_flush_all();
}

void view_thread_refresh(void)
{
	unsigned long flags;

	local_irq_save(flags);
	view_look_again(NULL);
	local_irq_restore(flags);
}

/* ---- one slot of it --------------------------------------------------------------- */

void view_list_granted(struct view_thread *t, unsigned int slot)
{
	if (__this_cpu_read(view_thread_here) == t)
		grant(t, slot);
}
