/* SPDX-License-Identifier: MIT */
/*
 * control.c - the control thread: accepts, shakes hands, hears of deaths
 *
 * Everything a client sends here is hostile: a message that is not as it should
 * be ends the connection, a slow handshake runs out of time, and no descriptor
 * or memory shortage that clients can cause stops the thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "server.h"
#include "sock.h"
#include "transport.h"
#include "point.h"

/* Connections accepted, and messages read from one, before others' turn. */
#define ACCEPT_BATCH 64
#define MESSAGE_BATCH 16

static void answer(int sock, union proto_msg *msg, size_t len, int result,
		   const char *why)
{
	msg->answer.result = result;
	snprintf(msg->answer.text, sizeof(msg->answer.text), "%s",
		 why[0] || !result ? why : strerror(-result));
	/* A client that cannot take its answer loses it. */
	sock_send(sock, msg, len, NULL, 0, 0);
}

/* ---- new connections ---------------------------------------------------- */

static void arm_timer(struct skyipc_server *server)
{
	struct itimerspec its = { .it_value = { 0, 0 } };
	uint64_t first = DEADLINE_NONE;

	pthread_mutex_lock(&server->lock);
	for (uint32_t i = 0; server->handshakes && i < server->conns_size; i++)
		if (server->conns[i] && server->conns[i]->state == SCONN_NEW)
			first = min_u64(first, server->conns[i]->deadline);
	pthread_mutex_unlock(&server->lock);
	if (first != DEADLINE_NONE) {
		its.it_value.tv_sec = (time_t)(first / 1000000000u);
		its.it_value.tv_nsec = (long)(first % 1000000000u);
	}
	timerfd_settime(server->timer_fd, TFD_TIMER_ABSTIME, &its, NULL);
}

static void expire(struct skyipc_server *server)
{
	uint64_t now = now_ns(), ticks;

	if (read(server->timer_fd, &ticks, sizeof(ticks)) < 0)
		return;
	for (uint32_t i = 0; i < server->conns_size; i++) {
		struct sconn *conn;

		/* Workers kill connections, too: those that are open. */
		pthread_mutex_lock(&server->lock);
		conn = server->conns[i];
		if (conn && (conn->state != SCONN_NEW || conn->deadline > now))
			conn = NULL;
		pthread_mutex_unlock(&server->lock);
		if (!conn)
			continue;
		server_say(server, SKYIPC_LOG_WARNING,
			   "pid %d uid %u said nothing in time",
			   (int)conn->peer.pid, (unsigned)conn->peer.uid);
		sconn_kill(conn, "handshake timed out");
	}
	arm_timer(server);
}

static void refuse(struct skyipc_server *server, int sock, int err,
		   const char *why)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_WELCOME);

	answer(sock, &msg, len, err, why);
	close(sock);
	pthread_mutex_lock(&server->lock);
	server->retired.refused++;
	pthread_mutex_unlock(&server->lock);
	server_say(server, SKYIPC_LOG_WARNING, "connection refused: %s",
		   why[0] ? why : strerror(-err));
}

/*
 * Out of descriptors: a connection that cannot be accepted would keep the
 * listener readable for ever. Give up the spare one for the moment it takes to
 * tell the client.
 */
static void refuse_without_fds(struct skyipc_server *server)
{
	int sock;

	close(server->spare_fd);
	sock = accept4(server->listen_fd, NULL, NULL,
		       SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (sock >= 0)
		refuse(server, sock, -EMFILE,
		       "the server is out of file descriptors "
		       "(see its RLIMIT_NOFILE)");
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_new(struct skyipc_server *server)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		char why[160] = "";
		struct sconn *conn;
		int sock, err;

		sock = accept4(server->listen_fd, NULL, NULL,
			       SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (sock < 0) {
			if (errno == EMFILE || errno == ENFILE)
				refuse_without_fds(server);
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			break;
		}
		point("server-accepted");
		err = sconn_add(server, sock, &conn, why, sizeof(why));
		if (err)
			refuse(server, sock, err, why);
	}
	arm_timer(server);
}

/* ---- messages ----------------------------------------------------------- */

static int say_hello(struct sconn *conn, const struct proto_hello *hello)
{
	struct skyipc_server *server = conn->server;
	const struct transport *t;
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_WELCOME);
	char why[160] = "";
	int err = 0;

	point("server-hello-heard");
	/* The best that is usable here, or the one the client wants. */
	if (hello->transport[0]) {
		t = transport_named(hello->transport);
	} else {
		for (unsigned i = 0; (t = transport_at(i)); i++)
			if (!t->probe(why, sizeof(why)))
				break;
		why[0] = '\0';
	}
	if (!t) {
		snprintf(why, sizeof(why), "the server lacks the transport");
		err = -EPROTONOSUPPORT;
	}
	if (!err && server->attr.accept) {
		err = server->attr.accept(&conn->peer, server->attr.accept_arg);
		if (err > 0 || err < -4095)
			err = -EACCES;
		if (err)
			snprintf(why, sizeof(why),
				 "the server does not accept this client");
	}
	if (!err) {
		conn->transport = t;
		err = sconn_open(conn, hello, why, sizeof(why));
	}
	if (err) {
		answer(conn->sock, &msg, len, err, why);
		pthread_mutex_lock(&server->lock);
		server->retired.refused++;
		pthread_mutex_unlock(&server->lock);
		return err;
	}
	snprintf(msg.welcome.transport, sizeof(msg.welcome.transport), "%s",
		 t->name);
	msg.welcome.depth = conn->depth;
	msg.welcome.bufs = conn->bufs;
	msg.welcome.buf_size = conn->buf_size;
	point("server-opened");
	err = sock_send(conn->sock, &msg, len, &conn->bell, 1, 0);
	point("server-welcomed");
	return err;
}

static int tell_query(struct sconn *conn)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_INFO);
	uint64_t size;
	int fd = info_make(conn->server, &conn->peer, &size);

	if (fd < 0) {
		answer(conn->sock, &msg, len, fd, "");
		return fd;
	}
	msg.info.size = size;
	sock_send(conn->sock, &msg, len, &fd, 1, 0);
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
	int fd, err;

	err = sconn_chan_add(conn, &ch, &fd, why, sizeof(why));
	if (err) {
		answer(conn->sock, &msg, len, err, why);
		return 0;
	}
	if (conn->server->attr.mode == SKYIPC_POLLING)
		seat_assign(conn->server, ch);
	msg.answer.chan = ch->number;
	point("server-chan-made");
	err = sock_send(conn->sock, &msg, len, &fd, 1, 0);
	point("server-chan-given");
	close(fd);
	return err;
}

static int give_bufs(struct sconn *conn, uint32_t number)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_BUFS);
	char why[160] = "";
	int fd, err;

	msg.answer.chan = number;
	err = sconn_bufs_add(conn, number, &fd, why, sizeof(why));
	point("server-bufs-made");
	if (err) {
		answer(conn->sock, &msg, len, err, why);
		return 0;
	}
	err = sock_send(conn->sock, &msg, len, &fd, 1, 0);
	close(fd);
	return err;
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
		}
	}
	return -EPROTO;
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
	for (int i = 0; i < MESSAGE_BATCH && err >= 0; i++) {
		pthread_mutex_lock(&conn->sock_lock);
		err = sconn_hear_locked(conn, &msg);
		if (err > 0)
			err = sconn_answer_locked(conn, &msg);
		pthread_mutex_unlock(&conn->sock_lock);
	}
	if (err < 0 && err != -EAGAIN) {
		if (err == -EPROTO || err == -EPROTONOSUPPORT)
			server_say(server, SKYIPC_LOG_WARNING,
				   "pid %d uid %u breaks the protocol",
				   (int)conn->peer.pid,
				   (unsigned)conn->peer.uid);
		sconn_kill(conn, err == -EPIPE ? "gone" : strerror(-err));
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
			accept_new(server);
			break;
		case EVENT_SHUTDOWN:
			stop = 1;
			break;
		case EVENT_TIMER:
			expire(server);
			break;
		case EVENT_BELLS:
			if (bells)
				*bells = 1;
			break;
		default:
			conn_event(server, ev[i].data.u64);
		}
	}
	return stop;
}

void control_close_all(struct skyipc_server *server)
{
	for (uint32_t i = 0; i < server->conns_size; i++)
		if (server->conns[i])
			sconn_kill(server->conns[i], "the server stops");
}

/* No new clients; the name is free for a successor. */
static void close_listener(struct skyipc_server *server)
{
	epoll_ctl(server->ctl_ep, EPOLL_CTL_DEL, server->listen_fd, NULL);
	close(server->listen_fd);
	server->listen_fd = -1;
	name_disown(&server->name);
}

void control_drain(struct skyipc_server *server)
{
	uint64_t one = 1;

	point("server-drain");
	close_listener(server);
	pthread_mutex_lock(&server->lock);
	server->state = SERVER_DRAINING;
	atomic_store(&server->draining, 1);
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
	/* Wakes every worker, for nobody reads it. */
	if (write(server->drain_fd, &one, sizeof(one)) < 0)
		server_say(server, SKYIPC_LOG_ERROR, "drain: %s",
			   strerror(errno));
}

void control_run(struct skyipc_server *server)
{
	while (!control_step(server, -1, NULL))
		;
	control_drain(server);
	seats_join(server);
	point("server-drained");
	control_close_all(server);
	pthread_mutex_lock(&server->lock);
	server->state = SERVER_STOPPED;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}
