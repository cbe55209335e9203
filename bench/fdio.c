/* SPDX-License-Identifier: MIT */
#include <errno.h>
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

int fdio_setup(struct run *run, int (*make)(struct run *run, struct ends *e))
{
	unsigned n = run->cfg.clients;
	struct ends *e = run_shared(run, n * sizeof(*e));
	int rc = e ? PEER_OK : PEER_FAILED;

	if (e)
		ends_clear(e, n);
	for (unsigned i = 0; i < n && rc == PEER_OK; i++) {
		rc = make(run, &e[i]);
		if (rc == PEER_OK && (run->peer->flags & PEER_SPINS))
			rc = ends_nonblock(run, &e[i]);
	}
	return rc;
}

void fdio_teardown(struct run *run)
{
	if (run->mem)
		ends_close(run->mem, run->cfg.clients);
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
	const struct ends *e = (const struct ends *)run->mem + client;
	unsigned char *buf = run_private(run, run->cfg.size);
	int err = 0;

	if (!buf)
		return PEER_FAILED;
	run_ready(run);
	while (!err) {
		err = get(e->server_in, buf, run->cfg.size, packet);
		if (!err)
			err = put(e->server_out, buf, run->cfg.size, packet);
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
	const struct ends *e = (const struct ends *)run->mem + client;
	struct fdio_conn *c = run_alloc(run, sizeof(*c));

	if (!c)
		return NULL;
	c->run = run;
	c->in = e->client_in;
	c->out = e->client_out;
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
