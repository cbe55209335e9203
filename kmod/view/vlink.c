// SPDX-License-Identifier: GPL-2.0-only
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "kcall/args.h"
#include "kcall/call.h"
#include "kcall/conn.h"
#include "kcall/lend.h"
#include "kcall/link.h"
#include "kcall/park.h"
#include "kcall/server.h"
#include "kcall/user.h"
#include "kcall/worker.h"
#include "late.h"
#include "left.h"
#include "layout.h"
#include "save.h"
#include "tables.h"
#include "thread.h"
#include "trace_view.h"
#include "vlink.h"
#include "vmx/ept.h"
#include "vmx/vmx.h"

static void put64(struct view_link *link, unsigned int at, u64 value)
{
	*(u64 *)(link->page + at) = value;
}

static void put32(struct view_link *link, unsigned int at, u32 value)
{
	*(u32 *)(link->page + at) = value;
}

/* All but slots */
static void fill_page(struct view_link *link, const struct sky_lend *lend)
{
	put32(link, VIEW_PAGE_MASK, view_all_features);
	put64(link, VIEW_PAGE_SP, lend->sp);
	put64(link, VIEW_PAGE_FS, lend->fs_base);
	put64(link, VIEW_PAGE_GS, lend->gs_base);
	put64(link, VIEW_PAGE_ENTRY, lend->entry);
	put32(link, VIEW_PAGE_PKRU, lend->pkru);
	put64(link, VIEW_PAGE_FLAGS, X86_EFLAGS_IF | X86_EFLAGS_FIXED);
	put64(link, VIEW_PAGE_NEST, lend->nest);
	put64(link, VIEW_PAGE_KEY, get_random_u64());
}

/* Before it is granted */
static void fill_slots(struct view_link *link)
{
	put32(link, VIEW_PAGE_SELF, link->slot);
	if (link->parent)
		put32(link, VIEW_PAGE_PARENT, link->parent->slot);
	else
		put32(link, VIEW_PAGE_SLOT, link->slot);
}

void view_link_free(struct view_link *link)
{
	if (link->view)
		view_put(link->view);
	sky_park_free(link->park);
	free_page((unsigned long)link->save);
	free_page((unsigned long)link->page);
	if (link->worker)
		sky_lend_return(link->worker);
	if (link->server) {
		atomic_dec(&link->server->target.links);
		sky_server_put(link->server);
	}
	if (link->user) {
		sky_user_uncharge(link->user, SKY_VIEWS, link->charged);
		sky_user_put(link->user);
	}
	if (link->thread)
		view_thread_put(link->thread);
	kfree(link);
}

/* Which link has its worker, for whoever makes others below it */
static void has_worker(struct view_link *link, bool has)
{
	spin_lock(&link->server->lock);
	link->worker->lend.view = has ? link : NULL;
	spin_unlock(&link->server->lock);
}

/*
 * With its thread's hand, and in no view: those below it are called no more. What is
 * parked there is for their clients, who are workers, to take, or late.
 */
static void end_children(struct view_link *parent)
{
	struct view_thread *t = parent->thread;

	if (!parent->children)
		return;
	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top; i++)
		if (t->links[i] && t->links[i]->parent == parent)
			WRITE_ONCE(t->links[i]->ending, true);
	view_thread_leaves(t);
	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top; i++)
		if (t->links[i] && t->links[i]->parent == parent)
			WRITE_ONCE(t->links[i]->parent, NULL);
	parent->children = 0;
	/* Who parks what is called below those may be on his way up. */
	view_thread_leaves(t);
	/* What is parked there was watched as its parent's. */
	view_late_watch(t);
}

struct sky_call *view_link_end(struct view_link *link)
{
	struct sky_call *late = link->late;

	mutex_lock(&link->thread->hand);
	has_worker(link, false);
	view_thread_remove(link->thread, link);
	/* Before those that it waits for: its worker takes what is parked there. */
	view_link_hand_late(link);
	end_children(link);
	if (link->parent)
		link->parent->children--;
	mutex_unlock(&link->thread->hand);
	return late;
}

void view_link_dies(struct view_link *link)
{
	WRITE_ONCE(link->dying, true);
	/* It is there, with its thread, as long as the lock is held. */
	schedule_work(&link->thread->late_work);
}

static int make_view(struct view_link *link, struct ept **view)
{
	int error = view_create(view);

	if (!error)
		error = view_set(*view, VIEW_PLACE_SAVE, link->save);
	if (!error)
		error = view_set(*view, VIEW_PLACE_PAGE, link->page);
	if (!error)
		error = view_set_pgd(*view, link->thread->mm->pgd,
				     link->server->mm->pgd);
	return error;
}

int view_link_anew(struct view_link *link)
{
	struct view_thread *t = link->thread;
	struct ept *view;
	int error = make_view(link, &view);

	if (error) {
		view_put(view);
		return error;
	}
	/* For who shows it; nobody enters it now. */
	raw_spin_lock_irq(&t->lock);
	swap(link->view, view);
	link->eptp = ept_eptp(link->view);
	raw_spin_unlock_irq(&t->lock);
	view_put(view);
	return 0;
}

unsigned int view_link_pages(const struct view_link *link)
{
	return ept_tables(link->view) + 2 + sky_park_pages();
}

/* Behind what it is for: how much that is depends on where all lies. */
static int charge(struct view_link *link)
{
	const unsigned int pages = view_link_pages(link);
	int error = sky_user_charge(link->user, SKY_VIEWS, pages);

	if (!error)
		link->charged = pages;
	return error;
}

static struct view_link *link_make(struct view_thread *t, struct sky_user *user,
				   struct sky_conn *conn)
{
	struct sky_server *server = conn->server;
	struct view_link *link = kzalloc(sizeof(*link), GFP_KERNEL_ACCOUNT);
	int error = -ENOMEM;

	if (!link)
		return ERR_PTR(-ENOMEM);
	kref_get(&t->refs);
	link->thread = t;
	link->user = sky_user_ref(user);
	link->server = server;
	sky_server_get(server);
	link->expires = U64_MAX;
	/* From here on it tells of changes; what there are, nobody has seen. */
	atomic_inc(&server->target.links);
	link->park = sky_park_new();
	link->save = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	link->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!link->park || !link->save || !link->page)
		goto free;
	link->save->self = (u64)link->save;
	link->save->listp = &t->list;
	link->save->thread = t;
	link->save->link = link;
	error = make_view(link, &link->view);
	if (!error)
		error = charge(link);
	if (error)
		goto free;
	link->eptp = ept_eptp(link->view);
	error = -EAGAIN;
	link->worker = sky_lend_take(conn);
	if (!link->worker)
		goto free;
	/* Roots may be where others have been. */
	vmx_forget();
	return link;
free:
	view_link_free(link);
	return ERR_PTR(error);
}

/* With @t's hand */
static int add(struct view_thread *t, struct sky_user *user,
	       struct sky_link *kcall, struct view_link *parent,
	       struct view_way *way)
{
	struct view_link *link;
	int error;

	if (READ_ONCE(kcall->owner) != current)
		return -EPERM;
	if (kcall->view)
		return -EEXIST;
	if (sky_link_is_dead(kcall))
		return -EPIPE;
	/*
	 * As a view: the client's top level would be mapped to itself. And who calls
	 * itself from a view needs another worker of its own, at least.
	 */
	if (kcall->server->mm == t->mm || kcall->server->mm == current->mm)
		return -EOPNOTSUPP;
	link = link_make(t, user, kcall->conn);
	if (IS_ERR(link))
		return PTR_ERR(link);
	link->parent = parent;
	fill_page(link, &link->worker->lend);
	error = sky_call_new(kcall, &link->late);
	if (!error)
		error = view_thread_add(t, link);
	if (!error) {
		fill_slots(link);
		error = sky_link_set_view(kcall, link);
		if (error)
			view_thread_remove(t, link);
	}
	if (error) {
		if (link->late)
			sky_call_free(link->late);
		view_link_free(link);
		return error;
	}
	has_worker(link, true);
	if (parent)
		parent->children++;
	trace_skyipc_view_link(link);
	way->slot = link->slot;
	way->key = view_link_key(link);
	way->parent = parent ? view_link_key(parent) : 0;
	return 0;
}

int view_link_add(struct view_thread *t, struct sky_user *user,
		  struct sky_link *kcall, const struct sky_worker *parents,
		  struct view_way *way)
{
	struct view_link *parent = NULL;
	int error;

	down_read(&view_anew_lock);
	error = view_thread_anew(t);
	if (error)
		goto up;
	mutex_lock(&t->hand);
	if (parents) {
		spin_lock(&parents->server->lock);
		parent = parents->lend.view;
		/* One of @t's stays as long as that's hand is held. */
		if (!parent || parent->thread != t)
			error = -ENOENT;
		spin_unlock(&parents->server->lock);
	}
	if (!error)
		error = add(t, user, kcall, parent, way);
	mutex_unlock(&t->hand);
up:
	up_read(&view_anew_lock);
	return error;
}

int view_link_new(struct view_thread *t,
		  struct skyipc_dev_view_link __user *user)
{
	struct skyipc_dev_view_link v;
	struct sky_link *link;
	struct view_way way;
	struct file *file;
	int error = sky_args(&v, user, sizeof(v));

	if (error)
		return error;
	if (v.pad)
		return -EINVAL;
	file = fget(v.link);
	if (!file)
		return -EBADF;
	link = sky_link_of(file);
	error = link ? view_link_add(t, t->user, link, NULL, &way) : -EBADF;
	if (!error) {
		v.slot = way.slot;
		v.key = way.key;
	}
	fput(file);
	if (!error && sky_put_words(user, &v, sizeof(v)))
		error = -EFAULT;
	return error;
}
