/* SPDX-License-Identifier: MIT */
/*
 * kcall_serve.c - one call through the module: from the worker's argument block
 * and back
 *
 * A reply and the wait for the next call are one system call, in which the
 * module switches to the client, and from the next one back.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "kcall_dev.h"
#include "kcall_server.h"
#include "kcall_worker.h"
#include "point.h"
#include "seat.h"
#include "serving.h"

/* Calls in a row, while there may be others to look at */
#define BATCH 64

/* ---- whose call ---------------------------------------------------------- */

/*
 * The connection that called last is kept, with a reference, on the seat, for
 * it is likely to call next: no lock is taken for that. Who kills it takes it
 * away from there.
 */
static struct sconn *conn_take(struct seat *seat, uint64_t id)
{
	struct skyipc_server *server = seat->server;
	struct sconn *conn;

	conn = atomic_exchange(&seat->kept, NULL);
	if (conn) {
		if (likely(conn->id == id))
			return conn;
		sconn_put(conn);
	}
	pthread_mutex_lock(&server->lock);
	conn = sconn_get_locked(server, id);
	pthread_mutex_unlock(&server->lock);
	return conn;
}

static void conn_keep(struct seat *seat, struct sconn *conn)
{
	struct sconn *old = NULL;

	/* (Unless the seat is another thread's by now.) */
	if (my_seat == seat) {
		atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed);
		old = atomic_exchange(&seat->kept, conn);
		if (old)
			sconn_put(old);
		/* After that, as kcall_conn_kill() does it the other way round:
		 * one of us sees the other. */
		old = conn;
		if (atomic_load(&conn->state) != SCONN_OPEN &&
		    atomic_compare_exchange_strong(&seat->kept, &old, NULL))
			sconn_put(conn);
	}
	sconn_put(conn);
}

/* ---- a call -------------------------------------------------------------- */

void kcall_refuse(struct skyipc_dev_msg *msg, struct schan *ch, int err)
{
	if (ch)
		stat_add(ch->stats.errors, 1);
	memset(msg->words, 0, sizeof(msg->words));
	msg->ext[KCALL_LONG] = 0;
	msg->ext[KCALL_FLAGS] = kcall_flags(CALL_ERROR, 0);
	msg->status = err;
}

static void answer(struct skyipc_dev_msg *msg, struct serving *s,
		   int32_t status)
{
	uint32_t flags = 0;
	uint64_t ext = 0;
	int err = 0;

	if (unlikely(serving_has_extras(s)))
		err = serving_finish(s, &flags, &ext);
	if (err) {
		kcall_refuse(msg, s->ch, err);
		return;
	}
	memcpy(msg->words, s->call.out, sizeof(msg->words));
	msg->ext[KCALL_LONG] = ext;
	msg->ext[KCALL_FLAGS] = kcall_flags(flags, 0);
	msg->status = status;
}

static void serve_one(struct sconn *conn, struct skyipc_dev_msg *msg,
		      uint32_t flags)
{
	struct schan *ch = sconn_chan(conn, (uint32_t)msg->ext[KCALL_FLAGS]);
	struct serving s;
	int32_t status;
	int err;

	if (unlikely(!ch)) {
		kcall_refuse(msg, NULL, -EINVAL);
		return;
	}
	flags |= (uint32_t)(msg->ext[KCALL_FLAGS] >> 32);
	serving_begin(&s, ch, msg->op, msg->ext[KCALL_POS]);
	memcpy(s.call.in, msg->words, sizeof(s.call.in));
	err = serving_run(&s, ch, flags, msg->ext[KCALL_LONG], &status);
	if (unlikely(err))
		kcall_refuse(msg, ch, err);
	else
		answer(msg, &s, status);
}

static int is_draining(struct skyipc_server *server)
{
	return atomic_load_explicit(&server->draining, memory_order_relaxed);
}

/*
 * A server that stops serves what has been submitted. Who submits more than its
 * channels have room for is not waited for: others are behind it.
 */
static int has_had_enough(struct sconn *conn)
{
	struct skyipc_server *server = conn->server;
	uint64_t most;

	/* A handler that calls its own server ends first. */
	if (conn->peer.pid == getpid())
		return 0;
	pthread_mutex_lock(&server->lock);
	most = sconn_drain_max(conn);
	pthread_mutex_unlock(&server->lock);
	if (atomic_fetch_add(&conn->drained, 1) < most)
		return 0;
	kcall_conn_kill(conn);
	return 1;
}

static void serve_call(struct seat *seat, struct skyipc_dev_serve *serve)
{
	struct sconn *conn = conn_take(seat, serve->cookie);

	/* What had been posted before it was killed: nobody waits. */
	if (unlikely(!conn || conn->state != SCONN_OPEN ||
		     (is_draining(seat->server) && has_had_enough(conn)))) {
		kcall_refuse(&serve->msg, NULL, -EPIPE);
		if (conn)
			sconn_put(conn);
		return;
	}
	serve_one(conn, &serve->msg,
		  serve->flags & SKYIPC_SERVE_CANCELLED ? CALL_CANCEL : 0);
	conn_keep(seat, conn);
}

/* ---- reply and wait ------------------------------------------------------ */

/* As @flags say. 0: there is a call; -EAGAIN: there is not. */
static int reply_and_wait(struct kcall_worker *w, uint32_t flags,
			  uint64_t deadline)
{
	struct skyipc_dev_serve *s = &w->serve;

	s->deadline = deadline;
	s->flags = flags;
	point("server-kcall");
	for (;;) {
		switch (kcall_ipc(w->fd, SKYIPC_WORKER_SERVE, s)) {
		case 0:
			return flags & SKYIPC_SERVE_WAIT ? 0 : -EAGAIN;
		case -EINTR:  /* the reply is given */
		case -ESTALE: /* nobody waits for it */
			if (s->flags & SKYIPC_SERVE_WAIT)
				continue;
			break;
		case -EPERM: /* of another thread that had our id */
			w->tid = 0;
		}
		/* The time is over, a bell has rung, the server is closed. */
		return -EAGAIN;
	}
}

unsigned kcall_serve(struct seat *seat, int wait)
{
	struct skyipc_server *server = seat->server;
	struct kcall_worker *w = my_kcall_worker;
	uint32_t flags = SKYIPC_SERVE_WAIT;
	unsigned served = 0;

	if (!w)
		return 0;
	while (!reply_and_wait(w, flags, wait ? DEADLINE_NONE : 0)) {
		point("server-kcall-taken");
		serve_call(seat, &w->serve);
		served++;
		flags = SKYIPC_SERVE_REPLY;
		/* If there is something else to do, it is not waited for. */
		if (likely(my_seat == seat && (!wait || !seat->n) &&
			   served % BATCH && !is_draining(server)))
			flags |= SKYIPC_SERVE_WAIT;
	}
	return served;
}
