/* SPDX-License-Identifier: MIT */
/*
 * control.c - the control thread: shakes hands, answers, hears of deaths
 *
 * Everything a client sends here is hostile: a message that is not as it should
 * be ends the connection, and so does not reading what was asked for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"
#include "transport.h"
#include "vmfunc_server.h"
#include "point.h"

/* Messages read from one client before it is others' turn. */
#define MESSAGE_BATCH 16

/* -ENOBUFS: the client does not read its answers. */
static int answer(struct sconn *conn, union proto_msg *msg, size_t len,
		  int result, const char *why)
{
	msg->answer.result = result;
	snprintf(msg->answer.text, sizeof(msg->answer.text), "%s",
		 why[0] || !result ? why : strerror(-result));
	return sconn_send_locked(conn, msg, len, NULL, 0);
}

/* ---- messages ----------------------------------------------------------- */

/* Over @t; NULL: the best that is usable here, and has room. */
static int open_over(struct sconn *conn, const struct transport *t,
		     const struct proto_hello *hello, char *why, size_t size)
{
	const struct transport *next;
	int err = -EPROTONOSUPPORT;

	if (t) {
		conn->transport = t;
		return sconn_open(conn, hello, why, size);
	}
	for (unsigned i = 0; err && (next = transport_at(i)); i++) {
		if (next->serves(conn->server, why, size))
			continue;
		why[0] = '\0';
		conn->transport = next;
		err = sconn_open(conn, hello, why, size);
	}
	return err;
}

static int say_hello(struct sconn *conn, const struct proto_hello *hello)
{
	struct skyipc_server *server = conn->server;
	const struct transport *t = NULL;
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_WELCOME);
	unsigned nfds = 0;
	char why[160] = "";
	int err = 0;

	point("server-hello-heard");
	/* It would have to go again at once. */
	if (atomic_load(&server->draining))
		return -EPIPE;
	if (hello->transport[0]) {
		t = transport_named(hello->transport);
		snprintf(why, sizeof(why), "the server lacks the transport");
		err = t ? t->serves(server, why, sizeof(why))
			: -EPROTONOSUPPORT;
	}
	if (!err)
		why[0] = '\0';
	if (!err && server->attr.accept) {
		err = server->attr.accept(&conn->peer, server->attr.accept_arg);
		if (err > 0 || err < -4095)
			err = -EACCES;
		if (err)
			snprintf(why, sizeof(why),
				 "the server does not accept this client");
	}
	if (!err)
		err = open_over(conn, t, hello, why, sizeof(why));
	if (!err && conn->bell >= 0 && !conn->rings_by_sock) {
		err = sconn_reserve_fds(conn, 1, why, sizeof(why));
		nfds = !err;
	}
	if (err) {
		answer(conn, &msg, len, err, why);
		accept_refused(server);
		return err;
	}
	snprintf(msg.welcome.transport, sizeof(msg.welcome.transport), "%s",
		 conn->transport->name);
	msg.welcome.depth = conn->depth;
	msg.welcome.bufs = conn->bufs;
	msg.welcome.buf_size = conn->buf_size;
	point("server-opened");
	err = sconn_send_locked(conn, &msg, len, &conn->bell, nfds);
	point("server-welcomed");
	/* Nobody is waited for any more? */
	if (TAILQ_EMPTY(&server->handshakes))
		accept_arm_timer(server);
	return err;
}

static int tell_query(struct sconn *conn)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_INFO);
	char why[160] = "";
	uint64_t size;
	int fd = sconn_reserve_fds(conn, 1, why, sizeof(why));

	if (!fd) {
		fd = info_make(conn->server, &conn->peer, &size);
		if (fd < 0)
			sconn_unreserve_fds(conn, 1);
	}
	if (fd < 0) {
		answer(conn, &msg, len, fd, why);
		return fd;
	}
	msg.info.size = size;
	sconn_send_locked(conn, &msg, len, &fd, 1);
	close(fd);
	/* A query is over with its answer. */
	return -EPIPE;
}

static int give_chan(struct sconn *conn)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_CHAN);
	char why[160] = "";
	struct schan *ch;
	int fd = conn->kcall, err;

	err = sconn_reserve_fds(conn, 1, why, sizeof(why));
	if (!err) {
		err = conn->kcall < 0
			      ? sconn_chan_add(conn, &ch, &fd, why, sizeof(why))
			      : sconn_chan_number(conn, &ch, why, sizeof(why));
		if (err)
			sconn_unreserve_fds(conn, 1);
	}
	if (err)
		return answer(conn, &msg, len, err, why);
	if (conn->server->attr.mode == SKYIPC_POLLING)
		seat_assign(conn->server, ch);
	if (conn->transport->chan_made)
		conn->transport->chan_made(conn);
	msg.answer.chan = ch->number;
	point("server-chan-made");
	err = sconn_send_locked(conn, &msg, len, &fd, 1);
	point("server-chan-given");
	if (fd != conn->kcall)
		close(fd);
	return err;
}

int sconn_tell_bufs(struct sconn *conn, uint32_t number, int fd, int err,
		    const char *why)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_BUFS);

	msg.answer.chan = number;
	if (err)
		return answer(conn, &msg, len, err, why);
	return sconn_send_locked(conn, &msg, len, &fd, 1);
}

static int give_bufs(struct sconn *conn, uint32_t number)
{
	char why[160] = "";
	int err;

	err = sconn_bufs_begin(conn, number, why, sizeof(why));
	return err ? sconn_tell_bufs(conn, number, -1, err, why) : 0;
}

/* The client has no eventfd, so this write cannot be made to sleep. */
static int ring(struct sconn *conn)
{
	uint64_t one = 1;

	if (!conn->rings_by_sock || conn->bell < 0)
		return -EPROTO;
	/* Full: then it says what it is to say. */
	if (write(conn->bell, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

int sconn_answer_locked(struct sconn *conn, const union proto_msg *msg)
{
	if (conn->state == SCONN_NEW) {
		switch (msg->head.type) {
		case PROTO_HELLO:
			return say_hello(conn, &msg->hello);
		case PROTO_QUERY:
			return tell_query(conn);
		}
	} else if (conn->state == SCONN_OPEN) {
		switch (msg->head.type) {
		case PROTO_CHAN_OPEN:
			return give_chan(conn);
		case PROTO_BUFS_OPEN:
			return give_bufs(conn, msg->bufs_open.chan);
		case PROTO_RING:
			return ring(conn);
		}
	}
	return -EPROTO;
}

/* Another version of the library: it knows our head, and reads the rest. */
static void tell_version(struct sconn *conn)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_WELCOME);
	char why[64];

	snprintf(why, sizeof(why), "the server speaks version %u",
		 PROTO_VERSION);
	answer(conn, &msg, len, -EPROTONOSUPPORT, why);
	accept_refused(conn->server);
}

static void conn_event(struct skyipc_server *server, uint64_t id)
{
	struct sconn *conn;
	union proto_msg msg;
	int err = 0;

	pthread_mutex_lock(&server->lock);
	conn = sconn_get_locked(server, id);
	pthread_mutex_unlock(&server->lock);
	if (!conn)
		return;
	if (conn->state == SCONN_LINGERING) {
		sconn_linger(conn);
		sconn_put(conn);
		return;
	}
	for (int i = 0; i < MESSAGE_BATCH && err >= 0; i++) {
		pthread_mutex_lock(&conn->sock_lock);
		err = sconn_hear_locked(conn, &msg);
		if (err > 0)
			err = sconn_answer_locked(conn, &msg);
		else if (err == -EPROTONOSUPPORT && conn->state == SCONN_NEW)
			tell_version(conn);
		pthread_mutex_unlock(&conn->sock_lock);
	}
	if (err < 0 && err != -EAGAIN) {
		if (err == -EPROTO || err == -EPROTONOSUPPORT)
			server_say(server, SKYIPC_LOG_WARNING,
				   "pid %d uid %u breaks the protocol",
				   (int)conn->peer.pid,
				   (unsigned)conn->peer.uid);
		sconn_kill(conn, END_GONE,
			   err == -EPIPE ? "gone" : strerror(-err));
	}
	sconn_put(conn);
}

/* ---- the loop ----------------------------------------------------------- */

int control_step(struct skyipc_server *server, int ms, int *bells)
{
	struct epoll_event ev[64];
	int n, stop = 0;

	n = epoll_wait(server->ctl_ep, ev, 64, ms);
	for (int i = 0; i < n; i++) {
		switch (ev[i].data.u64) {
		case EVENT_LISTEN:
			accept_clients(server);
			break;
		case EVENT_SHUTDOWN:
			stop = 1;
			break;
		case EVENT_TIMER:
			accept_timer(server);
			break;
		case EVENT_BELLS:
		case EVENT_KCALL:
			if (bells)
				*bells = 1;
			break;
		case EVENT_MAKING:
			sconn_bufs_step(server);
			break;
		default:
			conn_event(server, ev[i].data.u64);
		}
	}
	return stop;
}

void control_close_all(struct skyipc_server *server)
{
	sconn_bufs_drop_all(server);
	for (uint32_t i = 0; i < server->conns_size; i++)
		if (server->conns[i])
			sconn_kill(server->conns[i], END_SERVER,
				   "the server stops");
}

/* No new clients; the name is free for a successor. */
static void close_listener(struct skyipc_server *server)
{
	epoll_ctl(server->ctl_ep, EPOLL_CTL_DEL, server->listen_fd, NULL);
	close(server->listen_fd);
	server->listen_fd = -1;
	name_disown(&server->name);
}

void control_drain_next(struct skyipc_server *server)
{
	uint64_t one = 1;

	if (!atomic_load(&server->draining))
		return;
	if (write(server->drain_fd, &one, sizeof(one)) < 0)
		server_say(server, SKYIPC_LOG_ERROR, "drain: %s",
			   strerror(errno));
}

void control_drain(struct skyipc_server *server)
{
	point("server-drain");
	close_listener(server);
	pthread_mutex_lock(&server->lock);
	server->state = SERVER_DRAINING;
	atomic_store(&server->draining, 1);
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
#ifdef __x86_64__
	vmfunc_server_close(server);
#endif
	control_drain_next(server);
}

/*
 * Handlers that still run may need us: for a channel to this very server, if
 * they call it from a thread that has none yet, or for buffers. Who leaves the
 * last seat says so (worker.c).
 */
static void answer_until_served(struct skyipc_server *server)
{
	uint64_t n;

	for (;;) {
		/* Before the look: what is written after it ends the step. */
		while (read(server->shutdown_fd, &n, sizeof(n)) > 0)
			;
		if (seats_are_done(server))
			return;
		control_step(server, -1, NULL);
	}
}

void control_run(struct skyipc_server *server)
{
	while (!control_step(server, -1, NULL))
		;
	control_drain(server);
	answer_until_served(server);
	seats_join(server);
#ifdef __x86_64__
	vmfunc_server_drain(server);
#endif
	point("server-drained");
	control_close_all(server);
#ifdef __x86_64__
	vmfunc_server_join(server);
#endif
	pthread_mutex_lock(&server->lock);
	server->state = SERVER_STOPPED;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}
