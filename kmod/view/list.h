/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The EPTP list of a CPU: while a client's thread runs there, what it may enable.
 */
#ifndef SKYIPC_VIEW_LIST_H
#define SKYIPC_VIEW_LIST_H

#include <linux/types.h>

struct view_thread;

/* By the thread itself, as it comes and goes, with IRQs off. */
void view_list_load(struct view_thread *t);
void view_list_unload(struct view_thread *t);
/* Likewise, when it runs: it has come without, and there is one by now. */
bool view_list_reload(struct view_thread *t);

/* With IRQs off: has it a link that is parked? */
bool view_list_parked(struct view_thread *t);
/* With @t->lock held: @slot has changed, which matters if @t runs here. */
void view_list_granted(struct view_thread *t, unsigned int slot);

/* Does a thread run on @cpu? For on_each_cpu_cond() */
bool view_runs_on(int cpu, void *unused);
/* On a CPU where one may run: its links are granted, or not, as they are now. */
void view_look_again(void *unused);
/* By the thread itself: likewise */
void view_thread_refresh(void);

#endif
