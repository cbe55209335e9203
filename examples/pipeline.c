/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous calls: submit as many as there is room for, reap what is
 * there, go on. The server is never idle and the client pays for few waits.
 */
#include "pair.h"

#include <inttypes.h>

#define NAME "example-pipeline"
#define CALLS 10000u
#define DEPTH 32u

static int32_t square(struct skyipc_call *call, void *arg)
{
	(void)arg;
	call->out[0] = call->in[0] * call->in[0];
	return 0;
}

static int make(struct skyipc_server **server)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;

	attr.handler = square;
	return skyipc_server_create(NAME, &attr, server);
}

/* Submits from @next on until there is no room. Returns the next one then. */
static int64_t fill(struct skyipc_conn *conn, uint64_t next)
{
	int err;

	for (; next < CALLS; next++) {
		struct skyipc_msg req = { .w = { next }, .tag = next };

		err = skyipc_submit(conn, &req);
		if (err == -EAGAIN)
			break;
		if (err)
			return err;
	}
	return (int64_t)next;
}

/* Replies come in the order of submission. */
static int check(const struct skyipc_msg *msg, int n, uint64_t first)
{
	for (int i = 0; i < n; i++) {
		uint64_t tag = first + (uint64_t)i;

		if (msg[i].result)
			return complain("reply", msg[i].result);
		if (msg[i].status || msg[i].tag != tag ||
		    msg[i].w[0] != tag * tag)
			return 1;
	}
	return 0;
}

static int stream(struct skyipc_conn *conn)
{
	struct skyipc_msg msgs[DEPTH];
	uint64_t reaped = 0;
	int64_t next = 0;
	int n;

	while (reaped < CALLS) {
		next = fill(conn, (uint64_t)next);
		if (next < 0)
			return complain("submit", (int)next);

		/* no room for descriptors in any of them */
		memset(msgs, 0, sizeof(msgs));
		n = skyipc_poll(conn, msgs, DEPTH);
		/* half of them, so that the next waits are few */
		if (n == 0)
			n = skyipc_wait(conn, msgs, DEPTH, DEPTH / 2,
					SKYIPC_SEC(10));
		if (n < 0)
			return complain("reap", n);
		if (check(msgs, n, reaped))
			return 1;
		reaped += (uint64_t)n;
	}
	n = skyipc_poll(conn, msgs, DEPTH);
	if (n != -ENOENT) /* nothing is outstanding */
		return complain("poll", n);
	printf("%u calls, at most %u at a time\n", CALLS, DEPTH);
	return 0;
}

static int client(void)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct skyipc_conn *conn;
	int err, ret;

	attr.wait = 1;
	attr.depth = DEPTH;
	err = skyipc_connect(NAME, &attr, &conn);
	if (err)
		return complain(NAME, err);
	ret = stream(conn);
	skyipc_close(conn);
	return ret;
}

int main(void)
{
	return run_pair(make, client);
}
