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

/* Pages of buffers are taken so many bytes at a time: about a millisecond. */
#define PIECE (UINT64_C(4) << 20)

/* Charge @size bytes and a mapping to the user; -EDQUOT. */
static int charge(struct sconn *conn, uint64_t size, char *why, size_t len)
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
	} else if (user->maps >= server->maps_per_uid) {
		snprintf(why, len,
			 "quota of mappings: uid %u has its %llu (half of "
			 "vm.max_map_count)",
			 (unsigned)user->uid,
			 (unsigned long long)server->maps_per_uid);
	} else {
		user->mem += size;
		conn->mem += size;
		user->maps++;
		conn->maps++;
		err = 0;
	}
	pthread_mutex_unlock(&server->lock);
	return err;
}

static void uncharge(struct sconn *conn, uint64_t size)
{
	pthread_mutex_lock(&conn->server->lock);
	conn->user->mem -= size;
	conn->mem -= size;
	conn->user->maps--;
	conn->maps--;
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
	err = chan_link(conn, ch);
	if (err) {
		munmap(map, size);
		close(*fd);
		free(ch);
		uncharge(conn, size);
		return err;
	}
	*out = ch;
	return 0;
}

/* ---- buffers ------------------------------------------------------------- */

/* Go on with it. 1: there is more to do; 0: done; -errno. */
static int make_piece(struct making *m)
{
	uint64_t n = min_u64(PIECE, m->size - m->done);
	int err = memfd_fill(m->fd, m->done, n);

	if (err == -EINTR)
		return 1;
	if (err)
		return err;
	m->done += n;
	return m->done < m->size;
}

/* The buffers are there, or (@err) will not be; under sock_lock. */
static void made(struct making *m, int err)
{
	struct sconn *conn = m->conn;
	struct schan *ch = m->ch;

	ch->being_made = 0;
	if (!err && conn->state != SCONN_OPEN)
		err = -EPIPE;
	if (!err) {
		stat_add(ch->stats.mem, m->size);
		/* Release: a worker that sees a request with a buffer sees
		 * data. */
		atomic_store_explicit(&ch->data, m->map, memory_order_release);
	} else {
		munmap(m->map, m->size);
		uncharge(conn, m->size);
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
	uint64_t size = shm_bufs_size(conn->bufs, conn->buf_size);
	struct making *m;
	struct schan *ch;
	void *map;
	int err;

	/* Channels and buffers are added under sock_lock only. */
	for (ch = conn->chans; ch && ch->number != number; ch = ch->next)
		;
	if (!ch || ch->data || ch->being_made) {
		snprintf(why, len, "no such channel, or it has its buffers");
		return -EINVAL;
	}
	err = sconn_reserve_fds(conn, 1, why, len);
	if (err)
		return err;
	err = charge(conn, size, why, len);
	if (err) {
		sconn_unreserve_fds(conn, 1);
		return err;
	}
	m = calloc(1, sizeof(*m));
	err = m ? memfd_begin("skyipc-buffers", size, &m->fd, &map) : -ENOMEM;
	if (err) {
		free(m);
		uncharge(conn, size);
		sconn_unreserve_fds(conn, 1);
		return err;
	}
	m->conn = conn;
	m->ch = ch;
	m->map = map;
	m->size = size;
	ch->being_made = 1;
	err = make_piece(m);
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
		err = make_piece(m);
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

		munmap(m->map, m->size);
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
		unmap(conn, ch->head, shm_chan_size(conn->depth));
		if (ch->data)
			unmap(conn, ch->data,
			      shm_bufs_size(conn->bufs, conn->buf_size));
		free(ch);
	}
}
