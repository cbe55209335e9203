/* SPDX-License-Identifier: MIT */
#include "serving.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "hist.h"
#include "point.h"
#include "sock.h"
#include "vmfunc_server.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

static int take_long(struct serving *s, uint64_t ext)
{
	/* Acquire: pairs with sconn_bufs_add(). */
	char *data = atomic_load_explicit(&s->ch->data, memory_order_acquire);
	uint64_t size = s->ch->conn->buf_size;
	uint64_t len = ext & 0xffffffff, buf = ext >> 32;

	if (!data || buf >= s->ch->conn->bufs || len > size)
		return -EINVAL;
	s->request_half = data + 2 * size * buf;
	s->reply_half = s->request_half + size;
	s->call.data = s->request_half;
	s->call.len = len;
	s->call.reply = s->reply_half;
	s->call.reply_cap = size;
	stat_add(s->ch->stats.bytes_in, len);
	return 0;
}

int serving_take(struct serving *s, uint32_t flags, uint64_t ext)
{
	int n;

	if (flags & CALL_FDS) {
		n = sconn_take_fds(s->ch->conn, s->ch->number, s->pos, &s->fds);
		if (n < 0)
			return n;
		s->call.fds = s->fds;
		s->call.nfds = (uint32_t)n;
		stat_add(s->ch->stats.fds_in, (uint64_t)n);
	}
	/* After the descriptors: a cancelled call's must be taken, too. */
	if (flags & CALL_CANCEL)
		return -ECANCELED;
	if (flags & ~(CALL_LONG | CALL_FDS))
		return -EINVAL;
	return flags & CALL_LONG ? take_long(s, ext) : 0;
}

static int32_t timed(struct serving *s, skyipc_handler handler, void *arg)
{
	uint64_t t0 = ticks();
	int32_t status = handler(&s->call, arg);

	hist_record(&s->ch->stats.latency, ticks_to_ns(ticks() - t0));
	return status;
}

int32_t serving_run_slow(struct serving *s, skyipc_handler handler, void *arg)
{
	struct skyipc_server *server = s->ch->conn->server;
	struct seat *seat = server->has_views ? my_seat : NULL;
	int32_t status;

	if (seat)
		permit_take(&server->permits, vmfunc_server_recall, server);
	status = s->pos & TIMED_MASK ? handler(&s->call, arg)
				     : timed(s, handler, arg);
	/* A seat that is left gives it back: worker.c. */
	if (seat && my_seat == seat)
		permit_put(&server->permits);
	return status;
}

/* Where the handler's long reply is: its flags and ext, or -EMSGSIZE. */
static int reply_place(struct serving *s, uint32_t *flags, uint64_t *ext)
{
	struct skyipc_call *c = &s->call;
	size_t cap = s->ch->conn->buf_size;
	char *p = c->reply;

	if (!s->reply_half || c->reply_len > cap || !p)
		return -EMSGSIZE;
	if (p >= s->request_half && p < s->request_half + cap) {
		if (c->reply_len > (size_t)(s->request_half + cap - p))
			return -EMSGSIZE;
		*flags |= CALL_INREQ;
		*ext = (uint64_t)(p - s->request_half) << 32;
	} else if (p >= s->reply_half && p < s->reply_half + cap) {
		if (c->reply_len > (size_t)(s->reply_half + cap - p))
			return -EMSGSIZE;
		*ext = (uint64_t)(p - s->reply_half) << 32;
	} else {
		memcpy(s->reply_half, p, c->reply_len);
		*ext = 0;
	}
	*flags |= CALL_LONG;
	*ext |= c->reply_len;
	stat_add(s->ch->stats.bytes_out, c->reply_len);
	return 0;
}

/* Descriptors go over the socket before the reply is published. */
static int send_fds(struct serving *s)
{
	struct sconn *conn = s->ch->conn;
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_FDS);
	char why[160];
	int err;

	if (s->call.reply_nfds > SKYIPC_MAX_FDS)
		return -EINVAL;
	msg.fds.chan = s->ch->number;
	msg.fds.pos = s->pos;
	msg.fds.count = s->call.reply_nfds;
	err = sconn_reserve_fds(conn, s->call.reply_nfds, why, sizeof(why));
	if (err)
		return err;
	pthread_mutex_lock(&conn->sock_lock);
	err = sconn_send_locked(conn, &msg, len, s->call.reply_fds,
				s->call.reply_nfds);
	pthread_mutex_unlock(&conn->sock_lock);
	point("server-fds-sent");
	if (!err)
		stat_add(s->ch->stats.fds_out, s->call.reply_nfds);
	return err;
}

int serving_finish(struct serving *s, uint32_t *flags, uint64_t *ext)
{
	int err = 0;

	if (s->call.reply_len)
		err = reply_place(s, flags, ext);
	if (!err && s->call.reply_nfds) {
		err = send_fds(s);
		*flags |= CALL_FDS;
	}
	/* What the handler did not keep. */
	serving_refused(s);
	if (s->call.flags & SKYIPC_CLOSE_FDS)
		close_fds(s->call.reply_fds, s->call.reply_nfds);
	free(s->reply_fds);
	return err;
}

void serving_refused(struct serving *s)
{
	if (!s->fds)
		return;
	close_fds(s->fds, s->call.nfds);
	free(s->fds);
}

SKY_PUBLIC int skyipc_call_pidfd(const struct skyipc_call *call)
{
	const struct serving *s = container_of(call, struct serving, call);
	struct sconn *conn = s->ch->conn;
	socklen_t len = sizeof(int);
	int fd = -1, err = -ESRCH;

	pthread_mutex_lock(&conn->sock_lock);
	if (conn->sock >= 0)
		err = getsockopt(conn->sock, SOL_SOCKET, SO_PEERPIDFD, &fd,
				 &len) < 0
			      ? -errno
			      : 0;
	pthread_mutex_unlock(&conn->sock_lock);
	if (err == -ENOPROTOOPT)
		return -EOPNOTSUPP;
	if (err == -EINVAL || err == -ENODATA)
		return -ESRCH;
	return err ? err : fd;
}

SKY_PUBLIC int *skyipc_call_fds(struct skyipc_call *call, uint32_t n)
{
	struct serving *s = container_of(call, struct serving, call);
	static int none[1];
	int *fds = none;

	if (n > SKYIPC_MAX_FDS)
		return NULL;
	/* Without any there is nothing to be freed: see vmfunc_landing. */
	if (n)
		fds = realloc(s->reply_fds, n * sizeof(int));
	else
		free(s->reply_fds);
	if (!fds)
		return NULL;
	s->reply_fds = n ? fds : NULL;
	call->reply_fds = fds;
	call->reply_nfds = n;
	return fds;
}
