/* SPDX-License-Identifier: MIT */
/*
 * sconn_sock.c - what the server hears from a client, and sends to it
 *
 * Descriptors count, in either direction, against limits that all clients
 * share: received ones are open here until a handler has them, and those sent
 * are "in flight" for our user until the client reads them (unix(7),
 * ETOOMANYREFS). So both are charged to the client's user.
 */
#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "server.h"
#include "sock.h"

/* Messages that a worker reads in search of a call's descriptors. A client that
 * has more on the way than its socket's buffer holds keeps it from others. */
#define HEARD_MAX 1024

/* Connections of a user at its limit that are looked at for what was read. */
#define LOOK_AT 64

/*
 * Each unread message counts several hundred bytes. While the last one is being
 * freed it still counts one byte when the event comes (sock_wfree() in the
 * kernel), and no event follows.
 */
#define NEARLY_NOTHING 64
#define LEAST_MESSAGE 256

/* ---- sending ---------------------------------------------------------------
 */

/* How many messages lie in the socket, at most */
static unsigned messages_unread(const struct sconn *conn)
{
	int bytes;

	if (ioctl(conn->sock, SIOCOUTQ, &bytes))
		return UINT_MAX;
	return bytes < NEARLY_NOTHING ? 0 : (unsigned)bytes / LEAST_MESSAGE + 1;
}

/* How many descriptors they have, at most: they are the last that were sent. */
static unsigned fds_unread(const struct sconn *conn)
{
	unsigned messages = messages_unread(conn), n = 0;

	if (messages >= SCONN_SENT)
		return conn->unread;
	for (unsigned i = 1; i <= messages; i++)
		n += conn->sent[(conn->sent_next - i) % SCONN_SENT];
	n += conn->reserved;
	return n < conn->unread ? n : conn->unread;
}

static void unread_locked(struct sconn *conn, unsigned n)
{
	struct quota_user *user = conn->user;

	if (!conn->unread)
		TAILQ_INSERT_TAIL(&user->unread_conns, conn, unread_entry);
	conn->unread += n;
	user->unread += n;
}

static void read_locked(struct sconn *conn, unsigned n)
{
	struct quota_user *user = conn->user;

	conn->unread -= n;
	user->unread -= n;
	if (!conn->unread)
		TAILQ_REMOVE(&user->unread_conns, conn, unread_entry);
}

/*
 * Which of them have been read meanwhile is asked only when it matters. The
 * sockets of connections on the list are open: see bury() in sconn.c.
 */
static void look_locked(struct quota_user *user)
{
	struct sconn *conn;

	for (int i = 0; i < LOOK_AT; i++) {
		conn = TAILQ_FIRST(&user->unread_conns);
		if (!conn)
			return;
		read_locked(conn, conn->unread - fds_unread(conn));
		if (!conn->unread)
			continue;
		TAILQ_REMOVE(&user->unread_conns, conn, unread_entry);
		TAILQ_INSERT_TAIL(&user->unread_conns, conn, unread_entry);
	}
}

int sconn_reserve_fds(struct sconn *conn, unsigned n, char *why, size_t len)
{
	struct skyipc_server *server = conn->server;
	struct quota_user *user = conn->user;
	uint64_t max = SKYIPC_MAX_FDS;
	int err = 0;

	pthread_mutex_lock(&server->lock);
	if (user->unread + n > max) {
		look_locked(user);
		max = quota_fds_max();
	}
	if (user->unread + n > max) {
		snprintf(why, len,
			 "quota of descriptors: uid %u has not read %llu of "
			 "them (the most is an eighth of the server's "
			 "RLIMIT_NOFILE)",
			 (unsigned)user->uid, (unsigned long long)user->unread);
		err = -EDQUOT;
	} else if (conn->state >= SCONN_LINGERING) {
		err = -EPIPE;
	} else {
		unread_locked(conn, n);
		conn->reserved += n;
	}
	pthread_mutex_unlock(&server->lock);
	return err;
}

/* What was reserved has been sent, or will not be. */
static void settle(struct sconn *conn, unsigned n, int sent)
{
	pthread_mutex_lock(&conn->server->lock);
	conn->reserved -= n;
	if (sent)
		conn->sent[conn->sent_next++ % SCONN_SENT] = (uint16_t)n;
	/* (A connection that is buried meanwhile has none.) */
	else if (conn->unread)
		read_locked(conn, n);
	pthread_mutex_unlock(&conn->server->lock);
}

void sconn_unreserve_fds(struct sconn *conn, unsigned n)
{
	settle(conn, n, 0);
}

int sconn_send_locked(struct sconn *conn, const union proto_msg *msg,
		      size_t len, const int *fds, unsigned n)
{
	int err = -EPIPE;

	/* Without waiting: a client that does not read harms itself. */
	if (conn->sock >= 0)
		err = sock_send(conn->sock, msg, len, fds, n, 0);
	if (n)
		settle(conn, n, !err);
	return err == -EAGAIN ? -ENOBUFS : err;
}

int sconn_has_unread(struct sconn *conn)
{
	int unread;

	pthread_mutex_lock(&conn->server->lock);
	unread = conn->unread && messages_unread(conn);
	pthread_mutex_unlock(&conn->server->lock);
	return unread;
}

/* ---- receiving -------------------------------------------------------------
 */

/* Calls of a connection that have lost their descriptors and are to hear it */
#define LOST_MAX 4096

/*
 * The call gets @err instead of its handler. No client has more calls
 * outstanding than its channels have slots.
 */
static int lose_fds_locked(struct sconn *conn, const union proto_msg *msg,
			   int err)
{
	if (msg->fds.chan >= conn->nchans || conn->fdq.lost >= LOST_MAX ||
	    conn->fdq.lost >= (uint64_t)conn->nchans * conn->depth)
		return -EPROTO;
	return fdq_lose(&conn->fdq, msg->fds.chan, msg->fds.pos, err);
}

static int queue_fds(struct sconn *conn, const union proto_msg *msg,
		     const int *fds, unsigned n)
{
	struct skyipc_server *server = conn->server;
	int err;

	pthread_mutex_lock(&server->lock);
	if (!n || msg->fds.count != n || msg->fds.chan >= conn->nchans) {
		close_fds(fds, n);
		err = -EPROTO;
	} else if (conn->user->fds + n > SKYIPC_MAX_FDS &&
		   conn->user->fds + n > quota_fds_max()) {
		close_fds(fds, n);
		err = lose_fds_locked(conn, msg, -EDQUOT);
	} else {
		err = fdq_put(&conn->fdq, msg->fds.chan, msg->fds.pos, fds, n);
		if (!err)
			conn->user->fds += n;
	}
	pthread_mutex_unlock(&server->lock);
	return err;
}

int sconn_hear_locked(struct sconn *conn, union proto_msg *msg)
{
	int fds[SKYIPC_MAX_FDS], len, type;
	unsigned nfds;

	if (conn->sock < 0)
		return -EPIPE;
	len = sock_recv(conn->sock, msg, fds, &nfds, 0);
	if (len == 0)
		return -EPIPE;
	if (len == -EMFILE && proto_check(msg, sizeof(msg->fds)) == PROTO_FDS) {
		pthread_mutex_lock(&conn->server->lock);
		len = lose_fds_locked(conn, msg, -EMFILE);
		pthread_mutex_unlock(&conn->server->lock);
		return len;
	}
	/* Longer than any message of ours, but perhaps of another version. */
	if (len == -EPROTO &&
	    proto_check(msg, sizeof(*msg)) == -EPROTONOSUPPORT)
		return -EPROTONOSUPPORT;
	if (len < 0)
		return len;
	type = proto_check(msg, (size_t)len);
	if (type == PROTO_FDS && conn->state == SCONN_OPEN)
		return queue_fds(conn, msg, fds, nfds);
	/* Nothing else that a client sends has descriptors. */
	close_fds(fds, nfds);
	return nfds ? -EPROTO : type;
}

int sconn_take_fds(struct sconn *conn, uint32_t chan, uint64_t pos, int **fds)
{
	union proto_msg msg;
	int n, err = 0, heard = 0;

	pthread_mutex_lock(&conn->sock_lock);
	for (;;) {
		pthread_mutex_lock(&conn->server->lock);
		n = fdq_take(&conn->fdq, chan, pos, fds);
		if (n > 0)
			conn->user->fds -= (unsigned)n;
		pthread_mutex_unlock(&conn->server->lock);
		if (n != -ENOENT || err)
			break;
		/*
		 * The client sends them before it publishes the request: they
		 * are here by now. What else lies before them is answered here
		 * instead of on the control thread.
		 */
		err = heard++ < HEARD_MAX ? sconn_hear_locked(conn, &msg)
					  : -EPROTO;
		if (err > 0)
			err = sconn_answer_locked(conn, &msg);
		/* The control thread sees the end, and does the rest. */
		if (err && err != -EAGAIN && conn->sock >= 0)
			shutdown(conn->sock, SHUT_RDWR);
	}
	pthread_mutex_unlock(&conn->sock_lock);
	return n == -ENOENT ? -EBADMSG : n;
}
