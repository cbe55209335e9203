/* SPDX-License-Identifier: MIT */
/* Making and freeing a shm channel and its buffers, on the client's side. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cancel.h"
#include "clock.h"
#include "err.h"
#include "memfd.h"
#include "shm_chan.h"
#include "point.h"

/* A channel's memory, from the server or left over; -errno. */
static int get_memory(struct skyipc_conn *conn, struct unmapped **out,
		      uint64_t deadline)
{
	struct unmapped *u;
	struct proto_answer answer;
	union proto_msg req;
	int err;

	pthread_mutex_lock(&conn->lock);
	u = conn->unmapped;
	if (u)
		conn->unmapped = u->next;
	pthread_mutex_unlock(&conn->lock);
	*out = u;
	if (u)
		return 0;
	u = malloc(sizeof(*u));
	if (!u)
		return -ENOMEM;
	proto_init(&req, PROTO_CHAN_OPEN);
	point("client-chan-ask");
	err = conn_ask(conn, &req, PROTO_CHAN, 0, &answer, &u->fd, deadline);
	if (err) {
		free(u);
		return err;
	}
	u->number = answer.chan;
	*out = u;
	return 0;
}

static int map_memory(struct skyipc_conn *conn, struct unmapped *u,
		      struct shm_chan *ch)
{
	void *map;
	int err = memfd_map(u->fd, shm_chan_size(conn->depth), &map);

	if (err == -ENOMEM) {
		pthread_mutex_lock(&conn->lock);
		u->next = conn->unmapped;
		conn->unmapped = u;
		pthread_mutex_unlock(&conn->lock);
		return fail(err, "no room to map a channel");
	}
	ch->number = u->number;
	close(u->fd);
	free(u);
	if (err)
		return fail(err, "the server's channel is not as agreed");
	ch->head = map;
	ch->req = (void *)((char *)map + shm_req_offset());
	ch->rep = (void *)((char *)map + shm_rep_offset(conn->depth));
	return 0;
}

int shm_chan_open(struct skyipc_conn *conn, struct chan **out,
		  uint64_t deadline)
{
	struct unmapped *u;
	struct shm_chan *ch;
	int err;

	ch = aligned_alloc(128, align_up(sizeof(*ch), 128));
	if (!ch)
		return -ENOMEM;
	memset(ch, 0, sizeof(*ch));
	ch->pending = calloc(conn->depth, sizeof(*ch->pending));
	err = ch->pending ? get_memory(conn, &u, deadline) : -ENOMEM;
	if (!err)
		err = map_memory(conn, u, ch);
	if (err) {
		free(ch->pending);
		free(ch);
		return err;
	}
	point("client-chan-mapped");
	ch->mask = conn->depth - 1;
	ch->cpu = -1;
	ch->data_fd = -1;
	ch->spin_max = ns_to_ticks(conn->spin_ns);
	ch->prepared = ch->held = NO_BUF;
	ch->base.stats.mem = shm_chan_size(conn->depth);
	*out = &ch->base;
	return 0;
}

void shm_conn_close(struct skyipc_conn *conn)
{
	while (conn->unmapped) {
		struct unmapped *u = conn->unmapped;

		conn->unmapped = u->next;
		close(u->fd);
		free(u);
	}
}

void shm_chan_close(struct chan *base)
{
	struct shm_chan *ch = shm_of(base);
	struct skyipc_conn *conn = base->conn;

	munmap(ch->head, shm_chan_size(conn->depth));
	if (ch->data)
		munmap(ch->data, shm_bufs_size(conn->bufs, conn->buf_size));
	if (ch->data_fd >= 0)
		close(ch->data_fd);
	free(ch->free_buf);
	free(ch->held_async);
	free(ch->pending);
	free(ch);
}

int shm_bufs_open(struct shm_chan *ch, uint64_t deadline)
{
	struct skyipc_conn *conn = ch->base.conn;
	struct proto_answer answer;
	union proto_msg req;
	void *map;
	int err;

	if (!ch->free_buf)
		ch->free_buf = calloc(conn->bufs, sizeof(*ch->free_buf));
	if (!ch->held_async)
		ch->held_async = calloc(conn->bufs, sizeof(*ch->held_async));
	if (!ch->free_buf || !ch->held_async)
		return -ENOMEM;
	if (ch->data_fd < 0) {
		proto_init(&req, PROTO_BUFS_OPEN);
		req.bufs_open.chan = ch->number;
		point("client-bufs-ask");
		err = conn_ask(conn, &req, PROTO_BUFS, ch->number, &answer,
			       &ch->data_fd, deadline);
		if (err)
			return err;
	}
	err = memfd_map(ch->data_fd, shm_bufs_size(conn->bufs, conn->buf_size),
			&map);
	/* The server makes them once: keep them for another try. */
	if (err == -ENOMEM)
		return fail(err, "no room to map the buffers");
	close(ch->data_fd);
	ch->data_fd = -1;
	if (err)
		return fail(err, "the server's buffers are not as agreed");
	point("client-bufs-mapped");
	ch->data = map;
	for (uint32_t i = 0; i < conn->bufs; i++)
		ch->free_buf[i] = conn->bufs - 1 - i;
	ch->nfree = conn->bufs;
	stat_add(ch->base.stats.mem, shm_bufs_size(conn->bufs, conn->buf_size));
	return 0;
}

void shm_buf_put(struct shm_chan *ch, uint32_t buf)
{
	if (buf != NO_BUF)
		ch->free_buf[ch->nfree++] = buf;
}

/* The contract for replies in place has run out: see struct skyipc_msg. */
void shm_buf_release_held(struct shm_chan *ch)
{
	shm_buf_put(ch, ch->held);
	ch->held = NO_BUF;
	while (ch->nheld)
		shm_buf_put(ch, ch->held_async[--ch->nheld]);
}

int shm_buf_get(struct shm_chan *ch, uint32_t *buf, uint64_t deadline)
{
	int err;

	if (unlikely(!ch->data)) {
		int cancel = cancel_off();

		err = shm_bufs_open(ch, deadline);
		cancel_back(cancel);
		if (err)
			return err;
	}
	shm_buf_release_held(ch);
	if (!ch->nfree)
		return fail(-EAGAIN, "all %u buffers are in use",
			    ch->base.conn->bufs);
	*buf = ch->free_buf[--ch->nfree];
	return 0;
}
