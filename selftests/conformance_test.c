/* SPDX-License-Identifier: MIT */
/*
 * conformance_test.c - calls, short and long, as skyipc.h promises them, over
 * every transport, in every mode, wherever the two sides run
 */
#include "testlib.h"

#include <signal.h>

#define BUF 65536u

/* ---- short calls -------------------------------------------------------- */

static void words(void **state)
{
	uint64_t in[SKYIPC_WORDS], out[SKYIPC_WORDS];
	struct fixture f;
	int32_t status;

	fixture_up(&f, state, NULL, NULL);
	for (uint64_t n = 0; n < 200; n++) {
		for (unsigned i = 0; i < SKYIPC_WORDS; i++)
			in[i] = n * 0x9e3779b97f4a7c15u * (i + 1);
		memset(out, 0xaa, sizeof(out));
		status = 77;
		assert_int_equal(
			skyipc_call(f.conn, OP_ECHO, in, out, &status, LIMIT),
			0);
		assert_int_equal(status, 0);
		for (unsigned i = 0; i < SKYIPC_WORDS; i++)
			assert_true(out[i] == in[i] + 1);
	}
	in[0] = UINT64_MAX;
	assert_int_equal(skyipc_call(f.conn, OP_ECHO, in, out, NULL, LIMIT), 0);
	assert_true(out[0] == 0);
	/* NULL: all zero; dropped */
	assert_int_equal(skyipc_call(f.conn, OP_ECHO, NULL, out, NULL, LIMIT),
			 0);
	for (unsigned i = 0; i < SKYIPC_WORDS; i++)
		assert_true(out[i] == 1);
	assert_int_equal(skyipc_call(f.conn, OP_ECHO, in, NULL, NULL, LIMIT),
			 0);
	assert_int_equal(skyipc_call(f.conn, OP_ECHO, NULL, NULL, NULL, LIMIT),
			 0);
	assert_string_equal(skyipc_conn_transport(f.conn), f.v->transport);
	fixture_down(&f);
}

static void statuses(void **state)
{
	static const int32_t values[] = {
		1, -1, 2, -38, -62, 4095, -4095, -4096, INT32_MAX, INT32_MIN,
	};
	uint64_t in[SKYIPC_WORDS] = { 0 };
	struct fixture f;
	int32_t status;

	fixture_up(&f, state, NULL, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
		struct skyipc_msg req = { .op = OP_STATUS }, rep = { .op = 0 };

		in[0] = req.w[0] = (uint64_t)(int64_t)values[i];
		status = 0;
		assert_int_equal(skyipc_call(f.conn, OP_STATUS, in, NULL,
					     &status, LIMIT),
				 0);
		assert_int_equal(status, values[i]);
		assert_int_equal(
			skyipc_call(f.conn, OP_STATUS, in, NULL, NULL, LIMIT),
			-EREMOTEIO);
		assert_true(skyipc_errmsg()[0]);
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
		assert_int_equal(rep.status, values[i]);
		assert_int_equal(rep.op, OP_STATUS);
	}
	in[0] = 0;
	assert_int_equal(skyipc_call(f.conn, OP_STATUS, in, NULL, NULL, LIMIT),
			 0);
	fixture_down(&f);
}

static int32_t who(struct skyipc_call *call, void *arg)
{
	call->out[0] = (uintptr_t)arg;
	call->out[1] = call->op;
	return 0;
}

static void table(void **state)
{
	struct skyipc_op ops[] = { { who, (void *)10 },
				   { NULL, NULL },
				   { who, (void *)12 } };
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .ops = ops,
					   .nops = ARRAY_LEN(ops) };
	struct fixture f;

	fixture_up(&f, state, &attr, NULL);
	memset(ops, 0, sizeof(ops)); /* it was copied */
	assert_int_equal(ask(f.conn, 0, 0, 0), 10);
	assert_int_equal(ask(f.conn, 2, 0, 0), 12);
	for (int i = 0; i < 3; i++) {
		static const uint32_t no[] = { 1, 3, UINT32_MAX };

		assert_int_equal(
			skyipc_call(f.conn, no[i], NULL, NULL, NULL, LIMIT),
			-ENOSYS);
		assert_true(skyipc_errmsg()[0]);
	}
	assert_int_equal(ask(f.conn, 2, 0, 0), 12);
	fixture_down(&f);
}

static void table_and_handler(void **state)
{
	struct skyipc_op ops[] = { { who, (void *)10 }, { NULL, NULL } };
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .ops = ops,
					   .nops = ARRAY_LEN(ops),
					   .handler = who,
					   .arg = (void *)99 };
	uint64_t out[SKYIPC_WORDS];
	struct fixture f;

	fixture_up(&f, state, &attr, NULL);
	assert_int_equal(ask(f.conn, 0, 0, 0), 10);
	assert_int_equal(ask(f.conn, 7, 0, 0), 99);
	assert_int_equal(
		skyipc_call(f.conn, UINT32_MAX, NULL, out, NULL, LIMIT), 0);
	assert_true(out[1] == UINT32_MAX);
	/* "serve every operation that ops does not" */
	assert_int_equal(ask(f.conn, 1, 0, 0), 99);
	fixture_down(&f);
}

/* ---- long messages ------------------------------------------------------ */

static const size_t sizes[] = { 0,    1,    63,	     64,      4095,
				4096, 4097, BUF / 2, BUF - 1, BUF };

static void lengths(void **state)
{
	char *data = malloc(BUF + 1);
	struct fixture f;

	assert_non_null(data);
	fixture_up(&f, state, NULL, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		struct skyipc_msg req = {
			.op = OP_ECHO, .data = data, .len = sizes[i], .w = { i }
		};
		struct skyipc_msg rep = { .op = 0 };

		pattern_fill(data, sizes[i], i);
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
		assert_int_equal(rep.len, sizes[i]);
		assert_true(rep.w[0] == i + 1);
		assert_int_equal(rep.flags, 0);
		assert_int_equal(rep.nfds, 0);
		if (sizes[i])
			assert_true(pattern_is(rep.data, rep.len, i));
		else
			assert_null(rep.data);
	}
	for (size_t over = 1; over < 3; over++) {
		struct skyipc_msg req = { .op = OP_COUNT, .data = data };
		struct skyipc_msg rep = { .op = 0 };

		req.len = over == 1 ? BUF + 1 : SIZE_MAX;
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT),
				 -EMSGSIZE);
		assert_int_equal(skyipc_submit(f.conn, &req), -EMSGSIZE);
	}
	fixture_down(&f);
	free(data);
}

static void in_place(void **state)
{
	struct skyipc_msg req = { .op = OP_SUM }, rep = { .op = 0 };
	struct fixture f;
	void *buf, *again;
	size_t size;

	fixture_up(&f, state, NULL, NULL);
	for (unsigned i = 0; i < 40; i++) {
		uint64_t sum = 0;

		assert_int_equal(skyipc_buffer(f.conn, &buf, &size), 0);
		assert_int_equal(size, BUF);
		assert_int_equal(skyipc_buffer(f.conn, &again, &size), 0);
		assert_ptr_equal(buf, again);
		pattern_fill(buf, size, i);
		for (size_t j = 0; j < size; j++)
			sum += pattern(i, j);
		req.data = buf;
		req.len = size;
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
		assert_true(rep.w[0] == size && rep.w[1] == sum);
		assert_null(rep.data);
	}
	/* Not from its start: what lies there is sent all the same. */
	assert_int_equal(skyipc_buffer(f.conn, &buf, &size), 0);
	pattern_fill(buf, size, 5);
	req.op = OP_ECHO;
	req.data = (char *)buf + 100;
	req.len = 1000;
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
	for (size_t j = 0; j < 1000; j++)
		assert_int_equal(((uint8_t *)rep.data)[j], pattern(5, 100 + j));
	/* A reply goes on as a request. */
	req.data = rep.data;
	req.len = rep.len;
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
	assert_int_equal(rep.len, 1000);
	for (size_t j = 0; j < 1000; j++)
		assert_int_equal(((uint8_t *)rep.data)[j], pattern(5, 100 + j));
	fixture_down(&f);
}

static void reply_places(void **state)
{
	struct skyipc_msg req = { .op = OP_INPLACE }, rep = { .op = 0 };
	static char data[BUF];
	struct fixture f;
	void *buf;
	size_t size;

	pattern_fill(data, BUF, 9);
	fixture_up(&f, state, NULL, NULL);
	req.data = data;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		req.len = sizes[i];
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
		assert_int_equal(rep.len, sizes[i]);
		assert_true(!sizes[i] || pattern_is(rep.data, rep.len, 9));
	}
	/* In place on both sides: not one copy. */
	assert_int_equal(skyipc_buffer(f.conn, &buf, &size), 0);
	pattern_fill(buf, size, 10);
	req.data = buf;
	req.len = size;
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
	assert_ptr_equal(rep.data, buf);
	assert_true(pattern_is(rep.data, size, 10));

	req.op = OP_OFFSET; /* inside the request */
	req.data = data;
	req.len = BUF;
	req.w[0] = 1000;
	req.w[1] = BUF - 1000;
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
	assert_int_equal(rep.len, BUF - 1000);
	assert_memory_equal(rep.data, data + 1000, BUF - 1000);

	req.w[1] = BUF - 999; /* over its end */
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), -EMSGSIZE);

	req.op = OP_OWN; /* of the handler's own memory */
	req.len = 0;
	req.data = NULL;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		req.w[0] = sizes[i];
		req.w[1] = i;
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
		assert_int_equal(rep.len, sizes[i]);
		assert_true(!sizes[i] || pattern_is(rep.data, rep.len, i));
	}
	req.w[0] = BUF + 1;
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), -EMSGSIZE);

	req.op = OP_FILL;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		req.w[0] = sizes[i];
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
		assert_int_equal(rep.w[0], BUF);
		assert_int_equal(rep.len, sizes[i]);
	}
	req.op = OP_TOO_LONG;
	for (uint64_t over = 0; over < 3; over++) {
		static const uint64_t overs[] = { 0, 4096, UINT64_MAX / 2 };

		req.w[0] = overs[over];
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT),
				 -EMSGSIZE);
		assert_true(skyipc_errmsg()[0]);
		/* Short calls never have room. */
		assert_int_equal(skyipc_call(f.conn, OP_OWN,
					     (uint64_t[SKYIPC_WORDS]){ 1 },
					     NULL, NULL, LIMIT),
				 -EMSGSIZE);
	}
	ask(f.conn, OP_ECHO, 0, 0);
	fixture_down(&f);
}

/* A reply stays as it is until this thread uses the connection again. */
static void reply_stays(void **state)
{
	struct skyipc_msg req = { .op = OP_FILL, .w = { 5000, 3 } };
	struct skyipc_msg rep = { .op = 0 };
	struct fixture f;

	fixture_up(&f, state, NULL, NULL);
	for (int i = 0; i < 30; i++) {
		req.w[1] = (uint64_t)i;
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
		assert_int_equal(rep.len, 5000);
		assert_true(pattern_is(rep.data, rep.len, (uint64_t)i));
	}
	fixture_down(&f);
}

static void vectors(void **state)
{
	struct skyipc_msg req = { .op = OP_INPLACE,
				  .data = (void *)1,
				  .len = 9 };
	struct skyipc_msg rep = { .op = 0 };
	static char data[BUF + 1], back[BUF];
	struct iovec iov[4] = { { data, 10 },
				{ NULL, 0 },
				{ data + 10, 4096 },
				{ data + 4106, 1 } };
	struct iovec riov[3] = { { back, 100 },
				 { NULL, 0 },
				 { back + 100, 900 } };
	struct fixture f;

	pattern_fill(data, BUF, 4);
	fixture_up(&f, state, NULL, NULL);
	assert_int_equal(
		skyipc_callv(f.conn, &req, iov, 4, &rep, riov, 3, LIMIT), 0);
	assert_int_equal(rep.len, 4107);
	assert_true(pattern_is(rep.data, 4107, 4)); /* all of it, in place */
	assert_true(pattern_is(back, 1000, 4));	    /* cut */
	assert_int_equal(back[1000], 0);
	/* No vectors; more room than needed */
	memset(back, 0, sizeof(back));
	assert_int_equal(
		skyipc_callv(f.conn, &req, NULL, 0, &rep, NULL, 0, LIMIT), 0);
	assert_int_equal(rep.len, 0);
	assert_int_equal(
		skyipc_callv(f.conn, &req, iov, 1, &rep, riov, 3, LIMIT), 0);
	assert_int_equal(rep.len, 10);
	assert_true(pattern_is(back, 10, 4));
	assert_int_equal(back[10], 0);
	/* All of the buffer; one more; a sum that wraps */
	iov[0].iov_len = BUF;
	assert_int_equal(
		skyipc_callv(f.conn, &req, iov, 1, &rep, NULL, 0, LIMIT), 0);
	assert_int_equal(rep.len, BUF);
	iov[1] = (struct iovec){ data, 1 };
	assert_int_equal(
		skyipc_callv(f.conn, &req, iov, 2, &rep, NULL, 0, LIMIT),
		-EMSGSIZE);
	iov[0].iov_len = 100;
	iov[1].iov_len = SIZE_MAX - 50;
	assert_int_equal(
		skyipc_callv(f.conn, &req, iov, 2, &rep, NULL, 0, LIMIT),
		-EMSGSIZE);
	assert_int_equal(
		skyipc_callv(f.conn, &req, iov, -1, &rep, NULL, 0, LIMIT),
		-EINVAL);
	/* After failures nothing is lost: all buffers are still there. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(skyipc_callv(f.conn, &req, iov, 1, &rep, riov,
					      3, LIMIT),
				 0);
	fixture_down(&f);
}

static void big_buffers(void **state)
{
	struct skyipc_connect_attr cattr = { .size = sizeof(cattr),
					     .buf_size = 8u << 20,
					     .depth = 2,
					     .bufs = 1 };
	struct skyipc_msg req = { .op = OP_INPLACE }, rep = { .op = 0 };
	struct fixture f;
	void *buf;
	size_t size;

	fixture_up(&f, state, NULL, &cattr);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(skyipc_buffer(f.conn, &buf, &size), 0);
		assert_int_equal(size, 8u << 20);
		pattern_fill(buf, size, i);
		req.data = buf;
		req.len = size;
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
		assert_int_equal(rep.len, size);
		assert_true(pattern_is(rep.data, size, i));
	}
	fixture_down(&f);
}

int main(void)
{
	const struct CMUnitTest everywhere[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(statuses),
		cmocka_unit_test(lengths),
		cmocka_unit_test(in_place),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(table_and_handler),
		cmocka_unit_test(reply_places),
		cmocka_unit_test(reply_stays),
		cmocka_unit_test(vectors),
		cmocka_unit_test(big_buffers),
	};
	int failed;

	failed = run_variants("calls, everywhere", everywhere,
			      ARRAY_LEN(everywhere), BY_MODE | BY_PLACE);
	failed += run_variants("calls", tests, ARRAY_LEN(tests), BY_MODE);
	return failed;
}
