// SPDX-License-Identifier: GPL-2.0-only
#include <linux/anon_inodes.h>
#include <linux/bitmap.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "args.h"
#include "call.h"
#include "conn.h"
#include "dispatch.h"
#include "enter.h"
#include "forward.h"
#include "grant_call.h"
#include "serve.h"
#include "server.h"
#include "user.h"
#include "wake.h"
#include "worker.h"

void sky_server_get(struct sky_server *server)
{
	kref_get(&server->refs);
}

/*
 * All that there are, as long as somebody refers to them. Memory goes after a
 * grace period, so who walks here is under RCU.
 */
static LIST_HEAD(all);
static DEFINE_SPINLOCK(all_lock);

struct sky_server *sky_server_next(struct sky_server *prev)
{
	struct sky_server *server, *next = NULL;

	rcu_read_lock();
	server = list_prepare_entry(prev, &all, all);
	list_for_each_entry_continue_rcu(server, &all, all) {
		if (kref_get_unless_zero(&server->refs)) {
			next = server;
			break;
		}
	}
	rcu_read_unlock();
	if (prev)
		sky_server_put(prev);
	return next;
}

/* In any context: the last may be a call that is buried in mm_released(). */
static void server_free(struct kref *refs)
{
	struct sky_server *server = container_of(refs, struct sky_server, refs);

	spin_lock(&all_lock);
	list_del_rcu(&server->all);
	spin_unlock(&all_lock);
	mmdrop(server->mm);
	WARN_ON_ONCE(!xa_empty(&server->calls) || !xa_empty(&server->workers));
	xa_destroy(&server->calls);
	xa_destroy(&server->workers);
	sky_user_uncharge(server->user, SKY_SERVERS, 1);
	sky_user_put(server->user);
	mmu_notifier_put(&server->notifier);
}

/* All that there are: the module must not go before. */
static atomic_t servers;
static DECLARE_WAIT_QUEUE_HEAD(none);

static void server_free_rcu(struct rcu_head *rcu)
{
	struct sky_server *server = container_of(rcu, struct sky_server, rcu);

	bitmap_free(server->idle);
	kfree(server);
	if (atomic_dec_and_test(&servers))
		wake_up_all(&none);
}

/*
 * Nobody is in mm_released() any more. But a bell may be looking at it, or who
 * has answered a call and starts the next one of its link.
 */
static void notifier_free(struct mmu_notifier *notifier)
{
	call_rcu(&container_of(notifier, struct sky_server, notifier)->rcu,
		 server_free_rcu);
}

void sky_server_exit(void)
{
	wait_event(none, !atomic_read(&servers));
	/* Whoever has made it 0 is through, too. */
	synchronize_rcu();
}

void sky_server_put(struct sky_server *server)
{
	kref_put(&server->refs, server_free);
}

static void tell_workers(struct sky_server *server)
{
	struct sky_worker *worker;
	unsigned long number;

	rcu_read_lock();
	xa_for_each(&server->workers, number, worker) {
		/* What it listens to may, by ways, refer to itself. */
		sky_bell_drop(worker);
		wake_up_process(worker->task);
	}
	rcu_read_unlock();
}

/* What clients have left, nobody replies to any more. */
static void bury_all(struct sky_server *server)
{
	struct sky_call *call;
	unsigned long id = 0;

	do {
		rcu_read_lock();
		call = xa_find(&server->calls, &id, ULONG_MAX, XA_PRESENT);
		if (call)
			sky_call_bury(call);
		rcu_read_unlock();
		cond_resched();
	} while (call && id++ < U32_MAX);
}

void sky_server_die(struct sky_server *server)
{
	struct sky_conn *conn, *next;

	spin_lock(&server->lock);
	WRITE_ONCE(server->dead, true);
	list_for_each_entry_safe(conn, next, &server->conns, node)
		sky_conn_die(conn);
	spin_unlock(&server->lock);
	/*
	 * A client that leaves a call looks whether the server is dead after
	 * that, and so does who forwards one: one of the two sees what the
	 * other wrote.
	 */
	smp_mb();
	view_target_dies(&server->target);
	sky_forwarded_fail(server, NULL);
	bury_all(server);
	tell_workers(server);
	sky_wake_hup(&server->poll);
}

/* Its process ends, or executes another program. */
static void mm_released(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	sky_server_die(container_of(notifier, struct sky_server, notifier));
}

/* Also a page table that is freed: then by the end of the range alone. */
static void mm_changed(struct mmu_notifier *notifier, struct mm_struct *mm,
		       unsigned long start, unsigned long end)
{
	view_target_changed(&container_of(notifier, struct sky_server,
					  notifier)->target);
}

#ifndef HAVE_SECONDARY_TLBS
static void mm_changed_end(struct mmu_notifier *notifier,
			   const struct mmu_notifier_range *range)
{
	view_target_changed(&container_of(notifier, struct sky_server,
					  notifier)->target);
}
#endif

static const struct mmu_notifier_ops notifier_ops = {
#ifdef HAVE_SECONDARY_TLBS
	.arch_invalidate_secondary_tlbs = mm_changed,
#else
	.invalidate_range = mm_changed,
	.invalidate_range_end = mm_changed_end,
#endif
	.release = mm_released,
	.free_notifier = notifier_free,
};

static int server_release(struct inode *inode, struct file *file)
{
	struct sky_server *server = file->private_data;

	sky_server_die(server);
	sky_server_put(server);
	return 0;
}

static __poll_t server_poll(struct file *file, poll_table *wait)
{
	struct sky_server *server = file->private_data;

	poll_wait(file, &server->poll, wait);
	/* Pairs with dispatch(). */
	smp_mb();
	if (sky_server_is_dead(server))
		return EPOLLHUP | EPOLLERR;
	return sky_is_pending(server) ? EPOLLIN | EPOLLRDNORM : 0;
}

static long server_ioctl(struct file *file, unsigned int number,
			 unsigned long arg)
{
	struct sky_server *server = file->private_data;
	void __user *user = (void __user *)arg;

	/* A child that has inherited it, or whoever it was passed to */
	if (current->mm != server->mm)
		return -EPERM;
	switch (number) {
	case SKYIPC_SERVER_CONNECT:
		return sky_conn_new(server, user);
	case SKYIPC_SERVER_WORKER:
		return sky_worker_new(server, user);
	case SKYIPC_SERVER_REPLY:
		return sky_reply(server, user);
	case SKYIPC_SERVER_FORWARD:
		return sky_forward(server, user);
	case SKYIPC_SERVER_GRANT:
		return sky_grant_call(server, user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations server_fops = {
	.owner = THIS_MODULE,
	.release = server_release,
	.poll = server_poll,
	.unlocked_ioctl = server_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.fadvise = sky_no_enter,
	.llseek = noop_llseek,
};

static int server_make(struct sky_user *user, struct sky_server **made)
{
	struct sky_server *server = kzalloc(sizeof(*server),
					    GFP_KERNEL_ACCOUNT);
	int error = -ENOMEM;

	if (!server)
		return -ENOMEM;
	/* One more is nobody's. */
	server->idle = bitmap_zalloc(SKY_WORKERS_MAX + 1, GFP_KERNEL_ACCOUNT);
	if (!server->idle)
		goto free;
	kref_init(&server->refs);
	xa_init_flags(&server->workers, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	xa_init_flags(&server->calls, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	spin_lock_init(&server->lock);
	INIT_LIST_HEAD(&server->pending);
	INIT_LIST_HEAD(&server->conns);
	init_waitqueue_head(&server->poll);
	server->notifier.ops = &notifier_ops;
	server->mm = current->mm;
	error = mmu_notifier_register(&server->notifier, server->mm);
	if (error)
		goto free_idle;
	mmgrab(server->mm);
	atomic_inc(&servers);
	server->user = user;
	server->pid = task_tgid_nr(current);
	spin_lock(&all_lock);
	list_add_tail_rcu(&server->all, &all);
	spin_unlock(&all_lock);
	*made = server;
	return 0;
free_idle:
	bitmap_free(server->idle);
free:
	kfree(server);
	return error;
}

int sky_server_new(const struct skyipc_dev_server __user *arg)
{
	struct skyipc_dev_server attr;
	struct sky_server *server;
	struct sky_user *user;
	int fd;

	/* Calls are held without preemption, under locks that sleep there. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return -EOPNOTSUPP;
	fd = sky_args(&attr, arg, sizeof(attr));
	if (fd)
		return fd;
	if (attr.flags)
		return -EINVAL;
	user = sky_user_get();
	if (!user)
		return -ENOMEM;
	fd = sky_user_charge(user, SKY_SERVERS, 1);
	if (fd)
		goto put;
	fd = server_make(user, &server);
	if (fd)
		goto uncharge;
	fd = anon_inode_getfd("[skyipc-server]", &server_fops, server,
			      O_RDWR | O_CLOEXEC);
	if (fd < 0)
		sky_server_put(server);
	return fd;
uncharge:
	sky_user_uncharge(user, SKY_SERVERS, 1);
put:
	sky_user_put(user);
	return fd;
}
