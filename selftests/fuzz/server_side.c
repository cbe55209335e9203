/* SPDX-License-Identifier: MIT */
/* A server without threads for the fuzzers of the server's side. */
#include "server_side.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct skyipc_server *server;

static int32_t handler(struct skyipc_call *call, void *arg)
{
	static const int fds[2] = { 0, 1 };
	static char own[FUZZ_BUF_SIZE];

	(void)arg;
	switch (call->op % 8) {
	case 0: /* answer in place */
		call->reply = (void *)(uintptr_t)call->data;
		call->reply_len = call->len;
		break;
	case 1: /* copy; the client may change it meanwhile */
		if (call->reply)
			memcpy(call->reply, call->data, call->len);
		call->reply_len = call->len;
		break;
	case 2:
		call->reply = own;
		call->reply_len = call->in[0] % (2 * sizeof(own));
		break;
	case 3:
		call->reply_fds = fds;
		call->reply_nfds = call->in[0] % 3;
		break;
	case 4:
		call->reply_fds = call->fds;
		call->reply_nfds = call->nfds;
		break;
	case 5:
		skyipc_call_fds(call, 0);
		break;
	case 6: /* keep them */
		for (uint32_t i = 0; i < call->nfds; i++) {
			close(call->fds[i]);
			call->fds[i] = -1;
		}
		break;
	}
	return (int32_t)call->in[0];
}

static void stop(void)
{
	skyipc_server_destroy(server);
}

void server_up(const char *name)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;

	attr.handler = handler;
	attr.buf_size = FUZZ_BUF_SIZE;
	attr.max_mem_per_uid = 1 << 20;
	if (skyipc_server_create(fuzz_path(name), &attr, &server))
		abort();
	atexit(stop);
	server_goes_on();
}

void server_goes_on(void)
{
	for (int i = 0; i < 3; i++)
		if (skyipc_server_dispatch(server, SKYIPC_NS(1)) < 0)
			abort();
}

int server_connect(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strncpy(addr.sun_path, skyipc_server_path(server),
		sizeof(addr.sun_path) - 1);
	if (sock < 0 || connect(sock, (void *)&addr, sizeof(addr)))
		abort();
	server_goes_on();
	return sock;
}

void server_is_idle(void)
{
	struct skyipc_stats stats = { .size = sizeof(stats) };

	server_goes_on();
	if (skyipc_server_stats(server, &stats) || stats.conns || stats.mem)
		abort();
	no_fd_left();
}
