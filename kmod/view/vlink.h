/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a link has beside those of kcall (kcall/link.h) to be called through
 * VMFUNC: a view of the server's address space, and a place to park calls in.
 *
 *	        interrupt             handed to the worker
 *	FREE -------------> PARKED ----------------------> HANDED
 *	  ^ <-------------                                   |
 *	  |    resumed                                       |
 *	  +--------------------------------------------------+
 *	                   the worker waits again
 *
 * FREE says nothing of whether a call is on its way: the kernel does not hear of
 * calls. The slot is granted in FREE only.
 *
 * A handler in one link's view may call by another link (tramp.S: VIEW_NEST), whose
 * parent the first one is. While a call is parked, its parents, one above the other,
 * are NESTED: they wait for it, on the stacks of their workers. Who wants to take such
 * a call away begins at the top: NESTED to HANDED, and the worker of that link goes on
 * with its handler, which has called, and takes what is parked itself; or, to resume
 * it, to FREE.
 */
#ifndef SKYIPC_VIEW_VLINK_H
#define SKYIPC_VIEW_VLINK_H

#include <linux/types.h>

#include "counts.h"
#include "layout.h"
#include "skyipc_dev.h"

struct ept;
struct sky_call;
struct sky_link;
struct sky_park;
struct sky_server;
struct sky_user;
struct sky_worker;
struct view_save;
struct view_thread;

enum view_state {
	VIEW_FREE,
	VIEW_PARKED,
	VIEW_HANDED,
	VIEW_NESTED,
};

struct view_link {
	u32 state;		/* enum view_state */
	bool ending;		/* it is not granted any more, nor resumed */
	bool dying;		/* likewise, but it is still there */
	u8 cause;		/* enum view_cause, of what is parked */
	unsigned int slot;
	struct view_thread *thread;	/* referred to */
	struct view_link *parent;	/* from whose view it is called; or NULL */
	/* For the moment, nobody calls it, or goes on there, or below it: recall() */
	bool recalled;
	bool nests;		/* what is parked has made its parents NESTED */
	bool is_nested;		/* it had a parent, at least */
	unsigned int children;	/* with its thread's hand */
	struct sky_user *user;	/* who is charged; referred to */
	u64 eptp;		/* as VMFUNC takes it */
	u64 sp;			/* of the client, when it was parked */
	u32 pkru;		/* likewise */
	u64 expires;		/* TSC: what is parked is not resumed after it */
	/* When that was, TSC, and when it was resumed; and from when on it counts */
	u64 parked_at, resumed_at, since;
	u64 parked_ip;		/* where, for people */
	struct sky_park *park;
	struct sky_worker *worker;	/* lends itself; referred to */
	struct sky_call *late;	/* for what is parked, and nobody resumes */
	bool is_late;		/* it has been started */
	bool handing;		/* HANDED, and the worker not busy yet */
	struct view_save *save;
	u8 *page;		/* the view page */
	struct ept *view;
	struct sky_server *server;	/* referred to */
	unsigned int charged;	/* pages */
	u64 changes;		/* of the server's that the thread's CPU knows */
	struct view_counts counts;
	u64 told_parked, told_resumed;	/* of these: tell.h */
};

/*
 * For the calling thread, which @t is of: a view of the server that a link of its
 * is to, with a worker that has lent itself. 0 or -errno
 */
int view_link_new(struct view_thread *t,
		  struct skyipc_dev_view_link __user *user);
/*
 * For the calling thread, which @worker is of: a view that its handlers call by,
 * from that of the link that has taken it. 0 or -errno
 */
int view_link_nest(struct sky_worker *worker,
		   struct skyipc_dev_nest __user *user);
/*
 * By any thread of its process: a handler of @worker's that waits for another server in
 * a view goes on in it. 0, -EAGAIN: its memory is not there, or -errno
 */
int view_link_recall(struct sky_worker *worker);
/* How a program calls by a link */
struct view_way {
	unsigned int slot;
	u64 key;
	u64 parent;	/* its key; 0: from home */
};

/*
 * Likewise: a view for @kcall, of @t's, charged to @user; for calls from home, or from
 * the view of whoever has the worker @parents. It stays as long as @kcall does.
 */
int view_link_add(struct view_thread *t, struct sky_user *user,
		  struct sky_link *kcall, const struct sky_worker *parents,
		  struct view_way *way);
/*
 * It is called no more. What is parked goes on in the worker, as the call that is
 * returned, so that the server is not left half-way. From here on its counts do not
 * change. May sleep.
 */
struct sky_call *view_link_end(struct view_link *link);
/* ... and nobody refers to it any more. */
void view_link_free(struct view_link *link);

/*
 * With its server's lock: its connection has ended. What is parked goes on in the
 * worker, who is told that there will not be more.
 */
void view_link_dies(struct view_link *link);
/* With view_anew_lock and @link->thread->hand: of the root that there is now */
int view_link_anew(struct view_link *link);
/* What it takes of the kernel's memory */
unsigned int view_link_pages(const struct view_link *link);
/* Until when what is parked may take: host's time */
u64 view_link_until(const struct view_link *link);

/* May it be called? A call that was handed over may be over by now. */
bool view_link_is_free(struct view_link *link);
/*
 * Have the server's page tables changed since this was asked last? By the thread's
 * CPU, which flushes then.
 */
bool view_link_changed(struct view_link *link);

/*
 * The call that is parked, if one is, is the worker's from now on; as *@call, which
 * is FREE, and then TAKEN, or as one that has been started meanwhile and takes its
 * place. 0; 1: it had come to its end already, and the reply is in
 * @reply; -ENOENT: none is parked; -EPROTO: it was where none can be, and is over
 */
int view_link_hand_over(struct view_link *link, struct sky_call **call,
			struct skyipc_dev_msg *reply);
/*
 * With @link->thread->hand held: likewise, as @link->late, and before it, if it is
 * parked, those that wait for it. 0: done, now or before; -EAGAIN: it has not begun, or
 * has replied; -ENOENT: nothing is parked
 */
int view_link_hand_late(struct view_link *link);

/* For what is parked: the one that its client's thread calls */
static inline struct view_link *view_link_top(struct view_link *link)
{
	struct view_link *parent;

	if (!link->nests)
		return link;
	/* Pairs with who ends it: end_children() */
	while ((parent = READ_ONCE(link->parent)))
		link = parent;
	return link;
}

/* @slot: where one goes from its view. Is that a reply? */
static inline bool view_link_replies(const struct view_link *link, u64 slot)
{
	/* It may have ended. */
	const u32 parent = *(const u32 *)(link->page + VIEW_PAGE_PARENT);

	return parent && slot == parent;
}

/* What its client has to show; whoever has its view can read it. */
static inline u64 view_link_key(const struct view_link *link)
{
	return *(const u64 *)(link->page + VIEW_PAGE_KEY);
}

/* For a slot of a list: granted, not enabled */
static inline u64 view_link_entry(const struct view_link *link)
{
	return link->eptp & ~0xffull;
}

#endif
