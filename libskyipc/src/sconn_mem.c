/* SPDX-License-Identifier: MIT */
/*
 * sconn_mem.c - a connection's channels and buffers, and who pays for them
 *
 * All memory is made by the server, sealed against truncation and filled with
 * pages at once, so that no access to it can fail later; and charged to the
 * client's user for as long as the connection lasts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memfd.h"
#include "point.h"
#include "server.h"

int sconn_charge(struct sconn *conn, uint64_t size, uint32_t maps, char *why,
		 size_t len)
{
	struct skyipc_server *server = conn->server;
	struct quota_user *user = conn->user;
	uint64_t max = server->attr.max_mem_per_uid;
	int err = -EDQUOT;

	pthread_mutex_lock(&server->lock);
	if (size > max || user->mem > max - size) {
		snprintf(why, len,
			 "quota max_mem_per_uid: uid %u has %llu of %llu bytes "
			 "and wants %llu more",
			 (unsigned)user->uid, (unsigned long long)user->mem,
			 (unsigned long long)max, (unsigned long long)size);
	} else if (user->maps + maps > server->maps_per_uid) {
		snprintf(why, len,
			 "quota of mappings: uid %u has its %llu (half of "
			 "vm.max_map_count)",
			 (unsigned)user->uid,
			 (unsigned long long)server->maps_per_uid);
	} else {
		user->mem += size;
		conn->mem += size;
		user->maps += maps;
		conn->maps += maps;
		err = 0;
	}
	pthread_mutex_unlock(&server->lock);
	return err;
}

void sconn_uncharge(struct sconn *conn, uint64_t size, uint32_t maps)
{
	pthread_mutex_lock(&conn->server->lock);
	conn->user->mem -= size;
	conn->mem -= size;
	conn->user->maps -= maps;
	conn->maps -= maps;
	pthread_mutex_unlock(&conn->server->lock);
}

/* ---- channels ------------------------------------------------------------ */

/* On the connection's list, unless it has been killed meanwhile; -EPIPE. */
static int chan_link(struct sconn *conn, struct schan *ch)
{
	int err = -EPIPE;

	pthread_mutex_lock(&conn->server->lock);
	if (conn->state == SCONN_OPEN) {
		ch->number = conn->nchans++;
		ch->next = conn->chans;
		conn->chans = ch;
		err = 0;
	}
	pthread_mutex_unlock(&conn->server->lock);
	return err;
}

int sconn_chan_add(struct sconn *conn, struct schan **out, int *fd, char *why,
		   size_t len)
{
	size_t size = shm_chan_size(conn->depth);
	struct schan *ch;
	void *map;
	int err;

	err = sconn_charge(conn, size, 1, why, len);
	if (err)
		return err;
	ch = aligned_alloc(64, align_up(sizeof(*ch), 64));
	err = ch ? memfd_make("skyipc-channel", size, fd, &map) : -ENOMEM;
	if (err) {
		free(ch);
		sconn_uncharge(conn, size, 1);
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
	err = chan_link(conn, ch);
	if (err) {
		munmap(map, size);
		close(*fd);
		free(ch);
		sconn_uncharge(conn, size, 1);
		return err;
	}
	*out = ch;
	return 0;
}

/* ---- channels without memory --------------------------------------------- */

/*
 * A worker that has a call wants its channel at once, and others are added
 * meanwhile: pieces never move. The number plus one is in the piece of its
 * highest bit.
 */
static _Atomic(struct schan *) *piece(struct sconn *conn, uint32_t number,
				      unsigned *i)
{
	*i = 31 - (unsigned)__builtin_clz(number + 1);
	if (*i >= SCONN_PIECES)
		return NULL;
	/* Acquire: pairs with number_room(). */
	return atomic_load_explicit(&conn->by_number[*i], memory_order_acquire);
}

struct schan *sconn_chan(struct sconn *conn, uint32_t number)
{
	_Atomic(struct schan *) *p;
	unsigned i;

	if (number >= (1u << SCONN_PIECES) - 1)
		return NULL;
	p = piece(conn, number, &i);
	/* Acquire: pairs with sconn_chan_number(). */
	return p ? atomic_load_explicit(&p[number + 1 - (1u << i)],
					memory_order_acquire)
		 : NULL;
}

#define DRAIN_MAX 65536

uint64_t sconn_drain_max(const struct sconn *conn)
{
	/* A channel has as many submitted, and one that is waited for. */
	return min_u64((uint64_t)conn->nchans * (conn->depth + 1), DRAIN_MAX);
}

/* Under sock_lock, of who adds channels: room for the next number */
static int number_room(struct sconn *conn)
{
	_Atomic(struct schan *) *p;
	unsigned i;

	p = piece(conn, conn->nchans, &i);
	if (p)
		return 0;
	if (i >= SCONN_PIECES)
		return -EDQUOT;
	p = calloc((size_t)1 << i, sizeof(*p));
	if (!p)
		return -ENOMEM;
	/* Release: pairs with piece(). */
	atomic_store_explicit(&conn->by_number[i], p, memory_order_release);
	return 0;
}

int sconn_chan_number(struct sconn *conn, struct schan **out, char *why,
		      size_t len)
{
	_Atomic(struct schan *) *p;
	struct schan *ch = NULL;
	unsigned i;
	int err;

	/* As much of the user's share as a channel in memory is. */
	err = sconn_charge(conn, sizeof(*ch), 1, why, len);
	if (err)
		return err;
	err = number_room(conn);
	if (!err)
		ch = calloc(1, sizeof(*ch));
	if (ch) {
		ch->conn = conn;
		err = chan_link(conn, ch);
	} else if (!err) {
		err = -ENOMEM;
	}
	if (err) {
		free(ch);
		sconn_uncharge(conn, sizeof(*ch), 1);
		return err;
	}
	p = piece(conn, ch->number, &i);
	/* Release: pairs with sconn_chan(). */
	atomic_store_explicit(&p[ch->number + 1 - (1u << i)], ch,
			      memory_order_release);
	*out = ch;
	return 0;
}

/* ---- buffers ------------------------------------------------------------- */

/* The buffers are there, or (@err) will not be; under sock_lock. */
static void made(struct making *m, int err)
{
	struct sconn *conn = m->conn;
	struct schan *ch = m->ch;

	ch->being_made = 0;
	if (!err && conn->state != SCONN_OPEN)
		err = -EPIPE;
	if (!err) {
		stat_add(ch->stats.mem, m->fill.size);
		/* Release: a worker that sees a request with a buffer sees
		 * data. */
		atomic_store_explicit(&ch->data, m->map, memory_order_release);
	} else {
		munmap(m->map, m->fill.size);
		sconn_uncharge(conn, m->fill.size, 1);
		sconn_unreserve_fds(conn, 1);
	}
	point("server-bufs-made");
	/* A client that cannot be told is dead, or will be. */
	if (conn->state == SCONN_OPEN &&
	    sconn_tell_bufs(conn, ch->number, err ? -1 : m->fd, err, "") < 0)
		shutdown(conn->sock, SHUT_RDWR);
	close(m->fd);
	free(m);
}

/* To be gone on with by the control thread, after others. */
static void make_later(struct skyipc_server *server, struct making *m)
{
	uint64_t one = 1;

	pthread_mutex_lock(&server->lock);
	TAILQ_INSERT_TAIL(&server->making, m, entry);
	pthread_mutex_unlock(&server->lock);
	if (write(server->making_fd, &one, sizeof(one)) < 0)
		server_say(server, SKYIPC_LOG_ERROR, "buffers: %s",
			   strerror(errno));
}

int sconn_bufs_begin(struct sconn *conn, uint32_t number, char *why, size_t len)
{
	uint64_t size = bufs_bytes(conn->bufs, conn->buf_size);
	struct making *m;
	struct schan *ch;
	void *map;
	int err;

	/* Channels and buffers are added under sock_lock only. */
	if (conn->kcall >= 0)
		ch = sconn_chan(conn, number);
	else
		for (ch = conn->chans; ch && ch->number != number;)
			ch = ch->next;
	if (!ch || ch->data || ch->being_made) {
		snprintf(why, len, "no such channel, or it has its buffers");
		return -EINVAL;
	}
	err = sconn_reserve_fds(conn, 1, why, len);
	if (err)
		return err;
	err = sconn_charge(conn, size, 1, why, len);
	if (err) {
		sconn_unreserve_fds(conn, 1);
		return err;
	}
	m = calloc(1, sizeof(*m));
	err = m ? memfd_begin("skyipc-buffers", size, &m->fd, &map) : -ENOMEM;
	if (err) {
		free(m);
		sconn_uncharge(conn, size, 1);
		sconn_unreserve_fds(conn, 1);
		return err;
	}
	m->conn = conn;
	m->ch = ch;
	m->map = map;
	m->fill.size = size;
	ch->being_made = 1;
	err = memfd_fill(m->fd, &m->fill);
	if (err > 0) {
		atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed);
		make_later(conn->server, m);
	} else {
		made(m, err);
	}
	return 0;
}

static struct making *making_pop(struct skyipc_server *server)
{
	struct making *m;

	pthread_mutex_lock(&server->lock);
	m = TAILQ_FIRST(&server->making);
	if (m)
		TAILQ_REMOVE(&server->making, m, entry);
	pthread_mutex_unlock(&server->lock);
	return m;
}

void sconn_bufs_step(struct skyipc_server *server)
{
	struct making *m;
	struct sconn *conn;
	uint64_t count;
	int err = -EPIPE;

	/* A semaphore: it counts those on the list. */
	if (read(server->making_fd, &count, sizeof(count)) < 0)
		return;
	m = making_pop(server);
	if (!m)
		return;
	conn = m->conn;
	if (conn->state == SCONN_OPEN)
		err = memfd_fill(m->fd, &m->fill);
	if (err > 0) {
		make_later(server, m);
		return;
	}
	pthread_mutex_lock(&conn->sock_lock);
	made(m, err);
	pthread_mutex_unlock(&conn->sock_lock);
	sconn_put(conn);
}

void sconn_bufs_drop_all(struct skyipc_server *server)
{
	struct making *m;

	while ((m = making_pop(server))) {
		struct sconn *conn = m->conn;

		munmap(m->map, m->fill.size);
		close(m->fd);
		free(m);
		sconn_put(conn);
	}
}

/* ---- the end ---------------------------------------------------------------
 */

/*
 * A client that has gone may have kept a descriptor of the memory, or someone
 * it has given one to. Nobody is charged for it any more: so give the pages
 * back now. (Whoever touches it again gets pages, at his own expense.) But not
 * if it is the server that ends the connection: replies may lie there.
 */
static void unmap(struct sconn *conn, void *map, size_t size)
{
	if (conn->gone)
		madvise(map, size, MADV_REMOVE);
	munmap(map, size);
}

void sconn_mem_free(struct sconn *conn)
{
	while (conn->chans) {
		struct schan *ch = conn->chans;

		conn->chans = ch->next;
		if (ch->head)
			unmap(conn, ch->head, shm_chan_size(conn->depth));
		if (ch->data)
			unmap(conn, ch->data,
			      bufs_bytes(conn->bufs, conn->buf_size));
		free(ch);
	}
	for (unsigned i = 0; i < SCONN_PIECES; i++)
		free(conn->by_number[i]);
}
