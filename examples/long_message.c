/* SPDX-License-Identifier: MIT */
/*
 * Long messages. The client builds a request where it is sent from, so that
 * nothing is copied; the server answers in the same place. Or the library
 * gathers the request from several places and scatters the reply.
 *
 * The memory is shared: the other side can change it at any time. The server
 * therefore copies what it is going to rely on before it checks it.
 */
#include "pair.h"

#include <ctype.h>
#include <inttypes.h>

#define NAME "example-long-message"

enum op {
	OP_SUM,	  /* struct numbers in; the sum in word 0 */
	OP_UPPER, /* text in, upper case out, in place */
	OP_TWICE, /* anything in, the same twice out */
	OP_MOTTO, /* a text of the server's own out */
	OP_COUNT,
};

struct numbers {
	uint64_t count;
	uint64_t number[];
};

static int32_t sum(struct skyipc_call *call, void *arg)
{
	const struct numbers *shared = call->data;
	uint64_t count;

	(void)arg;
	if (call->len < sizeof(*shared))
		return EINVAL;
	/* read once: what has been checked is what will be used */
	count = *(const volatile uint64_t *)&shared->count;
	if (count > (call->len - sizeof(*shared)) / sizeof(uint64_t))
		return EINVAL;
	for (uint64_t i = 0; i < count; i++)
		call->out[0] += shared->number[i];
	return 0;
}

static int32_t upper(struct skyipc_call *call, void *arg)
{
	/* the request's place may be written: it is the reply's from now on */
	unsigned char *text = (unsigned char *)call->data;

	(void)arg;
	for (size_t i = 0; i < call->len; i++)
		text[i] = (unsigned char)toupper(text[i]);
	call->reply = text;
	call->reply_len = call->len;
	return 0;
}

static int32_t twice(struct skyipc_call *call, void *arg)
{
	(void)arg;
	if (call->len > call->reply_cap / 2)
		return EMSGSIZE;
	/* call->reply does not overlap call->data */
	memcpy(call->reply, call->data, call->len);
	memcpy((char *)call->reply + call->len, call->data, call->len);
	call->reply_len = 2 * call->len;
	return 0;
}

static int32_t motto(struct skyipc_call *call, void *arg)
{
	static char text[] = "call me";

	(void)arg;
	call->reply = text; /* not shared memory: copied once by the library */
	call->reply_len = strlen(text);
	return 0;
}

static int make(struct skyipc_server **server)
{
	static const struct skyipc_op ops[OP_COUNT] = {
		[OP_SUM] = { sum, NULL },
		[OP_UPPER] = { upper, NULL },
		[OP_TWICE] = { twice, NULL },
		[OP_MOTTO] = { motto, NULL },
	};
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;

	attr.ops = ops;
	attr.nops = OP_COUNT;
	return skyipc_server_create(NAME, &attr, server);
}

static int check(const char *what, int err, const struct skyipc_msg *rep,
		 const char *expected)
{
	if (err)
		return complain(what, err);
	if (rep->status)
		return complain(what, -rep->status);
	printf("%s: %.*s\n", what, (int)rep->len, (const char *)rep->data);
	return rep->len == strlen(expected) &&
			       memcmp(rep->data, expected, rep->len) == 0
		       ? 0
		       : 1;
}

static int in_place(struct skyipc_conn *conn)
{
	struct skyipc_msg req = { .op = OP_SUM }, rep = { 0 };
	struct numbers *n;
	size_t size;
	void *buf;
	int err;

	err = skyipc_buffer(conn, &buf, &size);
	if (err)
		return complain("buffer", err);
	n = buf;
	n->count = 1000;
	for (uint64_t i = 0; i < n->count; i++)
		n->number[i] = i;
	req.data = buf; /* in the buffer: sent where it is */
	req.len = sizeof(*n) + 1000 * sizeof(uint64_t);
	err = skyipc_call_msg(conn, &req, &rep, SKYIPC_DEFAULT);
	if (err || rep.status)
		return complain("sum", err ? err : -rep.status);
	printf("sum: %" PRIu64 "\n", rep.w[0]);
	if (rep.w[0] != 499500)
		return 1;

	/* a buffer is good for one request */
	err = skyipc_buffer(conn, &buf, &size);
	if (err)
		return complain("buffer", err);
	strcpy(buf, "in place");
	req = (struct skyipc_msg){ .op = OP_UPPER, .data = buf, .len = 8 };
	err = skyipc_call_msg(conn, &req, &rep, SKYIPC_DEFAULT);
	if (check("upper", err, &rep, "IN PLACE"))
		return 1;

	req = (struct skyipc_msg){ .op = OP_MOTTO };
	err = skyipc_call_msg(conn, &req, &rep, SKYIPC_DEFAULT);
	return check("motto", err, &rep, "call me");
}

static int gathered(struct skyipc_conn *conn)
{
	char first[10] = "", second[10] = "", part[] = "middle ";
	const struct iovec iov[] = {
		{ .iov_base = (char[]){ "start " }, .iov_len = 6 },
		{ .iov_base = part, .iov_len = strlen(part) },
		{ .iov_base = (char[]){ "end." }, .iov_len = 4 },
	};
	const struct iovec riov[] = {
		{ .iov_base = first, .iov_len = 6 },
		{ .iov_base = second, .iov_len = 7 },
	};
	struct skyipc_msg req = { .op = OP_TWICE }, rep = { 0 };
	int err;

	err = skyipc_callv(conn, &req, iov, 3, &rep, riov, 2, SKYIPC_DEFAULT);
	if (check("twice", err, &rep, "start middle end.start middle end."))
		return 1;
	/* what riov had room for; all of it is still at rep.data, as printed */
	printf("scattered: '%s' '%s'\n", first, second);
	return strcmp(first, "start ") || strcmp(second, "middle ");
}

/* Nothing long goes there, so the library must be told that some comes back. */
static int asynchronous(struct skyipc_conn *conn)
{
	struct skyipc_msg req = { .op = OP_MOTTO, .flags = SKYIPC_LONG_REPLY };
	struct skyipc_msg rep = { 0 };
	int err, n;

	err = skyipc_submit(conn, &req);
	if (err)
		return complain("submit", err);
	n = skyipc_wait(conn, &rep, 1, 1, SKYIPC_SEC(10));
	return check("asynchronous", n < 0 ? n : rep.result, &rep, "call me");
}

static int too_long(struct skyipc_conn *conn)
{
	static char data[65537 * 16];
	struct skyipc_msg req = { .op = OP_UPPER,
				  .data = data,
				  .len = sizeof(data) };
	struct skyipc_msg rep = { 0 };
	int err = skyipc_call_msg(conn, &req, &rep, SKYIPC_DEFAULT);

	printf("too long: %s\n", strerror(-err));
	return err != -EMSGSIZE;
}

static int client(void)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct skyipc_conn *conn;
	int err, ret;

	attr.wait = 1;
	attr.buf_size = 65536 * 16; /* default: 64 KiB */
	attr.bufs = 1;		    /* never two long calls at a time */
	err = skyipc_connect(NAME, &attr, &conn);
	if (err)
		return complain(NAME, err);
	ret = in_place(conn) || gathered(conn) || asynchronous(conn) ||
	      too_long(conn);
	skyipc_close(conn);
	return ret;
}

int main(void)
{
	return run_pair(make, client);
}
