/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connection: the right to call a server, as a descriptor that the server's
 * process hands to a client. The first process that makes a link of it is the
 * one that may.
 */
#ifndef SKYIPC_CONN_H
#define SKYIPC_CONN_H

#include <linux/kref.h>
#include <linux/list.h>

#include "skyipc_dev.h"
#include "view/counts.h"

struct mm_struct;
struct sky_server;
struct sky_user;

struct sky_conn {
	struct kref refs;
	struct sky_server *server;
	struct sky_user *user;		/* of who made it: the server's */
	u64 cookie;
	struct list_head node;		/* server->conns */
	atomic_t forwarded;		/* calls that are here by way of it */

	/* server->lock */
	bool dead;			/* read without, too: nobody is charged */
	struct mm_struct *mm;		/* the client's, grabbed; once */
	struct list_head links;
	struct list_head lenders;	/* workers that have lent themselves */
	struct view_counts views;	/* of links that have none any more */
};

static inline bool sky_conn_is_dead(const struct sky_conn *conn)
{
	/*
	 * Pairs with sky_conn_die(), which wakes all links after writing it:
	 * sleepers look after they have said that they sleep.
	 */
	return READ_ONCE(conn->dead);
}

/* No call of it will be answered any more. */
void sky_conn_die(struct sky_conn *conn);

int sky_conn_new(struct sky_server *server,
		 const struct skyipc_dev_connect __user *user);
/*
 * The connection behind a descriptor of the calling process, which it is to
 * call over: referred to; or ERR_PTR()
 */
struct sky_conn *sky_conn_get_fd(int fd);
/* One of @server's own, whoever calls over it: likewise */
struct sky_conn *sky_conn_of_server(int fd, const struct sky_server *server);
void sky_conn_get(struct sky_conn *conn);
void sky_conn_put(struct sky_conn *conn);

#endif
