/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client's thread that calls by VMFUNC: its gate view, its page, and the slots
 * of its links. While it runs, the EPTP list of its CPU is its own.
 */
#ifndef SKYIPC_VIEW_THREAD_H
#define SKYIPC_VIEW_THREAD_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "layout.h"
#include "vmx/resume.h"

struct ept;
struct mm_struct;
struct sky_user;
struct task_struct;
struct view_link;
struct view_save;

/*
 * An entry that no store to its low byte makes valid: bits 11:8 are reserved
 * (SDM 25.6.11), and all others beyond the width of addresses.
 */
#define VIEW_UNGRANTED (~0xffull)

struct view_thread {
	/* Stubs and root, on the CPU where it runs, look at these. */
	u64 *list;		/* of that CPU */
	struct vmx_resume resume;
	struct view_link *resumed;	/* by root, at the last exit for that; or NULL */
	bool parked;		/* has it links that are? At least when it is */
	bool barred;		/* from all views, for now: bars.h */
	bool untold;		/* something has happened: tell.h */
	u64 refused, told_refused;	/* calls that had to stay out */
	void *page;		/* shared with the program */
	unsigned int top;	/* no slot from here on is in use */

	struct list_head all;		/* view_threads */
	pid_t pid;			/* for people */
	struct kref refs;
	struct view_save *save;		/* of the gate view */
	struct ept *gate;
	u64 gate_entry;		/* not enabled */
	u64 home_entry;
	u64 pgd;		/* physical: what CR3 points to */
	u64 *mapped;		/* the list that the gate view has */
	u64 epoch;		/* of the root that those are of */
	int cpu;		/* whose list the gate view has; -1: none */
	struct mm_struct *mm;	/* grabbed */
	struct task_struct *task;	/* referred to */
	struct sky_user *user;	/* is charged, for its links, too */
	unsigned int charged;	/* pages */
	struct preempt_notifier notifier;
	struct llist_node ended;
	struct hrtimer late;	/* late.h */
	struct work_struct late_work;
	atomic_t late_watched;
	struct mutex hand;	/* who hands over, and who makes and ends links */
	unsigned int nested;	/* links from views: with that held */
	/* Its own, and of who has its hand: links, top, parked */
	raw_spinlock_t lock;
	struct view_link *links[VIEW_SLOTS];
};

/* All that there are */
extern struct list_head view_threads;
extern struct mutex view_threads_lock;
/*
 * Read: views are made, all of one root. Write: they are made anew. Not held where
 * anybody waits for a program.
 */
extern struct rw_semaphore view_anew_lock;

/* For the calling thread: its descriptor */
int view_thread_new(void);
void view_thread_put(struct view_thread *t);
/* The calling thread's, if it is of this program; or NULL */
struct view_thread *view_thread_mine(void);

/*
 * Another root has been started: views of all threads are made anew. One that
 * there is no memory for has none, until it wants a link.
 */
void view_threads_anew(void);
/* With view_anew_lock: if that is still to be done. */
int view_thread_anew(struct view_thread *t);

/*
 * By whoever has its hand: @link gets a slot, and is granted. -EMFILE: there is none
 */
int view_thread_add(struct view_thread *t, struct view_link *link);
/* By anybody: when this returns no CPU is in its view, nor will be. May sleep. */
void view_thread_remove(struct view_thread *t, struct view_link *link);
/*
 * By anybody: when this returns, no CPU is in a view of its that may not be called any
 * more, nor where something is parked or resumed. May sleep.
 */
void view_thread_leaves(struct view_thread *t);
/* What it takes of the kernel's memory, beside its links */
unsigned int view_thread_pages(const struct view_thread *t);

/* None is left, nor will any be made: wait until all is freed. */
void view_thread_exit(void);

#endif
