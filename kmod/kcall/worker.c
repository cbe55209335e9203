// SPDX-License-Identifier: GPL-2.0-only
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "args.h"
#include "enter.h"
#include "find.h"
#include "hot.h"
#include "park.h"
#include "serve.h"
#include "server.h"
#include "user.h"
#include "view/vlink.h"
#include "worker.h"

static void worker_free_rcu(struct rcu_head *rcu)
{
	struct sky_worker *worker = container_of(rcu, struct sky_worker, rcu);

	put_task_struct(worker->task);
	kfree(worker);
}

static void worker_free(struct kref *refs)
{
	struct sky_worker *worker = container_of(refs, struct sky_worker, refs);
	struct sky_server *server = worker->server;

	sky_lend_end(worker);
	sky_bell_drop(worker);
	sky_inherit_end(worker);
	sky_park_free(worker->park);
	sky_set_worker(server, worker->number, NULL);
	xa_erase(&server->workers, worker->number);
	sky_user_uncharge(worker->user, SKY_WORKERS, 1);
	sky_user_put(worker->user);
	sky_server_put(server);
	/* sky_server_die() may be waking it. */
	call_rcu(&worker->rcu, worker_free_rcu);
}

/* It does not wait: nobody is in an ioctl when the file is released. */
void sky_worker_put(struct sky_worker *worker)
{
	kref_put(&worker->refs, worker_free);
}

static int worker_release(struct inode *inode, struct file *file)
{
	sky_lend_gone(file->private_data);
	sky_worker_put(file->private_data);
	return 0;
}

static __sky_hot long worker_ioctl(struct file *file, unsigned int number,
				   unsigned long arg)
{
	struct sky_worker *worker = file->private_data;
	void __user *user = (void __user *)arg;

#ifdef CONFIG_X86_64
	if (number == SKYIPC_WORKER_RECALL)
		return view_link_recall(worker);
#endif
	if (current != worker->task)
		return -EPERM;
	worker->file = file;
	switch (number) {
	case SKYIPC_WORKER_SERVE:
		return sky_serve(worker, user);
	case SKYIPC_WORKER_READ:
		return sky_read(worker->server, user);
#ifdef CONFIG_X86_64
	case SKYIPC_WORKER_LEND:
		return sky_worker_lend(worker, user);
	case SKYIPC_WORKER_NEST:
		return view_link_nest(worker, user);
#endif
	default:
		return -ENOTTY;
	}
}

/* SERVE */
static __sky_hot int worker_enter(struct file *file, loff_t serve, loff_t len,
				  int advice)
{
	struct sky_worker *worker = file->private_data;

	if (current != worker->task)
		return -EPERM;
	if (!sky_is_enter(len, advice))
		return -EINVAL;
	worker->file = file;
	return sky_serve(worker, (void __user *)serve);
}

static const struct file_operations worker_fops = {
	.owner = THIS_MODULE,
	.release = worker_release,
	.fadvise = worker_enter,
	.unlocked_ioctl = worker_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/* The number is from an array of bits that does not grow. */
static int enlist(struct sky_worker *worker)
{
	struct sky_server *server = worker->server;
	u32 number;
	int error;

	error = xa_alloc(&server->workers, &number, worker,
			 XA_LIMIT(0, SKY_WORKERS_MAX - 1), GFP_KERNEL_ACCOUNT);
	if (error)
		return error == -EBUSY ? -EDQUOT : error;
	worker->number = number;
	sky_set_worker(server, number, worker);
	spin_lock(&server->lock);
	if (number >= server->top)
		WRITE_ONCE(server->top, number + 1);
	spin_unlock(&server->lock);
	return 0;
}

int sky_worker_new(struct sky_server *server,
		   const struct skyipc_dev_worker __user *arg)
{
	struct sky_user *user = server->user;
	struct skyipc_dev_worker attr;
	struct sky_worker *worker;
	int fd;

	fd = sky_args(&attr, arg, sizeof(attr));
	if (fd)
		return fd;
	if (attr.flags & ~(u32)SKYIPC_WORKER_INHERIT || attr.pad)
		return -EINVAL;
	fd = sky_user_charge(user, SKY_WORKERS, 1);
	if (fd)
		return fd;
	worker = kzalloc(sizeof(*worker), GFP_KERNEL_ACCOUNT);
	fd = -ENOMEM;
	if (!worker)
		goto uncharge;
	kref_init(&worker->refs);
	worker->server = server;
	sky_bell_init(&worker->bell);
	INIT_LIST_HEAD(&worker->lend.node);
	/* Before anybody can find it, and look where it runs. */
	worker->task = get_task_struct(current);
	fd = enlist(worker);
	if (fd)
		goto put;
	worker->user = sky_user_ref(user);
	sky_server_get(server);
	if (attr.flags & SKYIPC_WORKER_INHERIT)
		sky_inherit_begin(worker);
	fd = attr.bell < 0 ? 0 : sky_bell_hang(worker, attr.bell);
	if (!fd)
		fd = anon_inode_getfd("[skyipc-worker]", &worker_fops, worker,
				      O_RDWR | O_CLOEXEC);
	if (fd < 0)
		sky_worker_put(worker);
	return fd;
put:
	put_task_struct(worker->task);
	kfree(worker);
uncharge:
	sky_user_uncharge(user, SKY_WORKERS, 1);
	return fd;
}
