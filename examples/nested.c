/* SPDX-License-Identifier: MIT */
/*
 * Servers that call servers: client -> front -> back. While the front's
 * worker waits for the back, another thread takes its place, so that one
 * worker serves several clients; and the back's answer, or its failure,
 * becomes part of the front's.
 */
#include "pair.h"

#include <inttypes.h>

#define FRONT "example-nested-front"
#define BACK "example-nested-back"

/* The back server: whole square roots. */
static int32_t root(struct skyipc_call *call, void *arg)
{
	uint64_t r = 0;

	(void)arg;
	for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1) {
		if ((r + bit) * (r + bit) <= call->in[0])
			r += bit;
	}
	call->out[0] = r;
	return 0;
}

/* The front server: the longest side of a right-angled triangle. */
static int32_t hypotenuse(struct skyipc_call *call, void *arg)
{
	struct skyipc_conn *back = arg;
	uint64_t in[SKYIPC_WORDS] = { call->in[0] * call->in[0] +
				      call->in[1] * call->in[1] };
	int err;

	/*
	 * One connection for all workers: each thread has a channel of its own
	 * in it. A limit, because the front's callers wait for this too.
	 */
	err = skyipc_call(back, 0, in, call->out, NULL, SKYIPC_SEC(5));
	return err ? EHOSTDOWN : 0;
}

/* Runs until SIGTERM, which was blocked before. */
static int serve_back(const sigset_t *stop)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct skyipc_server *server;
	int err, sig;

	attr.handler = root;
	err = skyipc_server_create(BACK, &attr, &server);
	if (err)
		return complain(BACK, err);
	err = skyipc_server_start(server);
	if (err)
		complain(BACK, err);
	else
		sigwait(stop, &sig);
	skyipc_server_destroy(server); /* stops it first */
	return err ? 1 : 0;
}

static int client(void)
{
	uint64_t in[SKYIPC_WORDS] = { 3, 4 }, out[SKYIPC_WORDS];
	struct skyipc_conn *conn;
	int32_t status;
	int err;

	err = connect_to(FRONT, &conn);
	if (err)
		return complain(FRONT, err);
	err = skyipc_call(conn, 0, in, out, &status, SKYIPC_DEFAULT);
	skyipc_close(conn);
	if (err || status)
		return complain("call", err ? err : -status);
	printf("3, 4, %" PRIu64 "\n", out[0]);
	return out[0] != 5;
}

static struct skyipc_conn *back_conn;

static int make_front(struct skyipc_server **server)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	int err;

	err = connect_to(BACK, &back_conn);
	if (err)
		return err;
	attr.handler = hypotenuse;
	attr.arg = back_conn;
	return skyipc_server_create(FRONT, &attr, server);
}

int main(void)
{
	sigset_t stop, before;
	pid_t back;
	int ret;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, &before);
	back = fork();
	if (back < 0) {
		perror("fork");
		return 1;
	}
	if (back == 0)
		exit(serve_back(&stop));
	sigprocmask(SIG_SETMASK, &before, NULL);

	ret = run_pair(make_front, client);
	skyipc_close(back_conn);
	kill(back, SIGTERM);
	return reap(back) || ret;
}
