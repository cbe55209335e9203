/* SPDX-License-Identifier: MIT */
/*
 * A table of operations, and the two kinds of failure: the handler's own
 * status, and the call's error when no handler could answer.
 */
#include "pair.h"

#include <inttypes.h>

#define NAME "example-calculator"

enum op {
	OP_ADD,
	OP_UNUSED, /* a hole in the table */
	OP_DIVIDE,
	OP_COUNT,
};

static int32_t add(struct skyipc_call *call, void *arg)
{
	(void)arg;
	call->out[0] = call->in[0] + call->in[1];
	return 0;
}

/* A status is any 32 bits; errno values are a habit that readers know. */
static int32_t divide(struct skyipc_call *call, void *arg)
{
	uint64_t *divisions = arg;

	if (call->in[1] == 0)
		return EDOM;
	/* one worker: nobody else counts at the same time */
	++*divisions;
	call->out[0] = call->in[0] / call->in[1];
	call->out[1] = call->in[0] % call->in[1];
	return 0;
}

static uint64_t divisions;

static const struct skyipc_op ops[OP_COUNT] = {
	[OP_ADD] = { add, NULL },
	[OP_DIVIDE] = { divide, &divisions },
};

static int make(struct skyipc_server **server)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;

	attr.ops = ops;
	attr.nops = OP_COUNT;
	return skyipc_server_create(NAME, &attr, server);
}

static int calculate(struct skyipc_conn *conn)
{
	uint64_t in[SKYIPC_WORDS] = { 47, 5 }, out[SKYIPC_WORDS];
	int32_t status;
	int err;

	/* whoever does not ask for the status gets it as an error */
	err = skyipc_call(conn, OP_ADD, in, out, NULL, SKYIPC_DEFAULT);
	if (err)
		return complain("add", err);
	printf("47 + 5 = %" PRIu64 "\n", out[0]);
	if (out[0] != 52)
		return 1;

	err = skyipc_call(conn, OP_DIVIDE, in, out, &status, SKYIPC_DEFAULT);
	if (err || status)
		return complain("divide", err ? err : -status);
	printf("47 / 5 = %" PRIu64 ", remainder %" PRIu64 "\n", out[0], out[1]);
	if (out[0] != 9 || out[1] != 2)
		return 1;

	in[1] = 0;
	err = skyipc_call(conn, OP_DIVIDE, in, out, &status, SKYIPC_DEFAULT);
	if (err)
		return complain("divide by zero", err);
	printf("47 / 0: the server says: %s\n", strerror(status));
	if (status != EDOM)
		return 1;
	err = skyipc_call(conn, OP_DIVIDE, in, out, NULL, SKYIPC_DEFAULT);
	if (err != -EREMOTEIO)
		return complain("divide without status", err);

	err = skyipc_call(conn, OP_UNUSED, in, out, &status, SKYIPC_DEFAULT);
	printf("operation %d: %s\n", OP_UNUSED, strerror(-err));
	if (err != -ENOSYS)
		return 1;
	err = skyipc_call(conn, OP_COUNT, in, out, &status, SKYIPC_DEFAULT);
	return err == -ENOSYS ? 0 : complain("operation beyond", err);
}

static int client(void)
{
	struct skyipc_conn *conn;
	int err, ret;

	err = connect_to(NAME, &conn);
	if (err)
		return complain(NAME, err);
	ret = calculate(conn);
	skyipc_close(conn);
	return ret;
}

int main(void)
{
	return run_pair(make, client);
}
