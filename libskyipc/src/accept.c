/* SPDX-License-Identifier: MIT */
/*
 * accept.c - clients come, and have so long to say what they want
 *
 * No shortage of descriptors or memory that clients can cause stops this, and
 * none makes it go round in circles.
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

/* Connections accepted before it is others' turn. */
#define ACCEPT_BATCH 64

/* Without descriptors or memory for one more client, how long not to listen. */
#define HEAR_AGAIN_NS UINT64_C(20000000)

/* For the handshake that has begun first, and for accepting again. */
void accept_arm_timer(struct skyipc_server *server)
{
	struct itimerspec its = { .it_value = { 0, 0 } };
	uint64_t first = DEADLINE_NONE;
	struct sconn *conn;

	pthread_mutex_lock(&server->lock);
	conn = TAILQ_FIRST(&server->handshakes);
	if (conn)
		first = conn->deadline;
	pthread_mutex_unlock(&server->lock);
	if (server->deaf)
		first = min_u64(first, now_ns() + HEAR_AGAIN_NS);
	if (first != DEADLINE_NONE) {
		its.it_value.tv_sec = (time_t)(first / 1000000000u);
		its.it_value.tv_nsec = (long)(first % 1000000000u);
	}
	timerfd_settime(server->timer_fd, TFD_TIMER_ABSTIME, &its, NULL);
}

/* Watch the listener, or not. */
static void listen_again(struct skyipc_server *server, int on)
{
	struct epoll_event ev = { .events = on ? EPOLLIN : 0,
				  .data.u64 = EVENT_LISTEN };

	epoll_ctl(server->ctl_ep, EPOLL_CTL_MOD, server->listen_fd, &ev);
	server->deaf = !on;
}

void accept_timer(struct skyipc_server *server)
{
	uint64_t now = now_ns(), ticks;
	struct sconn *conn;

	if (read(server->timer_fd, &ticks, sizeof(ticks)) < 0)
		return;
	for (;;) {
		/* Nobody else takes connections off this list. */
		pthread_mutex_lock(&server->lock);
		conn = TAILQ_FIRST(&server->handshakes);
		pthread_mutex_unlock(&server->lock);
		if (!conn || conn->deadline > now)
			break;
		server_say(server, SKYIPC_LOG_WARNING,
			   "pid %d uid %u said nothing in time",
			   (int)conn->peer.pid, (unsigned)conn->peer.uid);
		sconn_kill(conn, END_GONE, "handshake timed out");
	}
	if (server->deaf)
		listen_again(server, 1);
	accept_arm_timer(server);
}

void accept_refused(struct skyipc_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->retired.refused++;
	pthread_mutex_unlock(&server->lock);
}

/* One that never became a connection. */
static void refuse(struct skyipc_server *server, int sock, int err,
		   const char *why)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_WELCOME);

	msg.answer.result = err;
	if (!why[0])
		why = strerror(-err);
	snprintf(msg.answer.text, sizeof(msg.answer.text), "%s", why);
	/* A new socket has room. */
	sock_send(sock, &msg, len, NULL, 0, 0);
	close(sock);
	accept_refused(server);
	server_say(server, SKYIPC_LOG_WARNING, "connection refused: %s", why);
}

/*
 * Out of descriptors: a connection that cannot be accepted would keep the
 * listener readable for ever. Give up the spare one for the moment it takes to
 * tell the client. Another thread may be quicker and take it: then do not
 * listen for a while.
 */
static void refuse_without_fds(struct skyipc_server *server)
{
	int sock = -1;

	if (server->spare_fd >= 0) {
		close(server->spare_fd);
		sock = accept4(server->listen_fd, NULL, NULL,
			       SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	if (sock >= 0)
		refuse(server, sock, -EMFILE,
		       "the server is out of file descriptors "
		       "(see its RLIMIT_NOFILE)");
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (server->spare_fd < 0)
		listen_again(server, 0);
}

void accept_clients(struct skyipc_server *server)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		char why[160] = "";
		int sock, err;

		err = sconn_accept(server, &sock, why, sizeof(why));
		if (err < 0 && sock >= 0) {
			refuse(server, sock, err, why);
		} else if (err == -EMFILE || err == -ENFILE) {
			refuse_without_fds(server);
			break;
		} else if (err == -ENOMEM || err == -ENOBUFS) {
			listen_again(server, 0);
			break;
		} else if (err <= 0 && err != -EINTR && err != -ECONNABORTED) {
			break;
		}
	}
	accept_arm_timer(server);
}
