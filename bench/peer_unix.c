/* SPDX-License-Identifier: MIT */
/* A connected pair of UNIX sockets for each client. */
#include <stdlib.h>
#include <sys/socket.h>

#include "fdio.h"

/* What the kernel books for a message beside its bytes, generously. */
#define SKB_OVERHEAD 1024

static void room(int fd, size_t want)
{
	int bytes = want < 1 << 29 ? (int)want : 1 << 29;

	/* Beyond wmem_max only with privileges; what was given is checked. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int fits(struct run *run, int fd)
{
	size_t want = run->cfg.depth * (run->cfg.size + SKB_OVERHEAD);
	socklen_t len = sizeof(int);
	int have = 0;

	/* The default is best for what it holds: smaller is cached better. */
	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &len);
	if ((size_t)have < want) {
		room(fd, want);
		getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &len);
	}
	if (run->cfg.depth > 1 && (size_t)have < want)
		return run_skip(run,
				"a socket cannot hold %u calls of %zu bytes "
				"(net.core.wmem_max)",
				run->cfg.depth, run->cfg.size);
	return PEER_OK;
}

static int make(struct run *run, struct ends *e, int type)
{
	int rc = ends_sockets(run, e, type);

	if (rc == PEER_OK)
		rc = fits(run, e->client_out);
	return rc == PEER_OK ? fits(run, e->server_out) : rc;
}

static int make_stream(struct run *run, struct ends *e)
{
	return make(run, e, SOCK_STREAM);
}

static int make_seqpacket(struct run *run, struct ends *e)
{
	return make(run, e, SOCK_SEQPACKET);
}

static int stream_setup(struct run *run)
{
	return fdio_setup(run, make_stream);
}

static int seqpacket_setup(struct run *run)
{
	return fdio_setup(run, make_seqpacket);
}

#define UNIX_PEER                                                              \
	.copies = "4 (in and out of the kernel, each way)", .open = fdio_open, \
	.close = free, .teardown = fdio_teardown

#define STREAM_PEER                                                            \
	UNIX_PEER, .setup = stream_setup, .serve = fdio_serve_stream,          \
		   .call = fdio_call_stream, .submit = fdio_submit_stream,     \
		   .reap = fdio_reap_stream

#define SEQPACKET_PEER                                                         \
	UNIX_PEER, .setup = seqpacket_setup, .serve = fdio_serve_packet,       \
		   .call = fdio_call_packet, .submit = fdio_submit_packet,     \
		   .reap = fdio_reap_packet

const struct peer peer_unix_stream = { .name = "unix-stream",
				       .mode = "blocking",
				       .flags = PEER_THREADED,
				       STREAM_PEER };

const struct peer peer_unix_stream_spin = { .name = "unix-stream-spin",
					    .mode = "polling",
					    .flags = PEER_THREADED | PEER_SPINS,
					    STREAM_PEER };

const struct peer peer_unix_seqpacket = { .name = "unix-seqpacket",
					  .mode = "blocking",
					  .flags = PEER_THREADED,
					  SEQPACKET_PEER };

const struct peer peer_unix_seqpacket_spin = { .name = "unix-seqpacket-spin",
					       .mode = "polling",
					       .flags = PEER_THREADED |
							PEER_SPINS,
					       SEQPACKET_PEER };
