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

#define TIMED_MASK 63

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
	/* from here on zeroed at the start */
	int *fds;	/* the request's, as received */
	int *reply_fds; /* given by skyipc_call_fds() */
	char *reply_half;
	char *request_half;
};

static __attribute__((noinline)) void wake(struct schan *ch)
{
	/* Only one waker: the watch thread of the client may be another. */
	if (atomic_exchange(&ch->head->client.park, SHM_AWAKE) == SHM_AWAKE)
		return;
	point("server-wake");
	stat_add(ch->stats.wakes, 1);
	futex_wake(&ch->head->client.park);
}

static inline void publish(struct schan *ch, uint64_t pos, uint32_t flags,
			   uint32_t code, const uint64_t *w, uint64_t ext)
{
	struct shm_slot *slot = &ch->rep[pos & ch->mask];

	shm_put(slot, w, ext);
	point("server-reply");
	if (unlikely(shm_publish(slot, shm_head(pos, flags, code),
				 &ch->head->client)))
		wake(ch);
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
	if (s->call.flags & SKYIPC_CLOSE_FDS)
		close_fds(s->call.reply_fds, s->call.reply_nfds);
	free(s->reply_fds);
	if (err)
		refuse(s->ch, s->pos, err);
	else
		publish(s->ch, s->pos, flags, (uint32_t)status, s->call.out,
			ext);
}

/*
 * Zero from @from up to @to, 16 bytes at a time. memset() of so much becomes a
 * "rep stos", which takes longer to start than these few stores.
 */
static inline __attribute__((always_inline)) void zero(void *from, void *to)
{
	typedef uint64_t pair
		__attribute__((vector_size(16), aligned(8), may_alias));
	pair *p = from;

#pragma GCC unroll 8
	while ((void *)p < to)
		*p++ = (pair){ 0, 0 };
}

/* What the handler is to see of a short request. */
static inline void begin(struct serving *s, struct schan *ch, uint64_t pos,
			 uint64_t head)
{
	struct skyipc_call *c = &s->call;

	static_assert((offsetof(struct skyipc_call, peer) -
		       offsetof(struct skyipc_call, out)) %
				      16 ==
			      0,
		      "zeroed in pairs of words");
	c->op = shm_head_code(head);
	c->nfds = 0;
	zero(c->out, &c->peer);
	c->peer = &ch->conn->peer;
	s->ch = ch;
	s->pos = pos;
	zero(&s->fds, s + 1);
}

static __attribute__((noinline)) int32_t
call_timed(struct serving *s, skyipc_handler handler, void *arg)
{
	uint64_t t0 = ticks();
	int32_t status = handler(&s->call, arg);

	hist_record(&s->ch->stats.latency, ticks_to_ns(ticks() - t0));
	return status;
}

static inline __attribute__((always_inline)) void
serve_one(struct schan *ch, uint64_t pos, uint64_t head)
{
	struct shm_slot *slot = &ch->req[pos & ch->mask];
	uint32_t flags = shm_head_flags(head);
	struct skyipc_server *server = ch->conn->server;
	struct serving s;
	skyipc_handler handler;
	int32_t status;
	int err;
	void *arg;

	begin(&s, ch, pos, head);
	shm_get(slot, s.call.in);
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
	point("server-handler");
	if (unlikely(!(pos & TIMED_MASK)))
		status = call_timed(&s, handler, arg);
	else
		status = handler(&s.call, arg);
	point("server-handled");
	stat_add(ch->stats.calls, 1);
	/* One test of what is nearly never there. */
	if (unlikely((uintptr_t)s.fds | (uintptr_t)s.reply_fds |
		     s.call.reply_len | s.call.reply_nfds))
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

/* Under the claim, with a request's head at @pos. */
static inline __attribute__((always_inline)) unsigned
serve_batch(struct schan *ch, uint64_t pos, uint64_t head)
{
	unsigned served = 0;

	do {
		/*
		 * Before the handler: whoever looks meanwhile must see what
		 * comes next, not what is being served.
		 */
		atomic_store_explicit(&ch->pos, pos + 1, memory_order_relaxed);
		serve_one(ch, pos++, head);
		served++;
	} while (shm_ready(&ch->req[pos & ch->mask], pos, &head) &&
		 served < BATCH);
	return served;
}

/* Serve under the claim, if nobody else has it. */
static inline __attribute__((always_inline)) unsigned
serve_claimed(struct schan *ch, uint64_t pos, uint64_t head)
{
	unsigned served = 0;

	/* Acquire, of pos and all else: pairs with the store of 0 below. */
	if (unlikely(atomic_exchange_explicit(&ch->claim, 1,
					      memory_order_acquire)))
		return 0;
	point("server-claimed");
	if (likely(pos == atomic_load_explicit(&ch->pos, memory_order_relaxed)))
		served = serve_batch(ch, pos, head);
	/* Sequentially consistent with list_drop()'s stores, see below. */
	atomic_store(&ch->claim, 0);
	point("server-unclaimed");
	return served;
}

/*
 * The channel is on no list. Whoever took it off may have found it claimed and
 * left what had come meanwhile to us.
 */
static __attribute__((noinline)) unsigned serve_left(struct schan *ch)
{
	unsigned served = 0;
	uint64_t pos, head;

	/* A server that drains does not wait for clients to get tired. */
	while (!atomic_load(&ch->owner) && schan_ready(ch, &pos, &head) &&
	       !atomic_load(&ch->claim) &&
	       (served <= ch->mask || !ch->conn->server->draining))
		served += serve_claimed(ch, pos, head);
	return served;
}

unsigned serve_ready(struct schan *ch, uint64_t pos, uint64_t head)
{
	unsigned served = serve_claimed(ch, pos, head);

	if (unlikely(!atomic_load(&ch->owner)))
		served += serve_left(ch);
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
