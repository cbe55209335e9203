/* SPDX-License-Identifier: MIT */
/* Two pipes for each client. */
#include <fcntl.h>
#include <stdlib.h>

#include "fdio.h"

#define PIPE_DEFAULT 65536u
#define PIPE_MAX (1u << 20) /* fs.pipe-max-size, unless it was changed */

/*
 * With several calls outstanding client and server may both be writing; were
 * both pipes full then, neither would ever read.
 */
static int fits(struct run *run, int fd)
{
	size_t want = run->cfg.depth * run->cfg.size;

	if (want <= PIPE_DEFAULT)
		return PEER_OK;
	if (run->cfg.depth == 1) {
		/* Not needed, but fewer switches: as much as anybody gets. */
		for (size_t n = want < PIPE_MAX ? want : PIPE_MAX;
		     n > PIPE_DEFAULT && fcntl(fd, F_SETPIPE_SZ, (int)n) < 0;)
			n /= 2;
		return PEER_OK;
	}
	if (want > 1 << 30 || fcntl(fd, F_SETPIPE_SZ, (int)want) < 0)
		return run_skip(run, "a pipe cannot hold %u calls of %zu bytes",
				run->cfg.depth, run->cfg.size);
	return PEER_OK;
}

static int make(struct run *run, struct ends *e)
{
	int rc = ends_pipes(run, e);

	if (rc == PEER_OK)
		rc = fits(run, e->client_out);
	return rc == PEER_OK ? fits(run, e->server_out) : rc;
}

static int pipe_setup(struct run *run)
{
	return fdio_setup(run, make);
}

#define PIPE_PEER                                                              \
	.copies = "4 (in and out of the kernel, each way)",                    \
	.setup = pipe_setup, .serve = fdio_serve_stream, .open = fdio_open,    \
	.call = fdio_call_stream, .submit = fdio_submit_stream,                \
	.reap = fdio_reap_stream, .close = free, .teardown = fdio_teardown

const struct peer peer_pipe = {
	.name = "pipe", .mode = "blocking", .flags = PEER_THREADED, PIPE_PEER
};

const struct peer peer_pipe_spin = { .name = "pipe-spin",
				     .mode = "polling",
				     .flags = PEER_THREADED | PEER_SPINS,
				     PIPE_PEER };
