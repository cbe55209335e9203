/* SPDX-License-Identifier: MIT */
/* Making and freeing a shm channel, on the client's side. */
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
	bufs_init(&ch->bufs, &ch->base, u->number);
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
	ch->spin_max = ns_to_ticks(conn->spin_ns);
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
	bufs_close(&ch->bufs);
	free(ch->pending);
	free(ch);
}
