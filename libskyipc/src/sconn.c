/* SPDX-License-Identifier: MIT */
/*
 * sconn.c - a connection's server end: from accept to the last reference
 *
 * A connection is referenced by the server's table, once by each seat whose
 * list one of its channels is on, and by buffers that are being made. The
 * table's reference goes when the client does; the memory goes with the last
 * one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "hist.h"
#include "point.h"
#include "server.h"
#include "transport.h"
#include "sock.h"
#include "trust.h"
#include "vmfunc_server.h"

#define CONNS_PER_UID 16384u

static uint32_t id_index(uint64_t id)
{
	return (uint32_t)id;
}

/* A place in the table; -ENOMEM. */
static int place_take(struct skyipc_server *server, uint32_t *place)
{
	uint32_t size = server->conns_size ? server->conns_size * 2 : 64;
	struct sconn **conns;
	uint32_t *places;

	if (!server->nplaces) {
		conns = realloc(server->conns, size * sizeof(*conns));
		if (!conns)
			return -ENOMEM;
		server->conns = conns;
		places = realloc(server->places, size * sizeof(*places));
		if (!places)
			return -ENOMEM;
		server->places = places;
		for (uint32_t i = size; i-- > server->conns_size;) {
			conns[i] = NULL;
			places[server->nplaces++] = i;
		}
		server->conns_size = size;
	}
	*place = server->places[--server->nplaces];
	return 0;
}

/* Quotas of connections; on refusal @why names the one. */
static int admit(struct skyipc_server *server, struct sconn *conn, char *why,
		 size_t size)
{
	const struct skyipc_server_attr *a = &server->attr;
	uint64_t max = a->max_conns_per_uid;
	const char *share = "";

	if (a->max_conns && server->nconns >= a->max_conns) {
		snprintf(why, size,
			 "quota max_conns: the server has its %u connections",
			 a->max_conns);
		return -EDQUOT;
	}
	if (!max) {
		max = CONNS_PER_UID;
		/* Who could stop us is not kept from using us up. */
		if (!peer_trusted(&conn->peer) && quota_conns_max() < max) {
			max = quota_conns_max();
			share = " (a quarter of the server's RLIMIT_NOFILE)";
		}
	}
	if (conn->user->conns >= max) {
		snprintf(why, size,
			 "quota max_conns_per_uid: uid %u has its %llu "
			 "connections%s",
			 (unsigned)conn->peer.uid, (unsigned long long)max,
			 share);
		return -EDQUOT;
	}
	return 0;
}

static int add_locked(struct skyipc_server *server, int sock, char *why,
		      size_t size)
{
	struct sconn *conn = calloc(1, sizeof(*conn));
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP };
	uint32_t place;
	int err;

	if (!conn)
		return -ENOMEM;
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
		err = place_take(server, &place);
	if (err)
		goto fail_user;
	/* Never 0: ids must differ from the events that are none. */
	if (!++server->next_gen)
		server->next_gen = 1;
	conn->id = (uint64_t)server->next_gen << 32 | place;
	ev.data.u64 = conn->id;
	if (epoll_ctl(server->ctl_ep, EPOLL_CTL_ADD, sock, &ev) < 0) {
		err = -errno;
		goto fail_place;
	}
	conn->server = server;
	conn->sock = sock;
	conn->bell = conn->kcall = -1;
	conn->refs = 1;
	conn->deadline = now_ns() + server->attr.handshake_ns;
	pthread_mutex_init(&conn->sock_lock, NULL);
	server->conns[place] = conn;
	server->nconns++;
	conn->user->conns++;
	TAILQ_INSERT_TAIL(&server->handshakes, conn, handshake);
	return 0;
fail_place:
	server->places[server->nplaces++] = place;
fail_user:
	quota_put(&server->quota, conn->user);
fail:
	free(conn);
	return err;
}

int sconn_accept(struct skyipc_server *server, int *sock, char *why,
		 size_t size)
{
	int err;

	/* Locked: a fork() finds the socket in the table, or not at all. */
	pthread_mutex_lock(&server->lock);
	*sock = accept4(server->listen_fd, NULL, NULL,
			SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (*sock >= 0) {
		point("server-accepted");
		err = add_locked(server, *sock, why, size);
	} else {
		err = -errno;
	}
	pthread_mutex_unlock(&server->lock);
	if (err == -EAGAIN && *sock < 0)
		return 0;
	return err ? err : 1;
}

struct sconn *sconn_get_locked(struct skyipc_server *server, uint64_t id)
{
	uint32_t i = id_index(id);
	struct sconn *conn;

	if (i >= server->conns_size)
		return NULL;
	conn = server->conns[i];
	if (!conn || conn->id != id)
		return NULL;
	atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed);
	return conn;
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
#ifdef __x86_64__
	vmfunc_stats(conn, &server->retired);
#endif
	for (struct sconn **at = &server->dying; *at; at = &(*at)->next_dying)
		if (*at == conn) {
			*at = conn->next_dying;
			break;
		}
	conn->user->mem -= conn->mem;
	conn->user->maps -= conn->maps;
	conn->user->fds -= conn->fdq.total;
	quota_put(&server->quota, conn->user);
	pthread_mutex_unlock(&server->lock);

	sconn_mem_free(conn);
	if (conn->bell >= 0)
		close(conn->bell);
	if (conn->kcall >= 0)
		close(conn->kcall);
	fdq_clear(&conn->fdq);
	pthread_mutex_destroy(&conn->sock_lock);
	free(conn);
}

/* Close the socket, and give up the place in the table and its reference. */
static void bury(struct sconn *conn)
{
	struct skyipc_server *server = conn->server;
	uint32_t place = id_index(conn->id);

	pthread_mutex_lock(&conn->sock_lock);
	pthread_mutex_lock(&server->lock);
	if (conn->state == SCONN_DEAD) { /* two have killed it at once */
		pthread_mutex_unlock(&server->lock);
		pthread_mutex_unlock(&conn->sock_lock);
		return;
	}
	conn->state = SCONN_DEAD;
	/* Before the socket is closed: others look at who is on the list. */
	if (conn->unread) {
		conn->user->unread -= conn->unread;
		TAILQ_REMOVE(&conn->user->unread_conns, conn, unread_entry);
		conn->unread = 0;
	}
	server->conns[place] = NULL;
	server->places[server->nplaces++] = place;
	conn->next_dying = server->dying;
	server->dying = conn;
	server->nconns--;
	conn->user->conns--;
	pthread_mutex_unlock(&server->lock);
	/* A copy may live on in a child that knows nothing of us. */
	epoll_ctl(server->ctl_ep, EPOLL_CTL_DEL, conn->sock, NULL);
	close(conn->sock);
	conn->sock = -1;
	pthread_mutex_unlock(&conn->sock_lock);
	sconn_put(conn);
}

/*
 * Descriptors that the client has not read yet are counted against the limits
 * of our user, and are until it has: keep the socket, which can tell us, and
 * the client's right to one connection less. (The kernel reports that the
 * client has gone a moment before it has thrown away what was unread.)
 */
static int linger(struct sconn *conn)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET,
				  .data.u64 = conn->id };
	int unread;

	pthread_mutex_lock(&conn->sock_lock);
	unread = sconn_has_unread(conn);
	if (unread && conn->sock >= 0) {
		shutdown(conn->sock, SHUT_RDWR);
		/* Whatever is read from now on is an event, and this is one. */
		unread = !epoll_ctl(conn->server->ctl_ep, EPOLL_CTL_MOD,
				    conn->sock, &ev);
	}
	pthread_mutex_unlock(&conn->sock_lock);
	return unread;
}

void sconn_linger(struct sconn *conn)
{
	int unread;

	pthread_mutex_lock(&conn->sock_lock);
	unread = conn->sock >= 0 && sconn_has_unread(conn);
	pthread_mutex_unlock(&conn->sock_lock);
	if (!unread)
		bury(conn);
}

void sconn_kill(struct sconn *conn, enum sconn_end end, const char *why)
{
	struct skyipc_server *server = conn->server;
	int lingering;

	pthread_mutex_lock(&server->lock);
	lingering = conn->state == SCONN_LINGERING;
	if (conn->state == SCONN_DEAD || (lingering && end == END_GONE)) {
		pthread_mutex_unlock(&server->lock);
		return;
	}
	if (conn->state == SCONN_NEW)
		TAILQ_REMOVE(&server->handshakes, conn, handshake);
	if (conn->state == SCONN_OPEN)
		server->nopen--;
	conn->state = SCONN_LINGERING;
	if (end == END_GONE)
		conn->gone = 1;
	for (struct schan *ch = conn->chans; ch; ch = ch->next)
		atomic_store_explicit(&ch->dead, 1, memory_order_relaxed);
	/* The client holds the same eventfd: closing ours is not enough. */
	if (conn->bell >= 0)
		epoll_ctl(server->bell_ep, EPOLL_CTL_DEL, conn->bell, NULL);
	pthread_mutex_unlock(&server->lock);
	if (conn->transport && conn->transport->kill)
		conn->transport->kill(conn);

	if (!lingering)
		server_say(server, SKYIPC_LOG_DEBUG, "pid %d uid %u: %s",
			   (int)conn->peer.pid, (unsigned)conn->peer.uid, why);
	if (end == END_SERVER || !linger(conn))
		bury(conn);
}

int sconn_bell_open(struct sconn *conn)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET,
				  .data.u64 = conn->id };

	conn->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (conn->bell < 0 || epoll_ctl(conn->server->bell_ep, EPOLL_CTL_ADD,
					conn->bell, &ev) < 0)
		return -errno;
	return 0;
}

int sconn_open(struct sconn *conn, const struct proto_hello *hello, char *why,
	       size_t size)
{
	struct skyipc_server *server = conn->server;
	int err;

	if (hello->depth < 2 || (hello->depth & (hello->depth - 1)) ||
	    !hello->bufs || hello->bufs > hello->depth || !hello->buf_size ||
	    hello->buf_size % 4096 || hello->buf_size > BUF_SIZE_MAX ||
	    hello->flags & ~PROTO_HELLO_RING) {
		snprintf(why, size, "impossible sizes or flags");
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
	conn->rings_by_sock = !!(hello->flags & PROTO_HELLO_RING);
	err = conn->transport->admit(conn);
	if (err)
		return err;
	pthread_mutex_lock(&server->lock);
	TAILQ_REMOVE(&server->handshakes, conn, handshake);
	conn->state = SCONN_OPEN;
	server->nopen++;
	server->retired.conns_total++;
	pthread_mutex_unlock(&server->lock);
	return 0;
}
