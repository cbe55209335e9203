/* SPDX-License-Identifier: MIT */
#include "kcall_chan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "point.h"

/* A channel that the server has made, and the module gave no link for */
struct spare {
	struct spare *next;
	uint32_t number;
};

/*
 * What the server has sent is to be one of the module's descriptors. It gets an
 * ioctl(2), so it must not be a file that somebody else makes answer (FUSE):
 * only descriptors of the kernel's own have no file type.
 */
static int is_kernels(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !(st.st_mode & S_IFMT);
}

/* The first one is kept: each thread's link is made of it. */
static int keep_conn(struct skyipc_conn *conn, int fd)
{
	int kept;

	if (!is_kernels(fd)) {
		close(fd);
		return fail(-EPROTO, "the server's connection is none");
	}
	pthread_mutex_lock(&conn->lock);
	kept = conn->kcall < 0;
	if (kept)
		conn->kcall = fd;
	pthread_mutex_unlock(&conn->lock);
	if (!kept)
		close(fd);
	return 0;
}

/* A channel's number, from the server or left over */
static int get_number(struct skyipc_conn *conn, uint32_t *number,
		      uint64_t deadline)
{
	struct proto_answer answer;
	union proto_msg req;
	struct spare *s;
	int fd, err;

	pthread_mutex_lock(&conn->lock);
	s = conn->spare;
	if (s)
		conn->spare = s->next;
	pthread_mutex_unlock(&conn->lock);
	if (s) {
		*number = s->number;
		free(s);
		return 0;
	}
	proto_init(&req, PROTO_CHAN_OPEN);
	point("client-chan-ask");
	err = conn_ask(conn, &req, PROTO_CHAN, 0, &answer, &fd, deadline);
	if (err)
		return err;
	*number = answer.chan;
	return keep_conn(conn, fd);
}

static void put_number(struct skyipc_conn *conn, uint32_t number)
{
	struct spare *s = malloc(sizeof(*s));

	if (!s)
		return;
	s->number = number;
	pthread_mutex_lock(&conn->lock);
	s->next = conn->spare;
	conn->spare = s;
	pthread_mutex_unlock(&conn->lock);
}

static int make_link(struct skyipc_conn *conn)
{
	struct skyipc_dev_link attr = { .size = sizeof(attr),
					.depth = conn->depth };
	int link = ioctl(conn->kcall, SKYIPC_CONN_LINK, &attr), err;

	if (link >= 0)
		return link;
	err = -errno;
	switch (err) {
	case -EDQUOT:
		return fail(err, "too many calls of this user may be "
				 "outstanding (see "
				 "/proc/sys/skyipc/user_calls)");
	case -ENOTTY:
	case -EPERM:
		return fail(-EPROTO, "the server's connection is none, or "
				     "somebody else's");
	case -EPIPE:
		return fail(err, "the server has gone");
	default:
		return fail(err, "the module gives no link: %s",
			    strerror(-err));
	}
}

static int fill(struct kcall_chan *ch, struct skyipc_conn *conn,
		uint64_t deadline)
{
	uint32_t number;
	int err;

	ch->pending = calloc(conn->depth, sizeof(*ch->pending));
	if (!ch->pending)
		return -ENOMEM;
	err = get_number(conn, &number, deadline);
	if (err)
		return err;
	ch->link = make_link(conn);
	if (ch->link < 0) {
		put_number(conn, number);
		return ch->link;
	}
	bufs_init(&ch->bufs, &ch->base, number);
	ch->mask = conn->depth - 1;
	ch->call.size = sizeof(ch->call);
	return 0;
}

int kcall_chan_make(struct skyipc_conn *conn, size_t size,
		    struct kcall_chan **out, uint64_t deadline)
{
	struct kcall_chan *ch = calloc(1, size);
	int err = ch ? fill(ch, conn, deadline) : -ENOMEM;

	if (err) {
		if (ch)
			free(ch->pending);
		free(ch);
		return err;
	}
	point("client-kcall-linked");
	*out = ch;
	return 0;
}

int kcall_chan_open(struct skyipc_conn *conn, struct chan **out,
		    uint64_t deadline)
{
	struct kcall_chan *ch;
	int err = kcall_chan_make(conn, sizeof(*ch), &ch, deadline);

	if (!err)
		*out = &ch->base;
	return err;
}

void kcall_chan_close(struct chan *base)
{
	struct kcall_chan *ch = kcall_of(base);

	if (ch->link >= 0)
		close(ch->link);
	bufs_close(&ch->bufs);
	free(ch->pending);
	free(ch);
}

void kcall_conn_close(struct skyipc_conn *conn)
{
	while (conn->spare) {
		struct spare *s = conn->spare;

		conn->spare = s->next;
		free(s);
	}
	if (conn->kcall >= 0)
		close(conn->kcall);
	conn->kcall = -1;
}

void kcall_abandon(struct chan *base)
{
	struct kcall_chan *ch = kcall_of(base);

	for (uint64_t i = ch->tail; i != ch->head; i++)
		ch->pending[i & ch->mask].abandoned = 1;
	ch->wanted = 0;
	bufs_abandon(&ch->bufs);
	ioctl(ch->link, SKYIPC_LINK_RELEASE);
	ch->busy = 0;
}

int kcall_adopt(struct chan *base)
{
	struct kcall_chan *ch = kcall_of(base);
	int err = ioctl(ch->link, SKYIPC_LINK_ADOPT) ? -errno : 0;

	return err ? fail(err, "cannot take over a thread's link: %s",
			  strerror(-err))
		   : 0;
}

void kcall_forked(struct skyipc_conn *conn)
{
	for (struct chan *c = conn->chans; c; c = c->next) {
		struct kcall_chan *ch = kcall_of(c);

		close(ch->link);
		ch->link = -1;
	}
	if (conn->kcall >= 0)
		close(conn->kcall);
	conn->kcall = -1;
}

/*
 * Whoever sleeps in the module is woken by its server's end. If the server only
 * says that it has gone, that has to be done here.
 */
void kcall_wake(struct chan *base)
{
	ioctl(base->conn->kcall, SKYIPC_CONN_KILL);
}
