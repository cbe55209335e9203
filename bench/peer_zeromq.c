/* SPDX-License-Identifier: MIT */
/*
 * ZeroMQ: a pair of PAIR sockets over ipc:// for each client, which carries
 * less than REQ/REP do. Each side has its own context, that is an I/O thread
 * of its own. The address is in the abstract namespace: no file is left behind.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "peer.h"

struct zmq_conn {
	struct run *run;
	void *ctx, *sock;
	size_t size;
	uint64_t sent, got;
	unsigned char *buf;
	int flags;
};

static int zmq_pair(struct run *run, struct zmq_conn *c, unsigned client,
		    int server)
{
	char address[128];
	int zero = 0, rc;

	snprintf(address, sizeof(address), "ipc://@%s-%u", run->tag, client);
	c->run = run;
	c->size = run->cfg.size;
	c->flags = run->peer->flags & PEER_SPINS ? ZMQ_DONTWAIT : 0;
	c->buf = run_private(run, c->size);
	c->ctx = zmq_ctx_new();
	c->sock = c->ctx ? zmq_socket(c->ctx, ZMQ_PAIR) : NULL;
	if (!c->sock || !c->buf)
		return run_fail(run, "zmq_socket: %s", zmq_strerror(errno));
	if (zmq_setsockopt(c->sock, ZMQ_LINGER, &zero, sizeof(zero)) ||
	    zmq_setsockopt(c->sock, ZMQ_SNDHWM, &zero, sizeof(zero)) ||
	    zmq_setsockopt(c->sock, ZMQ_RCVHWM, &zero, sizeof(zero)))
		return run_fail(run, "zmq_setsockopt: %s", zmq_strerror(errno));
	rc = server ? zmq_bind(c->sock, address)
		    : zmq_connect(c->sock, address);
	if (rc)
		return run_fail(run, "%s: %s", address, zmq_strerror(errno));
	return 0;
}

/*
 * Who spins has to leave the CPU to the library's I/O thread, which shares it:
 * without the yield every message would wait for the end of a time slice.
 */
static int again(const struct zmq_conn *c)
{
	if (errno == EAGAIN && c->flags) {
		sched_yield();
		return 1;
	}
	return errno == EINTR;
}

static int put(struct zmq_conn *c)
{
	while (zmq_send(c->sock, c->buf, c->size, c->flags) < 0)
		if (!again(c))
			return run_fail(c->run, "zmq_send: %s",
					zmq_strerror(errno));
	return 0;
}

static int get(struct zmq_conn *c)
{
	int n;

	while ((n = zmq_recv(c->sock, c->buf, c->size, c->flags)) < 0)
		if (!again(c))
			return run_fail(c->run, "zmq_recv: %s",
					zmq_strerror(errno));
	if ((size_t)n != c->size)
		return run_fail(c->run, "reply of %d bytes", n);
	return 0;
}

static int zmq_serve(struct run *run, unsigned client)
{
	struct zmq_conn c = { 0 };

	if (zmq_pair(run, &c, client, 1))
		return PEER_FAILED;
	run_ready(run);
	while (!get(&c) && !put(&c))
		;
	return PEER_FAILED;
}

static void *zmq_open(struct run *run, unsigned client)
{
	struct zmq_conn *c = run_alloc(run, sizeof(*c));

	if (!c || zmq_pair(run, c, client, 0))
		return NULL;
	return c;
}

static int zmq_submit(void *conn)
{
	struct zmq_conn *c = conn;

	payload_stamp(c->buf, c->size, ++c->sent);
	return put(c);
}

static int zmq_reap(void *conn)
{
	struct zmq_conn *c = conn;

	if (get(c))
		return PEER_FAILED;
	if (!payload_ok(c->buf, c->size, ++c->got))
		return run_fail(c->run, "wrong reply");
	return 1;
}

static int zmq_call(void *conn)
{
	return zmq_submit(conn) || zmq_reap(conn) != 1;
}

static void zmq_end(void *conn)
{
	struct zmq_conn *c = conn;

	zmq_close(c->sock);
	zmq_ctx_term(c->ctx);
	free(c);
}

#define ZMQ_PEER                                                               \
	.copies = "8 (into and out of the message and the kernel)",            \
	.serve = zmq_serve, .open = zmq_open, .call = zmq_call,                \
	.submit = zmq_submit, .reap = zmq_reap, .close = zmq_end

const struct peer peer_zeromq = { .name = "zeromq",
				  .mode = "blocking",
				  .flags = PEER_THREADED | PEER_FLOATS,
				  ZMQ_PEER };

const struct peer peer_zeromq_spin = { .name = "zeromq-spin",
				       .mode = "polling",
				       .flags = PEER_THREADED | PEER_FLOATS |
						PEER_SPINS,
				       ZMQ_PEER };
