/* SPDX-License-Identifier: MIT */
/*
 * nng: a pair of PAIR0 sockets for each client. The transport is the one of
 * ipc:// with an address in the abstract namespace: no file is left behind.
 * The server sends back the message it got, without a copy.
 */
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "peer.h"

struct nng_conn {
	struct run *run;
	nng_socket sock;
	size_t size;
	uint64_t serial;
	unsigned char *buf;
	int flags;
};

static int bad(struct nng_conn *c, const char *what, int err)
{
	return run_fail(c->run, "%s: %s", what, nng_strerror(err));
}

static int nng_pair(struct run *run, struct nng_conn *c, unsigned client,
		    int server)
{
	char address[128];
	int err;

	snprintf(address, sizeof(address), "abstract://%s-%u", run->tag,
		 client);
	c->run = run;
	c->size = run->cfg.size;
	c->flags = run->peer->flags & PEER_SPINS ? NNG_FLAG_NONBLOCK : 0;
	c->buf = run_private(run, c->size);
	if (!c->buf)
		return PEER_FAILED;
	err = nng_pair0_open(&c->sock);
	if (err)
		return bad(c, "nng_pair0_open", err);
	/* no limit */
	err = nng_socket_set_size(c->sock, NNG_OPT_RECVMAXSZ, 0);
	if (err)
		return bad(c, "NNG_OPT_RECVMAXSZ", err);
	err = server ? nng_listen(c->sock, address, NULL, 0)
		     : nng_dial(c->sock, address, NULL, 0);
	return err ? bad(c, address, err) : 0;
}

/* The library's threads share the CPU with the one that spins. */
static int again(const struct nng_conn *c, int err)
{
	if (err != NNG_EAGAIN || !c->flags)
		return 0;
	sched_yield();
	return 1;
}

static int put(struct nng_conn *c, nng_msg *msg)
{
	int err;

	while ((err = nng_sendmsg(c->sock, msg, c->flags)))
		if (!again(c, err))
			return bad(c, "nng_sendmsg", err);
	return 0;
}

static int get(struct nng_conn *c, nng_msg **msg)
{
	int err;

	while ((err = nng_recvmsg(c->sock, msg, c->flags)))
		if (!again(c, err))
			return bad(c, "nng_recvmsg", err);
	return 0;
}

static int nng_serve(struct run *run, unsigned client)
{
	struct nng_conn c = { 0 };
	nng_msg *msg;

	if (nng_pair(run, &c, client, 1))
		return PEER_FAILED;
	run_ready(run);
	while (!get(&c, &msg) && !put(&c, msg))
		;
	return PEER_FAILED;
}

static void *nng_open_conn(struct run *run, unsigned client)
{
	struct nng_conn *c = run_alloc(run, sizeof(*c));

	if (!c || nng_pair(run, c, client, 0))
		return NULL;
	return c;
}

static int nng_call(void *conn)
{
	struct nng_conn *c = conn;
	nng_msg *msg;
	int err = nng_msg_alloc(&msg, c->size);

	if (err)
		return bad(c, "nng_msg_alloc", err);
	payload_stamp(c->buf, c->size, ++c->serial);
	memcpy(nng_msg_body(msg), c->buf, c->size);
	if (put(c, msg) || get(c, &msg))
		return PEER_FAILED;
	if (nng_msg_len(msg) != c->size ||
	    !payload_ok(nng_msg_body(msg), c->size, c->serial))
		return run_fail(c->run, "wrong reply");
	nng_msg_free(msg);
	return 0;
}

static void nng_end(void *conn)
{
	struct nng_conn *c = conn;

	nng_close(c->sock);
	free(c);
}

#define NNG_PEER                                                               \
	.copies = "5 (into the message, the kernel and out, each way)",        \
	.serve = nng_serve, .open = nng_open_conn, .call = nng_call,           \
	.close = nng_end

const struct peer peer_nng = { .name = "nng",
			       .mode = "blocking",
			       .flags = PEER_THREADED | PEER_FLOATS,
			       NNG_PEER };

const struct peer peer_nng_spin = { .name = "nng-spin",
				    .mode = "polling",
				    .flags = PEER_THREADED | PEER_FLOATS |
					     PEER_SPINS,
				    NNG_PEER };
