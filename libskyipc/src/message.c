/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cancel.h"
#include "err.h"
#include "point.h"
#include "sock.h"

int message_prepare(struct bufs *b, const struct skyipc_msg *req, int want,
		    uint64_t pos, uint64_t deadline, struct outgoing *out)
{
	struct skyipc_conn *conn = b->chan->conn;
	int err;

	*out = (struct outgoing){ .buf = NO_BUF };
	if (req->len > conn->buf_size)
		return fail(-EMSGSIZE, "%zu bytes, the buffer has %llu",
			    req->len, (unsigned long long)conn->buf_size);
	if (req->nfds > SKYIPC_MAX_FDS)
		return fail(-EINVAL, "at most %d descriptors", SKYIPC_MAX_FDS);

	if (req->len || want) {
		if (b->prepared != NO_BUF) {
			out->buf = b->prepared;
			b->prepared = NO_BUF;
		} else {
			err = bufs_get(b, &out->buf, deadline);
			if (err)
				return err;
		}
		if (req->len && req->data != bufs_req(b, out->buf))
			memmove(bufs_req(b, out->buf), req->data, req->len);
		out->flags |= CALL_LONG;
		out->ext = (uint64_t)req->len | (uint64_t)out->buf << 32;
	}
	if (req->nfds) {
		int cancel = cancel_off();

		err = conn_send_fds(conn, b->number, pos, req->fds, req->nfds,
				    deadline);
		cancel_back(cancel);
		if (err) {
			bufs_put(b, out->buf);
			return fail(err, "cannot pass descriptors: %s",
				    strerror(-err));
		}
		point("client-fds-sent");
		out->flags |= CALL_FDS;
		stat_add(b->chan->stats.fds_out, req->nfds);
	}
	stat_add(b->chan->stats.bytes_out, req->len);
	return 0;
}

void message_drop_fds(struct bufs *b, uint64_t pos)
{
	int *fds, n, cancel = cancel_off();

	n = conn_take_fds(b->chan->conn, b->number, pos, &fds);
	if (n >= 0) {
		close_fds(fds, (unsigned)n);
		free(fds);
	} else if (n == -EPROTO) {
		message_broken(b->chan, "a reply without its descriptors");
	}
	cancel_back(cancel);
}

/* The reply's descriptors, to where the caller wants them. */
static int collect_fds(struct bufs *b, uint64_t pos, struct skyipc_msg *rep,
		       unsigned room)
{
	int *fds, n, cancel = cancel_off();
	unsigned take = 0;

	n = conn_take_fds(b->chan->conn, b->number, pos, &fds);
	if (n >= 0) {
		take = (unsigned)n < room ? (unsigned)n : room;
		if (take)
			memcpy(rep->fds, fds, take * sizeof(int));
		close_fds(fds + take, (unsigned)n - take);
		free(fds);
	}
	cancel_back(cancel);
	if (n < 0)
		return n == -EMFILE
			       ? fail(n, "no room for the reply's descriptors")
			       : message_broken(
					 b->chan,
					 "a reply without its descriptors");
	rep->nfds = take;
	stat_add(b->chan->stats.fds_in, take);
	return 0;
}

static int collect_long(struct bufs *b, const struct incoming *in,
			struct skyipc_msg *rep)
{
	const uint64_t room = b->chan->conn->buf_size;
	uint64_t len = in->ext & 0xffffffff, off = in->ext >> 32;

	if (in->buf == NO_BUF || off > room || len > room - off)
		return message_broken(b->chan, "a reply outside its buffer");
	rep->data = (in->flags & CALL_INREQ ? bufs_req(b, in->buf)
					    : bufs_rep(b, in->buf)) +
		    off;
	rep->len = len;
	stat_add(b->chan->stats.bytes_in, len);
	return 0;
}

int message_collect(struct bufs *b, const struct incoming *in,
		    struct skyipc_msg *rep)
{
	unsigned room = rep->fds ? rep->nfds : 0;
	int err = 0;

	rep->status = (int32_t)in->code;
	rep->data = NULL;
	rep->len = 0;
	rep->nfds = 0;
	rep->flags = 0;
	if (in->flags & CALL_FDS)
		err = collect_fds(b, in->pos, rep, room);
	if (in->flags & CALL_ERROR)
		err = message_error(b->chan, in->code);
	else if (in->flags & ~(CALL_LONG | CALL_FDS | CALL_INREQ))
		err = message_broken(b->chan, "unknown flags");
	if (!err && in->flags & CALL_LONG)
		err = collect_long(b, in, rep);
	if (err) {
		/* Who gets an error does not look for descriptors. */
		close_fds(rep->fds, rep->nfds);
		rep->nfds = 0;
		return err;
	}
	stat_add(b->chan->stats.calls, 1);
	return 0;
}

void message_lost(struct chan *chan, struct skyipc_msg *rep)
{
	rep->nfds = 0;
	rep->data = NULL;
	rep->len = 0;
	rep->result = -ECONNRESET;
	stat_add(chan->stats.errors, 1);
}

int message_broken(struct chan *chan, const char *what)
{
	fail(-EPROTO, "the server sent %s", what);
	conn_die(chan->conn);
	return -EPROTO;
}

int message_error(struct chan *chan, uint32_t code)
{
	int err = (int32_t)code;

	stat_add(chan->stats.errors, 1);
	if (err >= 0 || err < -4095)
		return message_broken(chan, "an impossible error");
	switch (err) {
	case -ENOSYS:
		return fail(err, "the server has no such operation");
	case -EDQUOT:
		return fail(err, "too many descriptors of this user wait in or "
				 "come from the server (the most is an eighth "
				 "of its RLIMIT_NOFILE)");
	case -EMSGSIZE:
		return fail(err, "the reply has no room: see SKYIPC_LONG_REPLY "
				 "and skyipc_connect_attr.buf_size");
	default:
		return fail(err, "the server could not answer: %s",
			    strerror(-err));
	}
}

int message_busy(void)
{
	return fail(-EBUSY, "called from a signal handler that interrupted a "
			    "call");
}

int message_status_lost(uint32_t status)
{
	return fail(-EREMOTEIO, "the handler's status is %d", (int32_t)status);
}
