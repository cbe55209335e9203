// SPDX-License-Identifier: GPL-2.0-only
/*
 * A handler in a view calls another server, and stays in views: the way there is made
 * by its worker, who has a link of his own to that server.
 */
#include <linux/file.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "kcall/args.h"
#include "kcall/link.h"
#include "kcall/server.h"
#include "kcall/worker.h"
#include "thread.h"
#include "vlink.h"

/* Of the link that has @worker, referred to; NULL: none has */
static struct view_thread *thread_of(struct sky_worker *worker)
{
	struct view_thread *t = NULL;

	spin_lock(&worker->server->lock);
	if (worker->lend.view) {
		t = worker->lend.view->thread;
		kref_get(&t->refs);
	}
	spin_unlock(&worker->server->lock);
	return t;
}

static int nest(struct sky_worker *worker, struct sky_link *link,
		struct skyipc_dev_nest *n)
{
	struct view_thread *t;
	struct view_way way;
	int error;

	if (READ_ONCE(link->owner) != current)
		return -EPERM;
	/* One that was made for another client of this worker's */
	sky_link_end_view(link);
	t = thread_of(worker);
	if (!t)
		return -ENOENT;
	error = view_link_add(t, worker->user, link, worker, &way);
	if (!error) {
		n->slot = way.slot;
		n->key = way.key;
		n->parent = way.parent;
	}
	view_thread_put(t);
	return error;
}

/* With its thread's hand, and no CPU in its view: does its handler wait there? */
static int waits(const struct view_link *link, u64 __user *nest)
{
	u64 sp;

	if (READ_ONCE(link->state) != VIEW_FREE)
		return READ_ONCE(link->state) == VIEW_NESTED;
	/* If what it waits for is not parked, its own process knows. */
	if (copy_from_user_nofault(&sp, nest, sizeof(sp)))
		return -EAGAIN;
	return sp != 0;
}

static int recall(struct view_thread *t, struct sky_worker *worker)
{
	struct view_link *link;
	int error = 0;

	mutex_lock(&t->hand);
	spin_lock(&worker->server->lock);
	link = worker->lend.view;
	spin_unlock(&worker->server->lock);
	/* Another thread's, by now: that one is as good as new. */
	if (!link || link->thread != t)
		goto unlock;
	WRITE_ONCE(link->recalled, true);
	view_thread_leaves(t);
	error = waits(link, (u64 __user *)worker->lend.nest);
	if (error > 0) {
		view_link_hand_late(link);
		error = 0;
	}
	WRITE_ONCE(link->recalled, false);
	/* Who calls next finds it again. */
	view_thread_leaves(t);
unlock:
	mutex_unlock(&t->hand);
	return error;
}

int view_link_recall(struct sky_worker *worker)
{
	struct view_thread *t;
	int error = 0;

	if (current->mm != worker->server->mm)
		return -EPERM;
	if (!worker->lend.nest)
		return -EOPNOTSUPP;
	t = thread_of(worker);
	if (t) {
		error = recall(t, worker);
		view_thread_put(t);
	}
	return error;
}

int view_link_nest(struct sky_worker *worker, struct skyipc_dev_nest __user *user)
{
	struct skyipc_dev_nest n;
	struct sky_link *link;
	struct file *file;
	int error = sky_args(&n, user, sizeof(n));

	if (error)
		return error;
	if (n.pad)
		return -EINVAL;
	if (!worker->lend.nest)
		return -EOPNOTSUPP;
	file = fget(n.link);
	if (!file)
		return -EBADF;
	link = sky_link_of(file);
	error = link ? nest(worker, link, &n) : -EBADF;
	fput(file);
	if (!error && sky_put_words(user, &n, sizeof(n)))
		error = -EFAULT;
	return error;
}
