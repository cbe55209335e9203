// SPDX-License-Identifier: GPL-2.0-only
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "args.h"
#include "conn.h"
#include "enter.h"
#include "forward.h"
#include "lend.h"
#include "link.h"
#include "server.h"
#include "user.h"
#include "view/thread.h"
#include "view/view.h"
#include "view/vlink.h"
#include "wake.h"

void sky_conn_get(struct sky_conn *conn)
{
	kref_get(&conn->refs);
}

static void conn_free(struct kref *refs)
{
	struct sky_conn *conn = container_of(refs, struct sky_conn, refs);
	struct sky_server *server = conn->server;

	spin_lock(&server->lock);
	list_del_init(&conn->node);
	if (!conn->dead)
		sky_user_uncharge(conn->user, SKY_CONNS, 1);
	spin_unlock(&server->lock);
	if (conn->mm)
		mmdrop(conn->mm);
	sky_user_put(conn->user);
	kfree(conn);
	sky_server_put(server);
}

void sky_conn_put(struct sky_conn *conn)
{
	kref_put(&conn->refs, conn_free);
}

/* Those that sleep look, those that poll are told. */
static void tell_links(struct sky_conn *conn)
{
	struct sky_link *link;

	WRITE_ONCE(conn->dead, true);
	list_for_each_entry(link, &conn->links, node) {
		WRITE_ONCE(link->dead, true);
		sky_wake_client(link->client);
		sky_wake_hup(&link->poll);
		if (link->view)
			view_link_dies(link->view);
	}
	sky_lend_conn_dies(conn);
}

void sky_conn_die(struct sky_conn *conn)
{
	lockdep_assert_held(&conn->server->lock);
	if (conn->dead)
		return;
	/* Who keeps it open keeps nothing of its server's. */
	sky_user_uncharge(conn->user, SKY_CONNS, 1);
	list_del_init(&conn->node);
	tell_links(conn);
}

static int conn_release(struct inode *inode, struct file *file)
{
	sky_conn_put(file->private_data);
	return 0;
}

/* Whoever uses it first, but not the server that has only made it. */
static int adopt(struct sky_conn *conn)
{
	int error = 0;

	spin_lock(&conn->server->lock);
	if (conn->dead) {
		error = -EPIPE;
	} else if (!conn->mm) {
		mmgrab(current->mm);
		conn->mm = current->mm;
	} else if (conn->mm != current->mm) {
		error = -EPERM;
	}
	spin_unlock(&conn->server->lock);
	return error;
}

static int kill(struct sky_conn *conn)
{
	struct sky_server *server = conn->server;
	int error = -EPERM;

	spin_lock(&server->lock);
	if (current->mm == server->mm || current->mm == conn->mm) {
		sky_conn_die(conn);
		error = 0;
	}
	spin_unlock(&server->lock);
	if (error)
		return error;
	/* Pairs with the barrier of who forwards. */
	smp_mb();
	if (atomic_read(&conn->forwarded))
		sky_forwarded_fail(server, conn);
	return 0;
}

/* For the server alone: this has its lock, a moment for each link. */
static int tell_views(struct sky_conn *conn,
		      struct skyipc_dev_views __user *user)
{
	struct view_counts sum = {};
	struct skyipc_dev_views v;
	struct sky_link *link;
	int error = sky_args(&v, user, sizeof(v));

	if (error)
		return error;
	if (current->mm != conn->server->mm)
		return -EPERM;
	if (v.pad)
		return -EINVAL;
	spin_lock(&conn->server->lock);
	view_counts_add(&sum, &conn->views);
	list_for_each_entry(link, &conn->links, node)
		if (link->view)
			view_counts_add(&sum, &link->view->counts);
	spin_unlock(&conn->server->lock);
	view_counts_tell(&v, &sum);
	return sky_put_words(user, &v, sizeof(v)) ? -EFAULT : 0;
}

static long conn_ioctl(struct file *file, unsigned int number,
		       unsigned long arg)
{
	struct sky_conn *conn = file->private_data;
	int error;

	switch (number) {
	case SKYIPC_CONN_LINK:
		error = adopt(conn);
		return error ?: sky_link_new(conn, (void __user *)arg);
	case SKYIPC_CONN_KILL:
		return kill(conn);
	case SKYIPC_CONN_VIEWS:
		return tell_views(conn, (void __user *)arg);
	case SKYIPC_DEV_VIEW:
		error = adopt(conn);
		return error ?: view_thread_new();
	default:
		return -ENOTTY;
	}
}

/* Who calls needs no access to /dev/skyipc. */
static int conn_mmap(struct file *file, struct vm_area_struct *vma)
{
	return view_mmap(vma);
}

static const struct file_operations conn_fops = {
	.owner = THIS_MODULE,
	.release = conn_release,
	.unlocked_ioctl = conn_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.fadvise = sky_no_enter,
	.mmap = conn_mmap,
	.llseek = noop_llseek,
};

struct sky_conn *sky_conn_get_fd(int fd)
{
	struct file *file = fget(fd);
	struct sky_conn *conn;
	int error = -EINVAL;

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op != &conn_fops)
		goto put;
	conn = file->private_data;
	error = adopt(conn);
	if (error)
		goto put;
	sky_conn_get(conn);
	fput(file);
	return conn;
put:
	fput(file);
	return ERR_PTR(error);
}

struct sky_conn *sky_conn_of_server(int fd, const struct sky_server *server)
{
	struct sky_conn *conn = ERR_PTR(-EBADF);
	struct file *file = fget(fd);

	if (!file)
		return conn;
	if (file->f_op == &conn_fops) {
		struct sky_conn *found = file->private_data;

		if (found->server == server) {
			sky_conn_get(found);
			conn = found;
		}
	}
	fput(file);
	return conn;
}

static struct sky_conn *conn_make(struct sky_server *server, u64 cookie)
{
	struct sky_conn *conn;
	int error;

	error = sky_user_charge(server->user, SKY_CONNS, 1);
	if (error)
		return ERR_PTR(error);
	conn = kzalloc(sizeof(*conn), GFP_KERNEL_ACCOUNT);
	if (!conn) {
		sky_user_uncharge(server->user, SKY_CONNS, 1);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&conn->refs);
	INIT_LIST_HEAD(&conn->links);
	INIT_LIST_HEAD(&conn->lenders);
	conn->cookie = cookie;
	conn->user = sky_user_ref(server->user);
	sky_server_get(server);
	conn->server = server;
	spin_lock(&server->lock);
	list_add(&conn->node, &server->conns);
	if (server->dead)
		sky_conn_die(conn);
	spin_unlock(&server->lock);
	return conn;
}

int sky_conn_new(struct sky_server *server,
		 const struct skyipc_dev_connect __user *user)
{
	struct skyipc_dev_connect attr;
	struct sky_conn *conn;
	int fd;

	fd = sky_args(&attr, user, sizeof(attr));
	if (fd)
		return fd;
	if (attr.flags)
		return -EINVAL;
	conn = conn_make(server, attr.cookie);
	if (IS_ERR(conn))
		return PTR_ERR(conn);
	fd = anon_inode_getfd("[skyipc-conn]", &conn_fops, conn,
			      O_RDWR | O_CLOEXEC);
	if (fd < 0)
		sky_conn_put(conn);
	return fd;
}
