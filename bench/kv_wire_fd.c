/* SPDX-License-Identifier: MIT */
/*
 * Pipes and UNIX sockets, a connection for each client on each hop. A message
 * is a head and its bytes, written with one system call.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ends.h"
#include "kv_wire.h"

struct head {
	uint32_t op; /* reply: -errno */
	uint32_t len;
};

struct fd_wire {
	size_t room;
	struct ends ends[];
};

struct fd_conn {
	int in, out;
	size_t room;
	unsigned char *request, *reply;
};

static struct ends *ends(struct run *run, enum kv_hop hop, unsigned client)
{
	struct fd_wire *w = run->mem;

	return &w->ends[(unsigned)hop * run->cfg.clients + client];
}

static int fd_setup(struct run *run, size_t room, int sockets)
{
	unsigned n = KV_HOPS * run->cfg.clients;
	size_t len = sizeof(struct fd_wire) + n * sizeof(struct ends);
	struct fd_wire *w = run_shared(run, len);
	int rc = w ? PEER_OK : PEER_FAILED;

	if (!w)
		return rc;
	ends_clear(w->ends, n);
	w->room = room;
	for (unsigned i = 0; i < n && rc == PEER_OK; i++)
		rc = sockets ? ends_sockets(run, &w->ends[i], SOCK_STREAM)
			     : ends_pipes(run, &w->ends[i]);
	return rc;
}

static int pipe_setup(struct run *run, size_t room)
{
	return fd_setup(run, room, 0);
}

static int unix_setup(struct run *run, size_t room)
{
	return fd_setup(run, room, 1);
}

static void fd_teardown(struct run *run)
{
	struct fd_wire *w = run->mem;

	if (w)
		ends_close(w->ends, KV_HOPS * run->cfg.clients);
}

static int put(int fd, uint32_t op, const unsigned char *buf, size_t len)
{
	struct head h = { op, (uint32_t)len };
	struct iovec iov[2] = { { &h, sizeof(h) },
				{ (void *)(uintptr_t)buf, len } };
	size_t left = sizeof(h) + len;

	while (left) {
		ssize_t n = writev(fd, iov, 2);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			continue;
		left -= (size_t)n;
		for (int i = 0; i < 2 && n; i++) {
			size_t part = (size_t)n < iov[i].iov_len
					      ? (size_t)n
					      : iov[i].iov_len;

			iov[i].iov_base = (char *)iov[i].iov_base + part;
			iov[i].iov_len -= part;
			n -= (ssize_t)part;
		}
	}
	return 0;
}

/* Bytes of one message only: nobody sends a second before the reply. */
static ssize_t get(int fd, uint32_t *op, unsigned char *buf, size_t room)
{
	struct head h;
	struct iovec iov[2] = { { &h, sizeof(h) }, { buf, room } };
	size_t have = 0, want = sizeof(h);

	while (have < want) {
		ssize_t n;

		if (have < sizeof(h)) {
			iov[0].iov_base = (char *)&h + have;
			iov[0].iov_len = sizeof(h) - have;
			n = readv(fd, iov, 2);
		} else {
			n = read(fd, buf + (have - sizeof(h)), want - have);
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		have += (size_t)n;
		if (have < sizeof(h))
			continue;
		if (h.len > room)
			return -EMSGSIZE;
		want = sizeof(h) + h.len;
	}
	*op = h.op;
	return (ssize_t)h.len;
}

static int fd_serve(struct run *run, enum kv_hop hop, unsigned client,
		    kv_handler fn, void *arg)
{
	struct ends *e = ends(run, hop, client);
	size_t room = ((struct fd_wire *)run->mem)->room;
	unsigned char *request = run_private(run, room);
	unsigned char *reply = run_private(run, room);
	int err = 0;

	if (!request || !reply)
		return PEER_FAILED;
	run_ready(run);
	while (!err) {
		uint32_t op;
		ssize_t n = get(e->server_in, &op, request, room);

		if (n < 0)
			return run_fail(run, "read: %s", strerror((int)-n));
		n = fn(arg, op, request, (size_t)n, reply, room);
		err = put(e->server_out, n < 0 ? (uint32_t)-n : 0, reply,
			  n < 0 ? 0 : (size_t)n);
	}
	return run_fail(run, "write: %s", strerror(-err));
}

static void *fd_connect(struct run *run, enum kv_hop hop, unsigned client)
{
	struct fd_conn *c = run_alloc(run, sizeof(*c));
	struct ends *e = ends(run, hop, client);

	if (!c)
		return NULL;
	c->in = e->client_in;
	c->out = e->client_out;
	c->room = ((struct fd_wire *)run->mem)->room;
	c->request = run_private(run, c->room);
	c->reply = run_private(run, c->room);
	return c->request && c->reply ? c : NULL;
}

static unsigned char *fd_buffer(void *conn, size_t *room)
{
	struct fd_conn *c = conn;

	*room = c->room;
	return c->request;
}

static ssize_t fd_call(void *conn, uint32_t op, size_t len,
		       const unsigned char **reply)
{
	struct fd_conn *c = conn;
	int err = put(c->out, op, c->request, len);
	uint32_t status = 0;
	ssize_t n;

	if (err)
		return err;
	n = get(c->in, &status, c->reply, c->room);
	*reply = c->reply;
	return n < 0 || !status ? n : -(ssize_t)status;
}

#define FD_WIRE                                                                \
	.copies = "in and out of the kernel, each way, each hop",              \
	.serve = fd_serve, .connect = fd_connect, .buffer = fd_buffer,         \
	.call = fd_call, .close = free, .teardown = fd_teardown

const struct kv_wire kv_wire_pipe = { .setup = pipe_setup, FD_WIRE };
const struct kv_wire kv_wire_unix = { .setup = unix_setup, FD_WIRE };
