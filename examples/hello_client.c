/* SPDX-License-Identifier: MIT */
/*
 * The client of hello_server: prints the sum of two numbers.
 *
 *	hello_client [NAME [A B]]
 */
#include <skyipc.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what, int err)
{
	fprintf(stderr, "hello_client: %s: %s: %s\n", what, strerror(-err),
		skyipc_errmsg());
	return 1;
}

static int number(const char *s, uint64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoull(s, &end, 0);
	return errno || end == s || *end;
}

int main(int argc, char **argv)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	const char *name = argc > 1 ? argv[1] : "hello";
	uint64_t in[SKYIPC_WORDS] = { 20, 22 };
	uint64_t out[SKYIPC_WORDS];
	struct skyipc_conn *conn;
	int32_t status;
	int err;

	if (argc > 4 || argc == 3 ||
	    (argc == 4 &&
	     (number(argv[2], &in[0]) || number(argv[3], &in[1])))) {
		fprintf(stderr, "usage: hello_client [NAME [A B]]\n");
		return 2;
	}

	attr.wait = 1; /* the server may be started after the client */
	err = skyipc_connect(name, &attr, &conn);
	if (err)
		return fail(name, err);

	err = skyipc_call(conn, 0, in, out, &status, SKYIPC_SEC(1));
	if (err)
		fail("call", err);
	else if (status)
		fprintf(stderr, "hello_client: status %" PRId32 "\n", status);
	else
		printf("%" PRIu64 " + %" PRIu64 " = %" PRIu64 "\n", in[0],
		       in[1], out[0]);
	skyipc_close(conn);
	return err || status ? 1 : 0;
}
