/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "fdio.h"

struct fdio_conn {
	struct run *run;
	int in, out;
	size_t size;
	uint64_t sent, got; /* serial numbers */
	unsigned char *request, *reply;
};

struct fdio_chan *fdio_chans(struct run *run)
{
	size_t len = sizeof(struct fdio_chan) * run->cfg.clients;

	if (!run->mem && run_shared(run, len))
		memset(run->mem, 0xff, len); /* no descriptor is -1 */
	return run->mem;
}

static int nonblock(int fd)
{
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int fdio_prepare(struct run *run)
{
	struct fdio_chan *c = run->mem;

	if (!(run->peer->flags & PEER_SPINS))
		return PEER_OK;
	for (unsigned i = 0; i < run->cfg.clients; i++)
		if (nonblock(c[i].client_in) || nonblock(c[i].client_out) ||
		    nonblock(c[i].server_in) || nonblock(c[i].server_out))
			return run_fail(run, "fcntl: %s", strerror(errno));
	return PEER_OK;
}

void fdio_teardown(struct run *run)
{
	struct fdio_chan *c = run->mem;

	for (unsigned i = 0; c && i < run->cfg.clients; i++) {
		int fds[] = { c[i].client_in, c[i].client_out, c[i].server_in,
			      c[i].server_out };

		/* A socket is both ends: the parent is single-threaded, so the
		 * second close can only fail. */
		for (int k = 0; k < 4; k++)
			if (fds[k] >= 0)
				close(fds[k]);
	}
}

static int again(void)
{
	if (errno == EAGAIN) {
		cpu_relax();
		return 1;
	}
	return errno == EINTR;
}

static int put(int fd, const unsigned char *buf, size_t len, int packet)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && !again())
			return -errno;
		if (n < 0)
			continue;
		if (packet)
			return (size_t)n == len ? 0 : -EMSGSIZE;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static int get(int fd, unsigned char *buf, size_t len, int packet)
{
	while (len) {
		ssize_t n = read(fd, buf, len);

		if (n < 0 && !again())
			return -errno;
		if (n == 0)
			return -EPIPE;
		if (n < 0)
			continue;
		if (packet)
			return (size_t)n == len ? 0 : -EBADMSG;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static inline int serve(struct run *run, unsigned client, int packet)
{
	struct fdio_chan *c = (struct fdio_chan *)run->mem + client;
	unsigned char *buf = run_private(run, run->cfg.size);
	int err = 0;

	if (!buf)
		return PEER_FAILED;
	run_ready(run);
	while (!err) {
		err = get(c->server_in, buf, run->cfg.size, packet);
		if (!err)
			err = put(c->server_out, buf, run->cfg.size, packet);
	}
	return run_fail(run, "server: %s", strerror(-err));
}

int fdio_serve_stream(struct run *run, unsigned client)
{
	return serve(run, client, 0);
}

int fdio_serve_packet(struct run *run, unsigned client)
{
	return serve(run, client, 1);
}

void *fdio_open(struct run *run, unsigned client)
{
	struct fdio_chan *chan = (struct fdio_chan *)run->mem + client;
	struct fdio_conn *c = run_alloc(run, sizeof(*c));

	if (!c)
		return NULL;
	c->run = run;
	c->in = chan->client_in;
	c->out = chan->client_out;
	c->size = run->cfg.size;
	c->request = run_private(run, c->size);
	c->reply = run_private(run, c->size);
	return c->request && c->reply ? c : NULL;
}

static inline int submit(struct fdio_conn *c, int packet)
{
	int err;

	payload_stamp(c->request, c->size, ++c->sent);
	err = put(c->out, c->request, c->size, packet);
	if (err == -EMSGSIZE)
		return run_skip(c->run, "%zu bytes are more than it carries",
				c->size);
	return err ? run_fail(c->run, "write: %s", strerror(-err)) : 0;
}

static inline int reap(struct fdio_conn *c, int packet)
{
	int err = get(c->in, c->reply, c->size, packet);

	if (err)
		return run_fail(c->run, "read: %s", strerror(-err));
	if (!payload_ok(c->reply, c->size, ++c->got))
		return run_fail(c->run, "wrong reply");
	return 1;
}

int fdio_submit_stream(void *conn)
{
	return submit(conn, 0);
}

int fdio_submit_packet(void *conn)
{
	return submit(conn, 1);
}

int fdio_reap_stream(void *conn)
{
	return reap(conn, 0);
}

int fdio_reap_packet(void *conn)
{
	return reap(conn, 1);
}

int fdio_call_stream(void *conn)
{
	return submit(conn, 0) || reap(conn, 0) != 1;
}

int fdio_call_packet(void *conn)
{
	return submit(conn, 1) || reap(conn, 1) != 1;
}
