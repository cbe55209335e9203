/* SPDX-License-Identifier: MIT */
/* Two pipes for each client. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

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

static int pipe_setup(struct run *run)
{
	struct fdio_chan *c = fdio_chans(run);

	if (!c)
		return PEER_FAILED;
	for (unsigned i = 0; i < run->cfg.clients; i++) {
		int ask[2], answer[2], rc;

		if (pipe2(ask, O_CLOEXEC))
			return run_fail(run, "pipe: %s", strerror(errno));
		c[i].server_in = ask[0];
		c[i].client_out = ask[1];
		if (pipe2(answer, O_CLOEXEC))
			return run_fail(run, "pipe: %s", strerror(errno));
		c[i].client_in = answer[0];
		c[i].server_out = answer[1];
		rc = fits(run, ask[1]);
		if (rc == PEER_OK)
			rc = fits(run, answer[1]);
		if (rc != PEER_OK)
			return rc;
	}
	return fdio_prepare(run);
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
