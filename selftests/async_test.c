/* SPDX-License-Identifier: MIT */
/* async_test.c - submit, poll, wait: order, room, limits, long replies */
#include "testlib.h"

#include <pthread.h>

#define BUF 65536u

static int submit(struct skyipc_conn *conn, uint32_t op, uint64_t tag,
		  size_t len)
{
	static char data[BUF];
	struct skyipc_msg req = { .op = op,
				  .tag = tag,
				  .w = { tag, tag + 1 },
				  .data = data,
				  .len = len };
	int err;

	pattern_fill(data, len, tag);
	err = skyipc_submit(conn, &req);
	memset(data, 0, len); /* nothing of it is referred to any more */
	memset(&req, 0x55, sizeof(req));
	return err;
}

/* Everything comes back in order with its tag. */
static void order(void **state)
{
	struct skyipc_msg rep[64];
	struct fixture f;
	uint64_t next = 0;
	int n;

	memset(rep, 0, sizeof(rep));
	fixture_up(&f, state, NULL, NULL);
	for (unsigned round = 0; round < 50; round++) {
		for (uint64_t i = 0; i < 64; i++)
			assert_int_equal(submit(f.conn, OP_ECHO, next + i, 0),
					 0);
		assert_int_equal(submit(f.conn, OP_ECHO, 0, 0), -EAGAIN);
		assert_true(skyipc_errmsg()[0]);
		assert_int_equal(
			skyipc_call(f.conn, OP_ECHO, NULL, NULL, NULL, LIMIT),
			-EAGAIN);
		for (unsigned got = 0; got < 64; got += (unsigned)n) {
			/* now all at once, now some */
			unsigned room = round & 1 ? 64 : 1 + got % 7;

			n = skyipc_wait(f.conn, rep, room, 1, LIMIT);
			assert_in_range(n, 1, room);
			for (int i = 0; i < n; i++, next++) {
				assert_int_equal(rep[i].result, 0);
				assert_int_equal(rep[i].status, 0);
				assert_int_equal(rep[i].op, OP_ECHO);
				assert_true(rep[i].tag == next);
				assert_true(rep[i].w[0] == next + 1);
				assert_true(rep[i].w[1] == next + 2);
				assert_int_equal(rep[i].len, 0);
			}
		}
		assert_int_equal(skyipc_poll(f.conn, rep, 64), -ENOENT);
		assert_int_equal(skyipc_wait(f.conn, rep, 64, 1, LIMIT),
				 -ENOENT);
	}
	fixture_down(&f);
}

/* A window that is never empty, around the ring many times. */
static void pipeline(void **state)
{
	struct skyipc_connect_attr cattr = { .size = sizeof(cattr),
					     .depth = 16 };
	uint64_t sent = 0, got = 0, total = 20000 / slowness;
	struct skyipc_msg rep[16];
	struct fixture f;
	int n;

	memset(rep, 0, sizeof(rep));
	fixture_up(&f, state, NULL, &cattr);
	while (got < total) {
		while (sent < total && sent - got < 16)
			assert_int_equal(submit(f.conn, OP_ECHO, sent++, 0), 0);
		n = skyipc_wait(f.conn, rep, 16, 1 + got % 3, LIMIT);
		assert_true(n > 0);
		for (int i = 0; i < n; i++, got++) {
			assert_true(rep[i].tag == got);
			assert_true(rep[i].w[0] == got + 1);
		}
	}
	fixture_down(&f);
}

static void buffers(void **state)
{
	struct skyipc_connect_attr cattr = { .size = sizeof(cattr),
					     .depth = 16,
					     .bufs = 4 };
	struct skyipc_msg rep[16], req = { .op = OP_ECHO };
	struct fixture f;
	size_t size;
	void *buf;

	memset(rep, 0, sizeof(rep));
	fixture_up(&f, state, NULL, &cattr);
	for (unsigned round = 0; round < 10; round++) {
		for (uint64_t i = 0; i < 4; i++)
			assert_int_equal(submit(f.conn, OP_ECHO, i, BUF - i),
					 0);
		/* No buffer is left: for nothing long, but for short ones. */
		assert_int_equal(submit(f.conn, OP_ECHO, 9, 1), -EAGAIN);
		assert_int_equal(skyipc_buffer(f.conn, &buf, &size), -EAGAIN);
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep[0], LIMIT),
				 -EAGAIN);
		assert_int_equal(submit(f.conn, OP_ECHO, 4, 0), 0);
		ask(f.conn, OP_ECHO, 0, 0);
		assert_int_equal(skyipc_wait(f.conn, rep, 16, 5, LIMIT), 5);
		/* All of them stay readable until the next use. */
		for (uint64_t i = 0; i < 4; i++) {
			assert_true(rep[i].tag == i);
			assert_int_equal(rep[i].len, BUF - i);
			assert_true(pattern_is(rep[i].data, BUF - i, i));
		}
		assert_int_equal(rep[4].len, 0);
	}
	/* Built in place, all of them, before the first is reaped */
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(skyipc_buffer(f.conn, &buf, &size), 0);
		pattern_fill(buf, size, i);
		req.op = OP_INPLACE;
		req.data = buf;
		req.len = size;
		req.tag = i;
		assert_int_equal(skyipc_submit(f.conn, &req), 0);
	}
	assert_int_equal(skyipc_wait(f.conn, rep, 4, 4, LIMIT), 4);
	for (uint64_t i = 0; i < 4; i++)
		assert_true(rep[i].len == BUF &&
			    pattern_is(rep[i].data, BUF, i));
	fixture_down(&f);
}

static void long_reply(void **state)
{
	struct skyipc_msg req = { .op = OP_OWN, .w = { 4096, 7 } };
	struct skyipc_msg rep[4];
	struct fixture f;

	memset(rep, 0, sizeof(rep));
	fixture_up(&f, state, NULL, NULL);
	assert_int_equal(skyipc_submit(f.conn, &req), 0);
	req.flags = SKYIPC_LONG_REPLY;
	assert_int_equal(skyipc_submit(f.conn, &req), 0);
	req.op = 12345;
	assert_int_equal(skyipc_submit(f.conn, &req), 0);
	req.op = OP_STATUS;
	req.w[0] = (uint64_t)-5;
	assert_int_equal(skyipc_submit(f.conn, &req), 0);
	assert_int_equal(skyipc_wait(f.conn, rep, 4, 4, LIMIT), 4);
	assert_int_equal(rep[0].result, -EMSGSIZE);
	assert_int_equal(rep[0].len, 0);
	assert_int_equal(rep[1].result, 0);
	assert_int_equal(rep[1].len, 4096);
	assert_int_equal(rep[1].flags, 0);
	assert_true(pattern_is(rep[1].data, 4096, 7));
	assert_int_equal(rep[2].result, 0); /* the handler knows no op. */
	assert_int_equal(rep[2].status, -ENOTSUP);
	assert_int_equal(rep[3].status, -5);
	fixture_down(&f);
}

static void errors(void **state)
{
	struct skyipc_op ops[] = { { NULL, NULL }, { test_handler, NULL } };
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .ops = ops,
					   .nops = 2 };
	struct skyipc_msg rep[2];
	struct fixture f;

	memset(rep, 0, sizeof(rep));
	fixture_up(&f, state, &attr, NULL);
	/* This thread has not done anything yet. */
	assert_int_equal(skyipc_poll(f.conn, rep, 2), -ENOENT);
	assert_int_equal(skyipc_wait(f.conn, rep, 2, 1, LIMIT), -ENOENT);
	assert_int_equal(submit(f.conn, 0, 1, 0), 0);
	assert_int_equal(submit(f.conn, OP_STATUS, 2, 0), 0);
	assert_int_equal(skyipc_wait(f.conn, rep, 2, 2, LIMIT), 2);
	assert_int_equal(rep[0].result, -ENOSYS);
	assert_true(rep[0].tag == 1);
	assert_int_equal(rep[1].result, 0);
	assert_int_equal(rep[1].status, 2);
	fixture_down(&f);
}

/* ---- limits ------------------------------------------------------------- */

static void waiting(void **state)
{
	struct skyipc_connect_attr cattr = { .size = sizeof(cattr),
					     .call_ns = 10000000 };
	const struct variant *v = *state;
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .mode = v->mode,
					   .handler = test_handler };
	const char *name = new_name();
	struct skyipc_server *server = server_here(name, &attr);
	struct skyipc_conn *conn = connect_to(name, &cattr);
	struct skyipc_msg rep[4];
	uint64_t t0;

	memset(rep, 0, sizeof(rep));
	/* Its channel, whose making may take longer than call_ns. */
	ask(conn, OP_ECHO, 0, 0);
	assert_int_equal(submit(conn, OP_ECHO, 1, 0), 0);
	assert_int_equal(submit(conn, OP_BLOCK, 2, 0), 0);
	assert_int_equal(submit(conn, OP_ECHO, 3, 0), 0);
	assert_true(WAIT_FOR(test_blocked() == 1));

	/* Time runs out after some; then without any. */
	assert_int_equal(skyipc_wait(conn, rep, 4, 3, SKYIPC_MS(10)), 1);
	assert_true(rep[0].tag == 1);
	t0 = time_ns();
	assert_int_equal(skyipc_wait(conn, rep, 4, 2, SKYIPC_MS(10)),
			 -ETIMEDOUT);
	assert_true(time_ns() - t0 >= 10000000);
	t0 = time_ns();
	assert_int_equal(skyipc_wait(conn, rep, 4, 1, SKYIPC_AT(t0 + 10000000)),
			 -ETIMEDOUT);
	assert_true(time_ns() - t0 >= 10000000);
	t0 = time_ns();
	assert_int_equal(skyipc_wait(conn, rep, 4, 1, SKYIPC_DEFAULT),
			 -ETIMEDOUT);
	assert_true(time_ns() - t0 >= 10000000);
	assert_int_equal(skyipc_poll(conn, rep, 4), 0);
	assert_int_equal(skyipc_wait(conn, rep, 4, 0, LIMIT), 0);
	assert_int_equal(skyipc_wait(conn, rep, 4, 1, SKYIPC_AT(0)),
			 -ETIMEDOUT);

	/* A synchronous call queues behind; it must not run after its time. */
	t0 = (uint64_t)test_counted();
	assert_int_equal(
		skyipc_call(conn, OP_COUNT, NULL, NULL, NULL, SKYIPC_MS(5)),
		-ETIMEDOUT);
	test_unblock(1);
	/* More than are outstanding are not waited for. */
	assert_int_equal(skyipc_wait(conn, rep, 4, 4, LIMIT), 2);
	assert_true(rep[0].tag == 2 && rep[0].w[0] == 1);
	assert_true(rep[1].tag == 3 && rep[1].w[0] == 4);
	assert_int_equal(skyipc_poll(conn, rep, 4), -ENOENT);
	ask(conn, OP_ECHO, 0, 0);
	assert_true((uint64_t)test_counted() == t0);
	skyipc_close(conn);
	skyipc_server_destroy(server);
}

/* Room for fewer than are asked for: min is what fits. */
static void little_room(void **state)
{
	struct skyipc_msg rep[2];
	struct fixture f;

	memset(rep, 0, sizeof(rep));
	fixture_up(&f, state, NULL, NULL);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(submit(f.conn, OP_ECHO, i, 0), 0);
	assert_int_equal(skyipc_wait(f.conn, rep, 2, 5, LIMIT), 2);
	assert_int_equal(skyipc_wait(f.conn, rep, 2, 2, LIMIT), 2);
	assert_true(rep[1].tag == 3);
	assert_true(WAIT_FOR(skyipc_poll(f.conn, rep, 2) != 0));
	assert_true(rep[0].tag == 4);
	assert_int_equal(skyipc_poll(f.conn, rep, 2), -ENOENT);
	fixture_down(&f);
}

/* Synchronous calls of all kinds in between. */
static void mixed(void **state)
{
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 };
	struct skyipc_msg reps[64];
	static char data[3000];
	uint64_t next = 0, sent = 0;
	struct fixture f;
	int n;

	memset(reps, 0, sizeof(reps));
	fixture_up(&f, state, NULL, NULL);
	for (unsigned round = 0; round < 500 / slowness; round++) {
		for (unsigned i = 0; i < round % 5; i++, sent++)
			assert_int_equal(
				submit(f.conn, OP_ECHO, sent, i & 1 ? 2000 : 0),
				0);
		assert_int_equal(ask(f.conn, OP_ECHO, round, 0), round + 1);
		pattern_fill(data, sizeof(data), round);
		req.data = data;
		req.len = sizeof(data);
		req.w[0] = round;
		assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
		assert_true(rep.w[0] == round + 1u);
		assert_int_equal(rep.len, sizeof(data));
		assert_true(pattern_is(rep.data, rep.len, round));
		/* The server works in order: they have all been answered. */
		n = skyipc_poll(f.conn, reps, 64);
		assert_int_equal(n,
				 sent == next ? -ENOENT : (int)(sent - next));
		for (int i = 0; i < n; i++, next++) {
			assert_true(reps[i].tag == next);
			assert_true(!reps[i].len ||
				    pattern_is(reps[i].data, 2000, next));
		}
	}
	fixture_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),       cmocka_unit_test(pipeline),
		cmocka_unit_test(buffers),     cmocka_unit_test(long_reply),
		cmocka_unit_test(errors),      cmocka_unit_test(waiting),
		cmocka_unit_test(little_room), cmocka_unit_test(mixed),
	};

	return run_variants("asynchronous calls", tests, ARRAY_LEN(tests),
			    BY_MODE);
}
