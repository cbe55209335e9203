/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ends.h"

void ends_clear(struct ends *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		e[i] = (struct ends){ -1, -1, -1, -1 };
}

int ends_pipes(struct run *run, struct ends *e)
{
	int ask[2], answer[2];

	if (pipe2(ask, O_CLOEXEC))
		return run_fail(run, "pipe: %s", strerror(errno));
	e->server_in = ask[0];
	e->client_out = ask[1];
	if (pipe2(answer, O_CLOEXEC))
		return run_fail(run, "pipe: %s", strerror(errno));
	e->client_in = answer[0];
	e->server_out = answer[1];
	return PEER_OK;
}

int ends_sockets(struct run *run, struct ends *e, int type)
{
	int sv[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv))
		return run_fail(run, "socketpair: %s", strerror(errno));
	e->client_in = e->client_out = sv[0];
	e->server_in = e->server_out = sv[1];
	return PEER_OK;
}

static int nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int ends_nonblock(struct run *run, const struct ends *e)
{
	if (nonblock(e->client_in) || nonblock(e->client_out) ||
	    nonblock(e->server_in) || nonblock(e->server_out))
		return run_fail(run, "fcntl: %s", strerror(errno));
	return PEER_OK;
}

static void close_side(int in, int out)
{
	if (in >= 0)
		close(in);
	if (out >= 0 && out != in)
		close(out);
}

void ends_close(struct ends *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		close_side(e[i].client_in, e[i].client_out);
		close_side(e[i].server_in, e[i].server_out);
	}
}
