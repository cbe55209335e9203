/* SPDX-License-Identifier: MIT */
/* Hostile clients: what they say on the socket. */
#include "hostile.h"

#include <fcntl.h>
#include <sys/resource.h>

/* Send it on a new connection, or after hello; the server must hang up. */
static void bad(struct target *t, int opened, const void *msg, size_t len,
		unsigned nfds, const char *what)
{
	static const int fds[SKYIPC_MAX_FDS]; /* stdin, 253 times */
	struct raw r = { .bell = -1 };

	if (opened)
		raw_open(&r, t->name);
	else
		r.sock = raw_socket(t->name);
	assert_true(r.sock >= 0);
	assert_int_equal(raw_send(r.sock, msg, len, fds, nfds), 0);
	if (!raw_dropped(r.sock))
		fail_msg("%s is taken (opened: %d)", what, opened);
	if (r.bell >= 0)
		close(r.bell);
	close(r.sock);
}

static void test_malformed(void **state)
{
	struct target t;
	union proto_msg msg;
	char big[4096] = { 0 };

	target_up(&t, state, NULL);
	for (int opened = 0; opened < 2; opened++) {
		for (unsigned type = 0; type < 12; type++) {
			size_t len = raw_msg(&msg, type);
			int known =
				type >= PROTO_HELLO && type <= PROTO_BUFS_OPEN;

			if (!len)
				len = sizeof(msg.head);
			if (!known ||
			    (opened ? type <= PROTO_QUERY : type > PROTO_QUERY))
				bad(&t, opened, &msg, len, 0, "a wrong type");
			bad(&t, opened, &msg, len, 1, "a descriptor");
			bad(&t, opened, &msg, len, SKYIPC_MAX_FDS,
			    "descriptors");
			msg.head.version++;
			bad(&t, opened, &msg, len, 0, "another version");
			msg.head.version--;
			msg.head.magic ^= 1;
			bad(&t, opened, &msg, len, 0, "another magic");
			msg.head.magic ^= 1;
			for (size_t n = 0; n < len; n++)
				bad(&t, opened, &msg, n, 0, "a short message");
			memcpy(big, &msg, len);
			bad(&t, opened, big, len + 1, 0, "a longer message");
			bad(&t, opened, big, sizeof(msg) + 1, 0, "too long");
			bad(&t, opened, big, sizeof(big), 2, "far too long");
		}
		honest_goes_on(&t.honest);
	}
	target_down(&t);
}

static void test_sizes(void **state)
{
	static const struct {
		uint32_t depth, bufs;
		uint64_t buf_size;
	} bads[] = {
		{ 0, 1, 4096 },
		{ 1, 1, 4096 },
		{ 3, 1, 4096 },
		{ UINT32_MAX, 1, 4096 },
		{ 1u << 31, 1, 4096 },
		{ 8192, 1, 4096 },
		{ 8, 0, 4096 },
		{ 8, 9, 4096 },
		{ 8, UINT32_MAX, 4096 },
		{ 8, 1, 0 },
		{ 8, 1, 1 },
		{ 8, 1, 4095 },
		{ 8, 1, UINT64_MAX },
		{ 8, 1, UINT64_MAX - 4095 },
		{ 8, 1, UINT64_C(1) << 32 },
		{ 8, 1, UINT64_C(1) << 63 },
	};
	struct target t;
	union proto_msg msg;
	int fd;

	target_up(&t, state, NULL);
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		size_t len = raw_msg(&msg, PROTO_HELLO);
		int sock = raw_socket(t.name);

		msg.hello.depth = bads[i].depth;
		msg.hello.bufs = bads[i].bufs;
		msg.hello.buf_size = bads[i].buf_size;
		memset(msg.hello.transport, i & 1 ? 'x' : 0,
		       sizeof(msg.hello.transport));
		assert_int_equal(raw_send(sock, &msg, len, NULL, 0), 0);
		assert_int_equal(raw_recv(sock, &msg, &fd),
				 proto_size(PROTO_WELCOME));
		assert_int_equal(fd, -1);
		assert_true(msg.answer.result < 0);
		assert_true(raw_dropped(sock));
		close(sock);
	}
	target_down(&t);
}

static void fds_message(union proto_msg *msg, uint32_t chan, uint32_t count,
			uint64_t pos)
{
	raw_msg(msg, PROTO_FDS);
	msg->fds.chan = chan;
	msg->fds.count = count;
	msg->fds.pos = pos;
}

static void test_fds_lies(void **state)
{
	static const int fds[4];
	static const struct {
		uint32_t chan, count;
		unsigned sent;
	} lies[] = {
		{ 0, 3, 2 }, { 0, 2, 3 },	   { 0, UINT32_MAX, 1 },
		{ 0, 0, 1 }, { 0, 1, 0 },	   { 0, 0, 0 },
		{ 7, 1, 1 }, { UINT32_MAX, 1, 1 }, { 1, 2, 2 },
	};
	struct target t;
	union proto_msg msg;
	struct raw r;

	target_up(&t, state, NULL);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		raw_open(&r, t.name);
		raw_chan(&r);
		fds_message(&msg, lies[i].chan, lies[i].count, 0);
		assert_int_equal(raw_send(r.sock, &msg, sizeof(msg.fds), fds,
					  lies[i].sent),
				 0);
		if (!raw_dropped(r.sock))
			fail_msg("lie %zu is believed", i);
		raw_close(&r);
	}
	/* For another position: the request itself gets an error. */
	raw_open(&r, t.name);
	raw_chan(&r);
	fds_message(&msg, 0, 2, 77);
	assert_int_equal(raw_send(r.sock, &msg, sizeof(msg.fds), fds, 2), 0);
	assert_true(shm_head_flags(raw_reply(
			    &r, raw_put(&r, OP_FDS_IN, CALL_FDS, 0))) &
		    CALL_ERROR);
	raw_close(&r);
	target_down(&t);
}

static void test_fd_flood(void **state)
{
	static const int fds[SKYIPC_MAX_FDS];
	uint64_t was;
	struct target t;
	union proto_msg msg;
	struct raw r;

	was = set_limit(RLIMIT_NOFILE, 4096);
	target_up(&t, state, NULL);
	set_limit(RLIMIT_NOFILE, was);
	for (int round = 0; round < 4; round++) {
		int err = 0;

		raw_open(&r, t.name);
		raw_chan(&r);
		/* Never asked for; in the end the sender is told or dropped. */
		for (uint64_t i = 0; i < 300 && (!err || err == -EAGAIN); i++) {
			fds_message(&msg, 0, SKYIPC_MAX_FDS, i + 100);
			err = raw_send(r.sock, &msg, sizeof(msg.fds), fds,
				       SKYIPC_MAX_FDS);
		}
		/* Bounded, whatever has been sent. */
		assert_true(fds_open(t.server.pid) < 1000);
		honest_goes_on(&t.honest);
		raw_close(&r);
	}
	target_down(&t);
}

/* Messages that need little of us and should need little of the server. */
static void test_message_flood(void **state)
{
	static const unsigned types[] = { PROTO_QUERY, PROTO_CHAN_OPEN,
					  PROTO_BUFS_OPEN, PROTO_FDS };
	struct target t;
	union proto_msg msg;
	struct raw r;

	target_up(&t, state, NULL);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		int err = 0;

		memset(&r, 0, sizeof(r));
		if (types[i] == PROTO_QUERY)
			r.sock = raw_socket(t.name);
		else
			raw_open(&r, t.name);
		for (int n = 0; n < 3000 && err != -EPIPE; n++) {
			size_t len = raw_msg(&msg, types[i]);

			err = raw_send(r.sock, &msg, len, NULL, 0);
			assert_true(!err || err == -EAGAIN || err == -EPIPE ||
				    err == -ECONNRESET);
			if (err == -ECONNRESET)
				break;
		}
		honest_goes_on(&t.honest);
		if (r.bell)
			close(r.bell);
		close(r.sock);
	}
	target_down(&t);
}

static void test_bufs(void **state)
{
	struct target t;
	struct raw r;

	target_up(&t, state, NULL);
	raw_open(&r, t.name);
	raw_chan(&r);
	assert_int_equal(raw_bufs(&r, 1), -EINVAL);
	assert_int_equal(raw_bufs(&r, UINT32_MAX), -EINVAL);
	assert_int_equal(raw_bufs(&r, 0), 0);
	assert_int_equal(raw_bufs(&r, 0), -EINVAL);
	raw_close(&r);
	target_down(&t);
}

const struct CMUnitTest message_tests[] = {
	cmocka_unit_test(test_malformed),     cmocka_unit_test(test_sizes),
	cmocka_unit_test(test_fds_lies),      cmocka_unit_test(test_fd_flood),
	cmocka_unit_test(test_message_flood), cmocka_unit_test(test_bufs),
};
const size_t nmessage_tests = ARRAY_LEN(message_tests);
