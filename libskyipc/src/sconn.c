/* SPDX-License-Identifier: MIT */
/*
 * sconn.c - a connection's server end: quotas, channels, memory
 *
 * A connection is referenced by the server's table and once by each seat whose
 * list one of its channels is on. The table's reference goes when the client
 * does; the memory goes with the last one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "hist.h"
#include "memfd.h"
#include "server.h"
#include "sock.h"

/* Descriptors a user may have queued here, whatever the process's limit. */
#define QUEUED_FDS_MIN SKYIPC_MAX_FDS

/* Messages that a worker reads in search of a call's descriptors. A client that
 * has more on the way than its socket's buffer holds keeps it from others. */
#define HEARD_MAX 1024

static int id_index(uint64_t id)
{
	return (int)(uint32_t)id;
}

static int place_find(struct skyipc_server *server)
{
	uint32_t i, size;
	struct sconn **p;

	for (i = 0; i < server->conns_size; i++)
		if (!server->conns[i])
			return (int)i;
	size = i ? i * 2 : 64;
	p = realloc(server->conns, size * sizeof(*p));
	if (!p)
		return -ENOMEM;
	memset(p + i, 0, (size - i) * sizeof(*p));
	server->conns = p;
	server->conns_size = size;
	return (int)i;
}

/* Quotas of connections; on refusal @why names the one. */
static int admit(struct skyipc_server *server, struct sconn *conn, char *why,
		 size_t size)
{
	const struct skyipc_server_attr *a = &server->attr;

	if (a->max_conns && server->nconns >= a->max_conns) {
		snprintf(why, size,
			 "quota max_conns: the server has its %u connections",
			 a->max_conns);
		return -EDQUOT;
	}
	if (conn->user->conns >= a->max_conns_per_uid) {
		snprintf(why, size,
			 "quota max_conns_per_uid: uid %u has its %u "
			 "connections",
			 (unsigned)conn->peer.uid, a->max_conns_per_uid);
		return -EDQUOT;
	}
	return 0;
}

int sconn_add(struct skyipc_server *server, int sock, struct sconn **out,
	      char *why, size_t size)
{
	struct sconn *conn = calloc(1, sizeof(*conn));
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP };
	int i, err;

	if (!conn)
		return -ENOMEM;
	pthread_mutex_lock(&server->lock);
	err = sock_peer(sock, &conn->peer);
	if (err)
		goto fail;
	conn->user = quota_user(&server->quota, conn->peer.uid);
	if (!conn->user) {
		err = -ENOMEM;
		goto fail;
	}
	err = admit(server, conn, why, size);
	if (!err)
		err = i = place_find(server);
	if (err < 0)
		goto fail_user;
	/* Never 0: ids must differ from the events that are none. */
	if (!++server->next_gen)
		server->next_gen = 1;
	conn->id = (uint64_t)server->next_gen << 32 | (uint32_t)i;
	ev.data.u64 = conn->id;
	if (epoll_ctl(server->ctl_ep, EPOLL_CTL_ADD, sock, &ev) < 0) {
		err = -errno;
		goto fail_user;
	}
	conn->server = server;
	conn->sock = sock;
	conn->bell = -1;
	conn->refs = 1;
	conn->deadline = now_ns() + server->attr.handshake_ns;
	pthread_mutex_init(&conn->sock_lock, NULL);
	server->conns[i] = conn;
	server->nconns++;
	server->handshakes++;
	conn->user->conns++;
	pthread_mutex_unlock(&server->lock);
	*out = conn;
	return 0;
fail_user:
	quota_put(&server->quota, conn->user);
fail:
	pthread_mutex_unlock(&server->lock);
	free(conn);
	return err;
}

struct sconn *sconn_get_locked(struct skyipc_server *server, uint64_t id)
{
	uint32_t i = (uint32_t)id_index(id);
	struct sconn *conn;

	if (i >= server->conns_size)
		return NULL;
	conn = server->conns[i];
	if (!conn || conn->id != id)
		return NULL;
	atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed);
	return conn;
}

static void chan_free(struct sconn *conn, struct schan *ch)
{
	munmap(ch->head, shm_chan_size(conn->depth));
	if (ch->data)
		munmap(ch->data, shm_bufs_size(conn->bufs, conn->buf_size));
	free(ch);
}

void sconn_put(struct sconn *conn)
{
	struct skyipc_server *server = conn->server;

	/* Release what this thread did with it, acquire what the others did. */
	if (atomic_fetch_sub_explicit(&conn->refs, 1, memory_order_acq_rel) !=
	    1)
		return;
	pthread_mutex_lock(&server->lock);
	for (struct schan *ch = conn->chans; ch; ch = ch->next)
		stats_merge(&server->retired, &ch->stats);
	for (struct sconn **at = &server->dying; *at; at = &(*at)->next_dying)
		if (*at == conn) {
			*at = conn->next_dying;
			break;
		}
	conn->user->mem -= conn->mem;
	conn->user->fds -= conn->fdq.total;
	quota_put(&server->quota, conn->user);
	pthread_mutex_unlock(&server->lock);

	while (conn->chans) {
		struct schan *ch = conn->chans;

		conn->chans = ch->next;
		chan_free(conn, ch);
	}
	if (conn->bell >= 0)
		close(conn->bell);
	fdq_clear(&conn->fdq);
	pthread_mutex_destroy(&conn->sock_lock);
	free(conn);
}

void sconn_kill(struct sconn *conn, const char *why)
{
	struct skyipc_server *server = conn->server;

	pthread_mutex_lock(&server->lock);
	if (conn->state == SCONN_DEAD) {
		pthread_mutex_unlock(&server->lock);
		return;
	}
	if (conn->state == SCONN_NEW)
		server->handshakes--;
	conn->state = SCONN_DEAD;
	server->conns[id_index(conn->id)] = NULL;
	conn->next_dying = server->dying;
	server->dying = conn;
	server->nconns--;
	conn->user->conns--;
	for (struct schan *ch = conn->chans; ch; ch = ch->next)
		atomic_store_explicit(&ch->dead, 1, memory_order_relaxed);
	/* The client holds the same eventfd: closing ours is not enough. */
	if (conn->bell >= 0)
		epoll_ctl(server->bell_ep, EPOLL_CTL_DEL, conn->bell, NULL);
	pthread_mutex_unlock(&server->lock);

	pthread_mutex_lock(&conn->sock_lock);
	/* A copy may live on in a child that knows nothing of us. */
	epoll_ctl(server->ctl_ep, EPOLL_CTL_DEL, conn->sock, NULL);
	close(conn->sock);
	conn->sock = -1;
	pthread_mutex_unlock(&conn->sock_lock);
	server_say(server, SKYIPC_LOG_DEBUG, "pid %d uid %u: %s",
		   (int)conn->peer.pid, (unsigned)conn->peer.uid, why);
	sconn_put(conn);
}

/* Charge @size bytes to the user; -EDQUOT. */
static int charge(struct sconn *conn, uint64_t size, char *why, size_t len)
{
	struct skyipc_server *server = conn->server;
	uint64_t max = server->attr.max_mem_per_uid;
	int err = 0;

	pthread_mutex_lock(&server->lock);
	if (size > max || conn->user->mem > max - size) {
		snprintf(why, len,
			 "quota max_mem_per_uid: uid %u has %llu of %llu bytes "
			 "and wants %llu more",
			 (unsigned)conn->peer.uid,
			 (unsigned long long)conn->user->mem,
			 (unsigned long long)max, (unsigned long long)size);
		err = -EDQUOT;
	} else {
		conn->user->mem += size;
		conn->mem += size;
	}
	pthread_mutex_unlock(&server->lock);
	return err;
}

static void uncharge(struct sconn *conn, uint64_t size)
{
	pthread_mutex_lock(&conn->server->lock);
	conn->user->mem -= size;
	conn->mem -= size;
	pthread_mutex_unlock(&conn->server->lock);
}

int sconn_open(struct sconn *conn, const struct proto_hello *hello, char *why,
	       size_t size)
{
	struct skyipc_server *server = conn->server;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET,
				  .data.u64 = conn->id };

	if (hello->depth < 2 || (hello->depth & (hello->depth - 1)) ||
	    !hello->bufs || hello->bufs > hello->depth || !hello->buf_size ||
	    hello->buf_size % 4096 || hello->buf_size > SHM_BUF_MAX) {
		snprintf(why, size, "impossible sizes");
		return -EINVAL;
	}
	if (hello->depth > server->attr.depth) {
		snprintf(why, size, "the server allows a depth of %u",
			 server->attr.depth);
		return -EMSGSIZE;
	}
	if (hello->buf_size > server->attr.buf_size) {
		snprintf(why, size, "the server allows a buf_size of %llu",
			 (unsigned long long)server->attr.buf_size);
		return -EMSGSIZE;
	}
	conn->depth = hello->depth;
	conn->bufs = hello->bufs;
	conn->buf_size = hello->buf_size;
	conn->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (conn->bell < 0 ||
	    epoll_ctl(server->bell_ep, EPOLL_CTL_ADD, conn->bell, &ev) < 0)
		return -errno;
	pthread_mutex_lock(&server->lock);
	conn->state = SCONN_OPEN;
	server->handshakes--;
	server->retired.conns_total++;
	pthread_mutex_unlock(&server->lock);
	return 0;
}

int sconn_chan_add(struct sconn *conn, struct schan **out, int *fd, char *why,
		   size_t len)
{
	struct skyipc_server *server = conn->server;
	size_t size = shm_chan_size(conn->depth);
	struct schan *ch;
	void *map;
	int err;

	err = charge(conn, size, why, len);
	if (err)
		return err;
	ch = aligned_alloc(64, align_up(sizeof(*ch), 64));
	err = ch ? memfd_make("skyipc-channel", size, fd, &map) : -ENOMEM;
	if (err) {
		free(ch);
		uncharge(conn, size);
		return err;
	}
	memset(ch, 0, sizeof(*ch));
	ch->head = map;
	ch->req = (void *)((char *)map + shm_req_offset());
	ch->rep = (void *)((char *)map + shm_rep_offset(conn->depth));
	ch->mask = conn->depth - 1;
	ch->conn = conn;
	ch->stats.mem = size;
	/* Nobody looks at it yet: the client has to ring. */
	atomic_store_explicit(&ch->head->server.park, SHM_PARKED,
			      memory_order_relaxed);
	pthread_mutex_lock(&server->lock);
	ch->number = conn->nchans++;
	ch->next = conn->chans;
	conn->chans = ch;
	pthread_mutex_unlock(&server->lock);
	*out = ch;
	return 0;
}

int sconn_bufs_add(struct sconn *conn, uint32_t number, int *fd, char *why,
		   size_t len)
{
	uint64_t size = shm_bufs_size(conn->bufs, conn->buf_size);
	struct schan *ch;
	void *map;
	int err;

	/* Channels and buffers are added under sock_lock only. */
	for (ch = conn->chans; ch && ch->number != number; ch = ch->next)
		;
	if (!ch || ch->data) {
		snprintf(why, len, "no such channel, or it has its buffers");
		return -EINVAL;
	}
	err = charge(conn, size, why, len);
	if (err)
		return err;
	err = memfd_make("skyipc-buffers", size, fd, &map);
	if (err) {
		uncharge(conn, size);
		return err;
	}
	stat_add(ch->stats.mem, size);
	/* Release: a worker that sees a request with a buffer sees data. */
	atomic_store_explicit(&ch->data, map, memory_order_release);
	return 0;
}

/*
 * The call gets @err instead of its handler. No client has more calls
 * outstanding than its channels have slots.
 */
static int lose_fds_locked(struct sconn *conn, const union proto_msg *msg,
			   int err)
{
	if (msg->fds.chan >= conn->nchans ||
	    conn->fdq.lost >= (uint64_t)conn->nchans * conn->depth)
		return -EPROTO;
	return fdq_lose(&conn->fdq, msg->fds.chan, msg->fds.pos, err);
}

/*
 * A user's queued descriptors are bounded by a share of what the process may
 * have, so that one user's flood leaves room for the others.
 */
static int queue_fds(struct sconn *conn, const union proto_msg *msg,
		     const int *fds, unsigned n)
{
	struct skyipc_server *server = conn->server;
	struct rlimit rl = { 1024, 1024 };
	int err;

	getrlimit(RLIMIT_NOFILE, &rl);
	pthread_mutex_lock(&server->lock);
	if (!n || msg->fds.count != n || msg->fds.chan >= conn->nchans) {
		close_fds(fds, n);
		err = -EPROTO;
	} else if (conn->user->fds + n >
		   max_u64(rl.rlim_cur / 8, QUEUED_FDS_MIN)) {
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
