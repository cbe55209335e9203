/* SPDX-License-Identifier: MIT */
/*
 * bufs.h - the client's side of a channel's buffers: which are in whose hands
 *
 * Like the channel, they belong to one thread.
 */
#ifndef SKY_BUFS_H
#define SKY_BUFS_H

#include "conn.h"
#include "flags.h"
#include "transport.h"

#define NO_BUF UINT32_MAX

struct bufs {
	struct chan *chan;
	uint32_t number; /* the server's name for the channel */

	char *data; /* NULL: not made yet */
	int fd;	    /* made by the server, but not mapped here yet; -1 */
	uint32_t *free_buf; /* a stack */
	uint32_t nfree;
	uint32_t prepared;    /* given by buffer(), or NO_BUF */
	uint32_t held;	      /* of the last synchronous reply, or NO_BUF */
	uint32_t *held_async; /* of the last reaped replies */
	uint32_t nheld;
};

void bufs_init(struct bufs *b, struct chan *chan, uint32_t number);
void bufs_close(struct bufs *b);

/* One that is free; -EAGAIN: none is; -errno: there can be none. */
int bufs_get(struct bufs *b, uint32_t *buf, uint64_t deadline);
void bufs_put(struct bufs *b, uint32_t buf);
/* The contract for replies in place has run out: see struct skyipc_msg. */
void bufs_release_held(struct bufs *b);
/* Its thread has gone. */
void bufs_abandon(struct bufs *b);

/* skyipc_buffer(), under the channel's busy mark */
int bufs_prepare(struct bufs *b, void **buf, size_t *size, uint64_t deadline);

static inline char *bufs_req(struct bufs *b, uint32_t buf)
{
	return b->data + 2 * b->chan->conn->buf_size * buf;
}

static inline char *bufs_rep(struct bufs *b, uint32_t buf)
{
	return bufs_req(b, buf) + b->chan->conn->buf_size;
}

#endif
