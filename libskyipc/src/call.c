/* SPDX-License-Identifier: MIT */
/* The public calls: find the thread's channel, pass on to its transport. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chan.h"
#include "clock.h"
#include "err.h"
#include "hist.h"

/*
 * First call of a thread: within the time it has, of which the rest is for the
 * call.
 */
static __attribute__((noinline)) int first(struct skyipc_conn *conn,
					   struct chan **chan, skyipc_time *t)
{
	uint64_t deadline = deadline_of(*t, conn->call_ns);

	*t = deadline == DEADLINE_NONE ? SKYIPC_FOREVER : SKYIPC_AT(deadline);
	return chan_get(conn, chan, deadline);
}

static __attribute__((noinline)) int other_call(struct skyipc_conn *conn,
						uint32_t op, const uint64_t *in,
						uint64_t *out, int32_t *status,
						skyipc_time t)
{
	struct chan *chan = chan_peek(conn);
	int err;

	if (!chan && (err = first(conn, &chan, &t)))
		return err;
	return conn->ops->call(chan, op, in, out, status, t);
}

SKY_PUBLIC int skyipc_call(struct skyipc_conn *conn, uint32_t op,
			   const uint64_t *in, uint64_t *out, int32_t *status,
			   skyipc_time t)
{
	/* Over the connection of last time? Else it is looked for. */
	if (likely(chan_last.gen == conn->gen))
		return conn->ops->call(chan_last.chan, op, in, out, status, t);
	return other_call(conn, op, in, out, status, t);
}

SKY_PUBLIC int skyipc_call_msg(struct skyipc_conn *conn,
			       const struct skyipc_msg *req,
			       struct skyipc_msg *rep, skyipc_time t)
{
	struct chan *chan = chan_peek(conn);
	int err;

	if (!chan && (err = first(conn, &chan, &t)))
		return err;
	return conn->ops->call_msg(chan, req, rep, t);
}

SKY_PUBLIC int skyipc_submit(struct skyipc_conn *conn,
			     const struct skyipc_msg *req)
{
	struct chan *chan = chan_peek(conn);
	skyipc_time t = SKYIPC_DEFAULT;
	int err;

	if (!chan && (err = first(conn, &chan, &t)))
		return err;
	return conn->ops->submit(chan, req);
}

static int reap(struct skyipc_conn *conn, struct skyipc_msg *msgs, unsigned n,
		unsigned min, skyipc_time t)
{
	struct chan *chan = chan_peek(conn);

	if (chan)
		return conn->ops->reap(chan, msgs, n, min, t);
	if (conn_state(conn) == CONN_FORKED)
		return fail(-ECHILD, "the connection belongs to the parent");
	return fail(-ENOENT, "this thread has submitted nothing");
}

SKY_PUBLIC int skyipc_poll(struct skyipc_conn *conn, struct skyipc_msg *msgs,
			   unsigned n)
{
	return reap(conn, msgs, n, 0, SKYIPC_DEFAULT);
}

SKY_PUBLIC int skyipc_wait(struct skyipc_conn *conn, struct skyipc_msg *msgs,
			   unsigned n, unsigned min, skyipc_time t)
{
	return reap(conn, msgs, n, min, t);
}

SKY_PUBLIC int skyipc_buffer(struct skyipc_conn *conn, void **buf, size_t *size)
{
	struct chan *chan = chan_peek(conn);
	skyipc_time t = SKYIPC_DEFAULT;
	int err;

	if (!chan && (err = first(conn, &chan, &t)))
		return err;
	return conn->ops->buffer(chan, buf, size,
				 deadline_of(t, conn->call_ns));
}

SKY_PUBLIC int skyipc_callv(struct skyipc_conn *conn,
			    const struct skyipc_msg *req,
			    const struct iovec *iov, int niov,
			    struct skyipc_msg *rep, const struct iovec *riov,
			    int nriov, skyipc_time t)
{
	uint64_t deadline = deadline_of(t, conn->call_ns);
	struct chan *chan = chan_peek(conn);
	struct skyipc_msg msg = *req;
	size_t size, len = 0, from = 0;
	void *buf;
	int err;

	if (niov < 0 || nriov < 0)
		return fail(-EINVAL, "a negative number of vectors");
	/* One limit for all that follows. */
	t = deadline == DEADLINE_NONE ? SKYIPC_FOREVER : SKYIPC_AT(deadline);
	if (!chan && (err = chan_get(conn, &chan, deadline)))
		return err;
	err = conn->ops->buffer(chan, &buf, &size, deadline);
	if (err)
		return err;
	for (int i = 0; i < niov; i++) {
		if (iov[i].iov_len > size - len)
			return fail(-EMSGSIZE, "the buffer has %zu bytes",
				    size);
		if (iov[i].iov_len)
			memcpy((char *)buf + len, iov[i].iov_base,
			       iov[i].iov_len);
		len += iov[i].iov_len;
	}
	msg.data = buf;
	msg.len = len;
	err = conn->ops->call_msg(chan, &msg, rep, t);
	if (err)
		return err;
	for (int i = 0; i < nriov && from < rep->len; i++) {
		size_t n = min_u64(riov[i].iov_len, rep->len - from);

		if (n)
			memcpy(riov[i].iov_base, (char *)rep->data + from, n);
		from += n;
	}
	return 0;
}

SKY_PUBLIC int skyipc_conn_stats(struct skyipc_conn *conn,
				 struct skyipc_stats *user)
{
	struct skyipc_stats *stats;

	fail_clear();
	if (conn_state(conn) == CONN_FORKED)
		return fail(-ECHILD, "the connection belongs to the parent");
	if (user->size < sizeof(user->size))
		return fail(-EINVAL, "stats->size is not set");
	stats = calloc(1, sizeof(*stats));
	if (!stats)
		return -ENOMEM;
	pthread_mutex_lock(&conn->lock);
	for (struct chan *c = conn->chans; c; c = c->next) {
		stats->conns++;
		stats_merge(stats, &c->stats);
		if (conn->ops->stats)
			conn->ops->stats(c, stats);
	}
	stats->conns_total = stats->conns;
	/* Not counted on the path of a call, for it follows from the rest. */
	if (stats->calls > stats->parks)
		stats->spins = stats->calls - stats->parks;
	pthread_mutex_unlock(&conn->lock);
	sized_copy(user, user->size, stats, sizeof(*stats));
	free(stats);
	return 0;
}
