// SPDX-License-Identifier: GPL-2.0-only
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "args.h"
#include "conn.h"
#include "enter.h"
#include "dispatch.h"
#include "hot.h"
#include "link.h"
#include "link_call.h"
#include "park.h"
#include "server.h"
#include "user.h"
#include "view/vlink.h"

/* The quota is what counts; this keeps sizes sane. */
#define SKY_DEPTH_MAX BIT(20)

static void link_free(struct rcu_head *rcu)
{
	struct sky_link *link = container_of(rcu, struct sky_link, rcu);

	put_task_struct(link->client);
	kvfree(link);
}

static void end_call(struct sky_link *link, struct sky_call *call)
{
	if (!call)
		return;
	if (sky_link_drop(link, &call) == SKY_DONE)
		sky_link_collect(link, call);
	if (!call)
		return;
	/* out of done, or free */
	spin_lock(&link->lock);
	list_del_init(&call->node);
	spin_unlock(&link->lock);
	sky_call_free(call);
}

/* Who buries them has no link to look at. */
static void forget_left(struct sky_link *link)
{
	struct sky_call *call, *next;

	spin_lock(&link->lock);
	list_for_each_entry_safe(call, next, &link->left, queued) {
		list_del_init(&call->queued);
		WRITE_ONCE(call->link, NULL);
	}
	spin_unlock(&link->lock);
}

int sky_link_set_view(struct sky_link *link, struct view_link *view)
{
	int error = -EPIPE;

	spin_lock(&link->server->lock);
	/* Else it would not be told of that: view_link_dies() */
	if (!link->dead) {
		link->view = view;
		error = 0;
	}
	spin_unlock(&link->server->lock);
	return error;
}

void sky_link_end_view(struct sky_link *link)
{
	struct view_link *view = link->view;
	struct sky_call *late;

	if (!view)
		return;
	late = view_link_end(view);
	/* In one step, for who adds them up: tell_views() */
	spin_lock(&link->server->lock);
	view_counts_add(&link->conn->views, &view->counts);
	link->view = NULL;
	spin_unlock(&link->server->lock);
	view_link_free(view);
	end_call(link, late);
}

/* Also for one that was made in part */
static void link_end(struct sky_link *link)
{
	struct sky_conn *conn = link->conn;

	/* None starts now because another one ends. */
	for (unsigned int i = 0; i < link->depth; i++) {
		if (link->submits[i])
			sky_unqueue(link->submits[i]);
		cond_resched();
	}
	end_call(link, link->call);
	sky_link_end_view(link);
	for (unsigned int i = 0; i < link->depth; i++) {
		end_call(link, link->submits[i]);
		cond_resched();
	}
	/* Before: who shows links looks at the call whose turn it is. */
	spin_lock(&conn->server->lock);
	list_del(&link->node);
	spin_unlock(&conn->server->lock);
	forget_left(link);
	sky_alarm_drop(&link->alarm);
	sky_park_free(link->park);
	sky_user_put(link->user);
	/* sky_finish() may be looking at it. */
	call_rcu(&link->rcu, link_free);
	sky_conn_put(conn);
}

static int link_release(struct inode *inode, struct file *file)
{
	link_end(file->private_data);
	return 0;
}

static __poll_t link_poll(struct file *file, poll_table *wait)
{
	struct sky_link *link = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &link->poll, wait);
	if (sky_link_is_dead(link))
		events |= EPOLLHUP | EPOLLERR;
	if (!list_empty_careful(&link->done))
		events |= EPOLLIN | EPOLLRDNORM;
	return events;
}

/* A thread that somebody may be waking just now */
struct old_client {
	struct rcu_head rcu;
	struct task_struct *task;
};

static void forget_client(struct rcu_head *rcu)
{
	struct old_client *old = container_of(rcu, struct old_client, rcu);

	put_task_struct(old->task);
	kfree(old);
}

static int release(struct sky_link *link)
{
	/* Of a call that could have been resumed nobody wants to hear. */
	if (link->resumable) {
		link->resumable = false;
		if (sky_link_drop(link, &link->call) == SKY_DONE)
			sky_link_collect(link, link->call);
	}
	/* Views are a thread's. */
	sky_link_end_view(link);
	/* Pairs with adopt(): everything before is done with. */
	smp_store_release(&link->owner, NULL);
	return 0;
}

static int adopt(struct sky_link *link)
{
	struct sky_server *server = link->server;
	struct old_client *old;

	old = kmalloc(sizeof(*old), GFP_KERNEL_ACCOUNT);
	if (!old)
		return -ENOMEM;
	spin_lock(&server->lock);
	/* conn->mm, as the link has been made, does not change. */
	if (smp_load_acquire(&link->owner) ||
	    current->mm != link->conn->mm) {
		spin_unlock(&server->lock);
		kfree(old);
		return current->mm == link->conn->mm ? -EBUSY : -EPERM;
	}
	old->task = link->client;
	WRITE_ONCE(link->client, get_task_struct(current));
	WRITE_ONCE(link->client_pid, task_pid_nr(current));
	WRITE_ONCE(link->owner, current);
	spin_unlock(&server->lock);
	call_rcu(&old->rcu, forget_client);
	return 0;
}

static __sky_hot long link_ioctl(struct file *file, unsigned int number,
				 unsigned long arg)
{
	struct sky_link *link = file->private_data;
	void __user *user = (void __user *)arg;

	if (number == SKYIPC_LINK_ADOPT)
		return adopt(link);
	if (current != READ_ONCE(link->owner))
		return -EPERM;
	switch (number) {
	case SKYIPC_LINK_RELEASE:
		return release(link);
	case SKYIPC_LINK_CALL:
		return sky_link_call(link, user);
	case SKYIPC_LINK_PARK:
		return sky_link_park(link, user);
	case SKYIPC_LINK_SUBMIT:
		return sky_link_submit(link, user);
	case SKYIPC_LINK_REAP:
		return sky_link_reap(link, user);
	default:
		return -ENOTTY;
	}
}

/* CALL */
static __sky_hot int link_enter(struct file *file, loff_t call, loff_t len,
				int advice)
{
	struct sky_link *link = file->private_data;

	if (current != READ_ONCE(link->owner))
		return -EPERM;
	if (!sky_is_enter(len, advice))
		return -EINVAL;
	return sky_link_call(link, (void __user *)call);
}

static const struct file_operations link_fops = {
	.owner = THIS_MODULE,
	.release = link_release,
	.poll = link_poll,
	.fadvise = link_enter,
	.unlocked_ioctl = link_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

struct sky_link *sky_link_of(struct file *file)
{
	return file->f_op == &link_fops ? file->private_data : NULL;
}

static enum hrtimer_restart alarm_rings(struct hrtimer *timer)
{
	struct sky_link *link = container_of(timer, struct sky_link,
					     alarm.timer);

	return sky_alarm_rings(&link->alarm, &link->client);
}

static struct sky_link *link_make(struct sky_conn *conn, unsigned int depth)
{
	struct sky_user *user = sky_user_get();
	struct sky_link *link;

	if (!user)
		return ERR_PTR(-ENOMEM);
	link = kvzalloc(struct_size(link, submits, depth), GFP_KERNEL_ACCOUNT);
	if (!link) {
		sky_user_put(user);
		return ERR_PTR(-ENOMEM);
	}
	link->conn = conn;
	sky_conn_get(conn);
	link->server = conn->server;
	link->cookie = conn->cookie;
	link->worker = SKY_WORKERS_MAX;
	link->client = get_task_struct(current);
	link->client_pid = task_pid_nr(current);
	link->owner = current;
	link->user = user;
	link->depth = depth;
	spin_lock_init(&link->lock);
	INIT_LIST_HEAD(&link->queue);
	INIT_LIST_HEAD(&link->left);
	INIT_LIST_HEAD(&link->done);
	INIT_LIST_HEAD(&link->free);
	init_waitqueue_head(&link->poll);
	sky_alarm_init(&link->alarm, alarm_rings);
	spin_lock(&conn->server->lock);
	list_add(&link->node, &conn->links);
	link->dead = conn->dead;
	spin_unlock(&conn->server->lock);
	return link;
}

static int make_calls(struct sky_link *link)
{
	int error = sky_call_new(link, &link->call);

	for (unsigned int i = 0; !error && i < link->depth; i++) {
		error = sky_call_new(link, &link->submits[i]);
		if (!error)
			list_add_tail(&link->submits[i]->node, &link->free);
		if (!error && fatal_signal_pending(current))
			error = -EINTR;
		cond_resched();
	}
	return error;
}

int sky_link_new(struct sky_conn *conn,
		 const struct skyipc_dev_link __user *arg)
{
	struct skyipc_dev_link attr;
	struct sky_link *link;
	int fd;

	fd = sky_args(&attr, arg, sizeof(attr));
	if (fd)
		return fd;
	if (attr.depth > SKY_DEPTH_MAX)
		return -EINVAL;
	link = link_make(conn, attr.depth);
	if (IS_ERR(link))
		return PTR_ERR(link);
	fd = make_calls(link);
	if (!fd)
		fd = anon_inode_getfd("[skyipc-link]", &link_fops, link,
				      O_RDWR | O_CLOEXEC);
	if (fd < 0)
		link_end(link);
	return fd;
}
