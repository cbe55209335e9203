// SPDX-License-Identifier: GPL-2.0-only
/*
 * The slots of a thread: its links come and go while it may be running, and in their
 * views, on any CPU.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

#include "layout.h"
#include "list.h"
#include "thread.h"
#include "vlink.h"

/*
 * Servers that a thread calls, and those that they call, and so on, may have this many
 * of its slots for themselves.
 */
#define NESTED_SLOTS (VIEW_SLOTS / 2)

int view_thread_add(struct view_thread *t, struct view_link *link)
{
	unsigned int slot = VIEW_SLOT_FIRST;
	unsigned long flags;

	if (link->parent && t->nested >= NESTED_SLOTS)
		return -EMFILE;
	raw_spin_lock_irqsave(&t->lock, flags);
	while (slot < VIEW_SLOTS && t->links[slot])
		slot++;
	if (slot < VIEW_SLOTS) {
		link->slot = slot;
		t->links[slot] = link;
		t->top = max(t->top, slot + 1);
		view_list_granted(t, slot);
	}
	raw_spin_unlock_irqrestore(&t->lock, flags);
	if (slot >= VIEW_SLOTS)
		return -EMFILE;
	link->is_nested = link->parent;
	t->nested += link->is_nested;
	return 0;
}

/*
 * That this has interrupted it means that it has left the view. The slot may be
 * another link's by now.
 */
static void not_here(void *arg)
{
	const struct view_link *link = arg;
	struct view_thread *t = link->thread;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	view_list_granted(t, link->slot);
	raw_spin_unlock_irqrestore(&t->lock, flags);
}

void view_thread_remove(struct view_thread *t, struct view_link *link)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	t->links[link->slot] = NULL;
	t->nested -= link->is_nested;
	WRITE_ONCE(link->ending, true);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	/*
	 * Who loads a list from here on does not find it, and root does not resume
	 * it. Who has done so runs here, or elsewhere and is interrupted: root is
	 * not, but then it enters the view, and that is.
	 */
	smp_mb();
	on_each_cpu(not_here, link, true);
}

static void leaves(void *arg)
{
	struct view_thread *t = arg;

	raw_spin_lock(&t->lock);
	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top; i++)
		view_list_granted(t, i);
	raw_spin_unlock(&t->lock);
}

void view_thread_leaves(struct view_thread *t)
{
	/* As in view_thread_remove() */
	smp_mb();
	on_each_cpu(leaves, t, true);
}
