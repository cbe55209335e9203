/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of views. Where a view has just been left, and in root, one cannot
 * trace: what happens there sets view_thread::untold, and is told when the thread is
 * on its way back to user space, or by who hands its call over. NMIs do not come by
 * there, so there may be more than one to tell: then it is the last, and how many.
 */
#ifndef SKYIPC_VIEW_TELL_H
#define SKYIPC_VIEW_TELL_H

struct view_link;
struct view_thread;

/* By the thread itself, with IRQs off: what is untold */
void view_tell(struct view_thread *t);

/*
 * With @link->thread->hand held, and its call HANDED: it moves to the worker, or is
 * over, with @result.
 */
void view_tell_moved(struct view_link *link, unsigned int because);
void view_tell_finished(struct view_link *link, int result);

#endif
