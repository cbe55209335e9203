/* SPDX-License-Identifier: MIT */
/*
 * serve.c - one call: from the request slot to the reply slot
 *
 * Runs on a worker thread. The request's words are copied once; everything that
 * is checked is checked in the copy. A bad request gets an error reply and
 * costs its sender.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "block.h"
#include "clock.h"
#include "futex.h"
#include "hist.h"
#include "server.h"
#include "sock.h"
#include "point.h"

#define TIMED_MASK 15

/* Calls of one channel in a row, while others wait. */
#define BATCH 32

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* What the library knows about the call that its handler sees. */
struct serving {
	struct skyipc_call call;
	struct schan *ch;
	uint64_t pos;
	int *fds;	/* the request's, as received */
	int *reply_fds; /* given by skyipc_call_fds() */
	char *reply_half;
	char *request_half;
};

static void publish(struct schan *ch, uint64_t pos, uint32_t flags,
		    uint32_t code, const uint64_t *w, uint64_t ext)
{
	struct shm_slot *slot = &ch->rep[pos & ch->mask];

	shm_put(slot, w, ext);
	point("server-reply");
	if (likely(!shm_publish(slot, shm_head(pos, flags, code),
				&ch->head->client)))
		return;
	/* Only one waker: the watch thread of the client may be another. */
	if (atomic_exchange(&ch->head->client.park, SHM_AWAKE) != SHM_AWAKE) {
		point("server-wake");
		stat_add(ch->stats.wakes, 1);
		futex_wake_all(&ch->head->client.park);
	}
}

static __attribute__((noinline)) void refuse(struct schan *ch, uint64_t pos,
					     int err)
{
	static const uint64_t none[SKYIPC_WORDS];

	stat_add(ch->stats.errors, 1);
	publish(ch, pos, SHM_ERROR, (uint32_t)err, none, 0);
}

static skyipc_handler find_handler(const struct skyipc_server *server,
				   uint32_t op, void **arg)
{
	if (op < server->attr.nops && server->ops[op].fn) {
		*arg = server->ops[op].arg;
		return server->ops[op].fn;
	}
	*arg = server->attr.arg;
	return server->attr.handler;
}

/* The long part and the descriptors of a request. 0; -errno to refuse with. */
static __attribute__((noinline)) int
take_extras(struct serving *s, uint32_t flags, struct shm_slot *slot)
{
	struct sconn *conn = s->ch->conn;
	uint64_t ext;
	int n;

	if (flags & SHM_FDS) {
		n = sconn_take_fds(conn, s->ch->number, s->pos, &s->fds);
		if (n < 0)
			return n;
		s->call.fds = s->fds;
		s->call.nfds = (uint32_t)n;
		stat_add(s->ch->stats.fds_in, (uint64_t)n);
	}
	/* After the descriptors: a cancelled call's must be taken, too. */
	if (flags & SHM_CANCEL)
		return -ECANCELED;
	if (flags & ~(SHM_LONG | SHM_FDS))
		return -EINVAL;
	if (flags & SHM_LONG) {
		/* Acquire: pairs with sconn_bufs_add(). */
		char *data = atomic_load_explicit(&s->ch->data,
						  memory_order_acquire);
		uint64_t len, buf;

		ext = atomic_load_explicit(&slot->ext, memory_order_relaxed);
		len = ext & 0xffffffff;
		buf = ext >> 32;
		if (!data || buf >= conn->bufs || len > conn->buf_size)
			return -EINVAL;
		s->request_half = data + 2 * conn->buf_size * buf;
		s->reply_half = s->request_half + conn->buf_size;
		s->call.data = s->request_half;
		s->call.len = len;
		s->call.reply = s->reply_half;
		s->call.reply_cap = conn->buf_size;
		stat_add(s->ch->stats.bytes_in, len);
	}
	return 0;
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
		*flags |= SHM_INREQ;
		*ext = (uint64_t)(p - s->request_half) << 32;
	} else if (p >= s->reply_half && p < s->reply_half + cap) {
		if (c->reply_len > (size_t)(s->reply_half + cap - p))
			return -EMSGSIZE;
		*ext = (uint64_t)(p - s->reply_half) << 32;
	} else {
		memcpy(s->reply_half, p, c->reply_len);
		*ext = 0;
	}
	*flags |= SHM_LONG;
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
	int err = -EPIPE;

	if (s->call.reply_nfds > SKYIPC_MAX_FDS)
		return -EINVAL;
	msg.fds.chan = s->ch->number;
	msg.fds.pos = s->pos;
	msg.fds.count = s->call.reply_nfds;
	pthread_mutex_lock(&conn->sock_lock);
	/* Without waiting: a client that does not read harms itself. */
	if (conn->sock >= 0)
		err = sock_send(conn->sock, &msg, len, s->call.reply_fds,
				s->call.reply_nfds, 0);
	pthread_mutex_unlock(&conn->sock_lock);
	point("server-fds-sent");
	if (!err)
		stat_add(s->ch->stats.fds_out, s->call.reply_nfds);
	return err == -EAGAIN ? -ENOBUFS : err;
}

static __attribute__((noinline)) void finish_extras(struct serving *s,
						    int32_t status)
{
	uint32_t flags = 0;
	uint64_t ext = 0;
	int err = 0;

	if (s->call.reply_len)
		err = reply_place(s, &flags, &ext);
	if (!err && s->call.reply_nfds) {
		err = send_fds(s);
		flags |= SHM_FDS;
	}
	/* What the handler did not keep. */
	if (s->fds) {
		close_fds(s->fds, s->call.nfds);
		free(s->fds);
	}
	free(s->reply_fds);
	if (err)
		refuse(s->ch, s->pos, err);
	else
		publish(s->ch, s->pos, flags, (uint32_t)status, s->call.out,
			ext);
}

static inline void serve_one(struct schan *ch, uint64_t pos, uint64_t head)
{
	struct shm_slot *slot = &ch->req[pos & ch->mask];
	uint32_t flags = shm_head_flags(head);
	struct skyipc_server *server = ch->conn->server;
	struct serving s;
	skyipc_handler handler;
	uint64_t t0 = 0;
	int32_t status;
	int timed, err;
	void *arg;

	memset(&s.call, 0, sizeof(s.call));
	s.call.op = shm_head_code(head);
	s.call.peer = &ch->conn->peer;
	shm_get(slot, s.call.in);
	s.ch = ch;
	s.pos = pos;
	s.fds = s.reply_fds = NULL;
	s.request_half = s.reply_half = NULL;
	/* A client about to sleep looks here: it is in good hands. */
	atomic_store_explicit(&ch->head->accepted, pos + 1,
			      memory_order_relaxed);

	if (unlikely(flags)) {
		err = take_extras(&s, flags, slot);
		if (err)
			goto refuse;
	}
	point("server-request-taken");
	handler = find_handler(server, s.call.op, &arg);
	if (unlikely(!handler)) {
		err = -ENOSYS;
		goto refuse;
	}
	timed = !(ch->timing++ & TIMED_MASK);
	if (unlikely(timed))
		t0 = ticks();

	point("server-handler");
	status = handler(&s.call, arg);
	point("server-handled");

	if (unlikely(timed))
		hist_record(&ch->stats.latency, ticks_to_ns(ticks() - t0));
	stat_add(ch->stats.calls, 1);
	if (unlikely(s.fds || s.call.reply_len || s.call.reply_nfds))
		finish_extras(&s, status);
	else
		publish(ch, pos, 0, (uint32_t)status, s.call.out, 0);
	return;
refuse:
	if (s.fds) {
		close_fds(s.fds, s.call.nfds);
		free(s.fds);
	}
	refuse(ch, pos, err);
}

static inline void tell_cpu(struct schan *ch)
{
	int cpu = cpu_here();

	if (unlikely(cpu != ch->cpu)) {
		ch->cpu = cpu;
		atomic_store_explicit(&ch->head->server.cpu, (uint32_t)cpu + 1,
				      memory_order_relaxed);
	}
}

static inline int ready(struct schan *ch, uint64_t *head)
{
	/* Relaxed: a stale position only makes us look at the wrong slot; it
	 * is read again under the claim. */
	uint64_t pos = atomic_load_explicit(&ch->pos, memory_order_relaxed);

	return shm_ready(&ch->req[pos & ch->mask], pos, head);
}

unsigned serve(struct schan *ch)
{
	unsigned served = 0;
	uint64_t head;

again:
	if (likely(!ready(ch, &head)))
		return served;
	/* Acquire, of pos and all else: pairs with the store of 0 below. */
	if (atomic_exchange_explicit(&ch->claim, 1, memory_order_acquire))
		return served;
	point("server-claimed");
	tell_cpu(ch);
	for (unsigned n = 0; n < BATCH && ready(ch, &head); n++) {
		uint64_t pos =
			atomic_load_explicit(&ch->pos, memory_order_relaxed);

		/* Before the handler: whoever looks meanwhile must see what
		 * comes next, not what is being served. */
		atomic_store_explicit(&ch->pos, pos + 1, memory_order_relaxed);
		serve_one(ch, pos, head);
		served++;
	}
	/*
	 * Who found the channel claimed has gone away (see seat.c): look once
	 * more after giving the claim back, unless the channel is on a list.
	 * Sequentially consistent with seat.c's stores of owner and park.
	 */
	atomic_store(&ch->claim, 0);
	point("server-unclaimed");
	if (unlikely(!atomic_load(&ch->owner)))
		goto again;
	return served;
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
	int *fds;

	if (n > SKYIPC_MAX_FDS)
		return NULL;
	fds = realloc(s->reply_fds, n * sizeof(int) + 1);
	if (!fds)
		return NULL;
	s->reply_fds = fds;
	call->reply_fds = fds;
	call->reply_nfds = n;
	return fds;
}
