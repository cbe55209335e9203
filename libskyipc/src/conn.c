/* SPDX-License-Identifier: MIT */
/* What the client says and hears on the rendezvous socket of a connection. */
#include "conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "sock.h"

/* A server that sends more than this unasked is not served any longer. */
#define STRAY_FDS_MAX 4096u

/* Descriptors that should be here, and take longer, have not been sent. */
#define SENT_NS UINT64_C(10000000000)

void conn_die(struct skyipc_conn *conn)
{
	int alive = CONN_ALIVE;

	/*
	 * Sequentially consistent against the park words: a thread that goes
	 * to sleep sees DEAD, or wake() sees it parked (as in shm_layout.h).
	 */
	if (!atomic_compare_exchange_strong(&conn->state, &alive, CONN_DEAD))
		return;
	pthread_mutex_lock(&conn->lock);
	for (struct chan *c = conn->chans; c; c = c->next)
		conn->ops->wake(c);
	pthread_mutex_unlock(&conn->lock);
}

/* The socket, for this thread alone; -ETIMEDOUT. */
static int sock_take(struct skyipc_conn *conn, uint64_t deadline)
{
	struct timespec ts = { .tv_sec = (time_t)(deadline / 1000000000u),
			       .tv_nsec = (long)(deadline % 1000000000u) };
	int err = 0;

	pthread_mutex_lock(&conn->lock);
	while (conn->sock_busy && !err) {
		if (deadline == DEADLINE_NONE)
			pthread_cond_wait(&conn->sock_free, &conn->lock);
		else
			err = -pthread_cond_timedwait(&conn->sock_free,
						      &conn->lock, &ts);
	}
	if (!conn->sock_busy) {
		conn->sock_busy = 1;
		err = 0;
	}
	pthread_mutex_unlock(&conn->lock);
	return err;
}

static void sock_give(struct skyipc_conn *conn)
{
	pthread_mutex_lock(&conn->lock);
	conn->sock_busy = 0;
	pthread_cond_broadcast(&conn->sock_free);
	pthread_mutex_unlock(&conn->lock);
}

/* A message came without its descriptors: we are at our limit of them. */
static int sock_lost(struct skyipc_conn *conn, union proto_msg *msg)
{
	int type = proto_check(msg, proto_size(msg->head.type)), err;

	switch (type) {
	case PROTO_FDS:
		pthread_mutex_lock(&conn->lock);
		err = conn->fdq.lost < STRAY_FDS_MAX
			      ? fdq_lose(&conn->fdq, msg->fds.chan,
					 msg->fds.pos, -EMFILE)
			      : -EPROTO;
		pthread_cond_broadcast(&conn->sock_free);
		pthread_mutex_unlock(&conn->lock);
		return err;
	case PROTO_CHAN:
	case PROTO_BUFS:
		msg->answer.result = -EMFILE;
		snprintf(msg->answer.text, sizeof(msg->answer.text),
			 "no file descriptor is left");
		return type;
	default:
		return -EPROTO;
	}
}

/*
 * Receive one message; descriptors of calls go to the queue. Return: its type;
 * 0 for a queued one; -errno.
 */
static int sock_hear(struct skyipc_conn *conn, union proto_msg *msg, int *fds,
		     unsigned *nfds, uint64_t deadline)
{
	int len = sock_recv(conn->sock, msg, fds, nfds, deadline);
	int type, err = 0;

	if (len == 0)
		return -EPIPE;
	if (len == -EMFILE)
		return sock_lost(conn, msg);
	if (len < 0)
		return len;
	type = proto_check(msg, (size_t)len);
	if (type != PROTO_FDS) {
		if (type < 0)
			close_fds(fds, *nfds);
		return type;
	}
	pthread_mutex_lock(&conn->lock);
	if (!*nfds || msg->fds.count != *nfds ||
	    conn->fdq.total + *nfds > STRAY_FDS_MAX) {
		close_fds(fds, *nfds);
		err = -EPROTO;
	} else {
		err = fdq_put(&conn->fdq, msg->fds.chan, msg->fds.pos, fds,
			      *nfds);
	}
	/* The thread that wants them may be waiting for the socket. */
	pthread_cond_broadcast(&conn->sock_free);
	pthread_mutex_unlock(&conn->lock);
	return err;
}

/*
 * A question and, once it has come, its answer. A thread whose time is up
 * leaves its question behind; the next thread with the same question finds the
 * answer, so that nothing the server has made is lost. The list is used only by
 * who has the socket.
 */
struct question {
	struct question *next;
	union proto_msg answer;
	uint32_t chan;
	uint16_t want;
	int answered;
	int fd;
};

static struct question *question_find(struct skyipc_conn *conn, uint16_t want,
				      uint32_t chan)
{
	struct question *q;

	for (q = conn->questions; q; q = q->next)
		if (q->want == want && q->chan == chan)
			return q;
	return NULL;
}

static void question_drop(struct skyipc_conn *conn, struct question *q)
{
	struct question **at = &conn->questions;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	free(q);
}

void conn_forget_questions(struct skyipc_conn *conn)
{
	while (conn->questions) {
		close_fds(&conn->questions->fd, 1);
		question_drop(conn, conn->questions);
	}
}

/* The server answers in order: the answer is for the oldest open question. */
static int question_answer(struct skyipc_conn *conn, int type,
			   const union proto_msg *msg, const int *fds,
			   unsigned nfds)
{
	struct question *q;

	for (q = conn->questions; q; q = q->next)
		if (q->want == type && !q->answered &&
		    (type == PROTO_CHAN || q->chan == msg->answer.chan))
			break;
	if (!q || nfds != (msg->answer.result ? 0 : 1)) {
		close_fds(fds, nfds);
		return -EPROTO;
	}
	q->answer = *msg;
	q->answered = 1;
	q->fd = nfds ? fds[0] : -1;
	return 0;
}

/* Hear one message, whatever it is, with the socket taken. 0; -errno. */
static int hear(struct skyipc_conn *conn, uint64_t deadline)
{
	int fds[SKYIPC_MAX_FDS], type;
	union proto_msg msg;
	unsigned nfds;

	type = sock_hear(conn, &msg, fds, &nfds, deadline);
	return type > 0 ? question_answer(conn, type, &msg, fds, nfds) : type;
}

/* Find the question or ask it. */
static int question_ask(struct skyipc_conn *conn, const union proto_msg *req,
			enum proto_type want, uint32_t chan, uint64_t deadline,
			struct question **out)
{
	struct question *q = question_find(conn, (uint16_t)want, chan), **at;
	int err, spare;

	*out = q;
	if (q)
		return 0;
	/* What the server makes, it makes once: there must be room for it. */
	spare = fcntl(conn->sock, F_DUPFD_CLOEXEC, 0);
	if (spare < 0)
		return -errno;
	close(spare);
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	err = sock_send(conn->sock, req, proto_size(req->head.type), NULL, 0,
			deadline);
	if (err) {
		free(q);
		return err;
	}
	q->want = (uint16_t)want;
	q->chan = chan;
	q->fd = -1;
	for (at = &conn->questions; *at; at = &(*at)->next)
		;
	*at = q;
	*out = q;
	return 0;
}

int conn_ask(struct skyipc_conn *conn, const union proto_msg *req,
	     enum proto_type want, uint32_t chan, struct proto_answer *answer,
	     int *fd, uint64_t deadline)
{
	struct question *q;
	int err;

	err = sock_take(conn, deadline);
	if (err)
		return fail(-ETIMEDOUT, "another thread waits for the server");
	err = question_ask(conn, req, want, chan, deadline, &q);
	while (!err && !q->answered)
		err = hear(conn, deadline);
	if (!err) {
		*answer = q->answer.answer;
		*fd = q->fd;
		question_drop(conn, q);
	}
	sock_give(conn);
	if (err) {
		if (err == -EMFILE)
			return fail(err, "no file descriptor is left");
		if (err != -ETIMEDOUT && err != -ENOMEM)
			conn_die(conn);
		return fail(err, "the server gave no valid answer");
	}
	return answer->result ? fail(answer->result, "%s", answer->text) : 0;
}

int conn_send_fds(struct skyipc_conn *conn, uint32_t chan, uint64_t pos,
		  const int *fds, unsigned n, uint64_t deadline)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_FDS);

	msg.fds.chan = chan;
	msg.fds.pos = pos;
	msg.fds.count = n;
	/* One message is sent whole or not at all: no turn needs to be taken.*/
	return sock_send(conn->sock, &msg, len, fds, n, deadline);
}

int conn_take_fds(struct skyipc_conn *conn, uint32_t chan, uint64_t pos,
		  int **fds)
{
	uint64_t limit = now_ns() + SENT_NS;
	struct timespec ts = { .tv_sec = (time_t)(limit / 1000000000u),
			       .tv_nsec = (long)(limit % 1000000000u) };
	int ret, err = 0;

	pthread_mutex_lock(&conn->lock);
	while ((ret = fdq_take(&conn->fdq, chan, pos, fds)) == -ENOENT &&
	       !err) {
		/*
		 * The server sends descriptors before it publishes the reply
		 * they belong to: they are in the socket, or in the hands of
		 * whoever has the socket now and may have it for long.
		 */
		if (conn->sock_busy) {
			err = -pthread_cond_timedwait(&conn->sock_free,
						      &conn->lock, &ts);
			continue;
		}
		conn->sock_busy = 1;
		pthread_mutex_unlock(&conn->lock);
		err = hear(conn, 0);
		pthread_mutex_lock(&conn->lock);
		conn->sock_busy = 0;
		pthread_cond_broadcast(&conn->sock_free);
	}
	pthread_mutex_unlock(&conn->lock);
	return ret == -ENOENT ? -EPROTO : ret; /* -ENOENT: not sent */
}
