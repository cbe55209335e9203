/* SPDX-License-Identifier: MIT */
#include "bufs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cancel.h"
#include "err.h"
#include "memfd.h"
#include "point.h"

void bufs_init(struct bufs *b, struct chan *chan, uint32_t number)
{
	*b = (struct bufs){ .chan = chan,
			    .number = number,
			    .fd = -1,
			    .prepared = NO_BUF,
			    .held = NO_BUF };
}

static uint64_t size_of(const struct skyipc_conn *conn)
{
	return bufs_bytes(conn->bufs, conn->buf_size);
}

void bufs_close(struct bufs *b)
{
	if (b->data)
		munmap(b->data, size_of(b->chan->conn));
	if (b->fd >= 0)
		close(b->fd);
	free(b->free_buf);
	free(b->held_async);
}

static int open_them(struct bufs *b, uint64_t deadline)
{
	struct skyipc_conn *conn = b->chan->conn;
	struct proto_answer answer;
	union proto_msg req;
	void *map;
	int err;

	if (!b->free_buf)
		b->free_buf = calloc(conn->bufs, sizeof(*b->free_buf));
	if (!b->held_async)
		b->held_async = calloc(conn->bufs, sizeof(*b->held_async));
	if (!b->free_buf || !b->held_async)
		return -ENOMEM;
	if (b->fd < 0) {
		proto_init(&req, PROTO_BUFS_OPEN);
		req.bufs_open.chan = b->number;
		point("client-bufs-ask");
		err = conn_ask(conn, &req, PROTO_BUFS, b->number, &answer,
			       &b->fd, deadline);
		if (err)
			return err;
	}
	err = memfd_map(b->fd, size_of(conn), &map);
	/* The server makes them once: keep them for another try. */
	if (err == -ENOMEM)
		return fail(err, "no room to map the buffers");
	close(b->fd);
	b->fd = -1;
	if (err)
		return fail(err, "the server's buffers are not as agreed");
	point("client-bufs-mapped");
	b->data = map;
	for (uint32_t i = 0; i < conn->bufs; i++)
		b->free_buf[i] = conn->bufs - 1 - i;
	b->nfree = conn->bufs;
	stat_add(b->chan->stats.mem, size_of(conn));
	return 0;
}

void bufs_put(struct bufs *b, uint32_t buf)
{
	if (buf != NO_BUF)
		b->free_buf[b->nfree++] = buf;
}

void bufs_release_held(struct bufs *b)
{
	bufs_put(b, b->held);
	b->held = NO_BUF;
	while (b->nheld)
		bufs_put(b, b->held_async[--b->nheld]);
}

void bufs_abandon(struct bufs *b)
{
	bufs_release_held(b);
	bufs_put(b, b->prepared);
	b->prepared = NO_BUF;
}

int bufs_get(struct bufs *b, uint32_t *buf, uint64_t deadline)
{
	int err;

	if (unlikely(!b->data)) {
		int cancel = cancel_off();

		err = open_them(b, deadline);
		cancel_back(cancel);
		if (err)
			return err;
	}
	bufs_release_held(b);
	if (!b->nfree)
		return fail(-EAGAIN, "all %u buffers are in use",
			    b->chan->conn->bufs);
	*buf = b->free_buf[--b->nfree];
	return 0;
}

int bufs_prepare(struct bufs *b, void **buf, size_t *size, uint64_t deadline)
{
	int err = 0;

	if (b->prepared == NO_BUF)
		err = bufs_get(b, &b->prepared, deadline);
	if (err)
		return err;
	*buf = bufs_req(b, b->prepared);
	*size = b->chan->conn->buf_size;
	return 0;
}
