/* SPDX-License-Identifier: MIT */
/* Hostile clients: who ask, and do not fetch; who go, and keep what they had.
 */
#include "hostile.h"

#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

/* Has the server read all that we have sent? */
static int heard(int sock)
{
	int bytes;

	/* (The last message counts one byte while it is being freed.) */
	return !ioctl(sock, SIOCOUTQ, &bytes) && bytes < 64;
}

/* ---- descriptors on the way -----------------------------------------------
 */

static void ask_for_channels(struct raw *r, int n)
{
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_CHAN_OPEN);

	for (int i = 0; i < n; i++)
		assert_true(WAIT_FOR(!raw_send(r->sock, &msg, len, NULL, 0)));
	assert_true(WAIT_FOR(heard(r->sock)));
}

/* How many of @n answers are channels; the others name the quota. */
static int fetch_channels(struct raw *r, int n)
{
	union proto_msg msg;
	int fd, got = 0;

	while (n--) {
		assert_int_equal(raw_recv(r->sock, &msg, &fd),
				 proto_size(PROTO_CHAN));
		if (msg.answer.result) {
			assert_int_equal(msg.answer.result, -EDQUOT);
			assert_non_null(strstr(msg.answer.text,
					       "quota of descriptors"));
			continue;
		}
		assert_true(fd >= 0);
		close(fd);
		got++;
	}
	return got;
}

/* Bytes that have come, and wait for us */
static int unread(int sock)
{
	int bytes;

	return ioctl(sock, FIONREAD, &bytes) ? -1 : bytes;
}

/* Who always has something unread, but reads on, is no hoarder. */
static void test_one_behind(void **state)
{
	union proto_msg msg;
	size_t len;
	struct target t;
	struct raw r;
	uint64_t was;
	int fd;

	was = set_limit(RLIMIT_NOFILE, 600);
	target_up(&t, state, NULL);
	set_limit(RLIMIT_NOFILE, was);
	raw_open(&r, t.name);
	/* More than may be on the way (RLIMIT_NOFILE / 8, or what a message
	 * has)
	 */
	for (int i = 0; i < 2 * SKYIPC_MAX_FDS; i++) {
		len = raw_msg(&msg, PROTO_CHAN_OPEN);
		assert_int_equal(raw_send(r.sock, &msg, len, NULL, 0), 0);
		if (!i)
			continue;
		/* The one before has not been fetched when this one comes. */
		assert_true(WAIT_FOR(unread(r.sock) ==
				     2 * (int)proto_size(PROTO_CHAN)));
		assert_int_equal(raw_recv(r.sock, &msg, &fd),
				 proto_size(PROTO_CHAN));
		assert_int_equal(msg.answer.result, 0);
		close(fd);
	}
	raw_close(&r);
	target_down(&t);
}

/*
 * Whatever is sent and not read counts against what the server's user may have
 * on the way at all: one client must not have all of it.
 */
static void test_unread(void **state)
{
	enum { CONNS = 4, EACH = 90 };
	uint64_t was;
	struct raw r[CONNS];
	struct target t;
	int got, base;

	was = set_limit(RLIMIT_NOFILE, 600);
	target_up(&t, state, NULL);
	set_limit(RLIMIT_NOFILE, was);
	/* It is of the same user, whose quota this is. */
	child_kill(&t.honest);
	base = t.before.fds;
	for (int round = 0; round < 3; round++) {
		assert_true(WAIT_FOR(fds_open(t.server.pid) == base));
		for (int i = 0; i < CONNS; i++)
			raw_open(&r[i], t.name);
		for (int i = 0; i < CONNS; i++)
			ask_for_channels(&r[i], EACH);
		got = 0;
		for (int i = 0; i < CONNS; i++)
			got += fetch_channels(&r[i], EACH);
		assert_in_range(got, SKYIPC_MAX_FDS - CONNS, SKYIPC_MAX_FDS);
		/* They have been read: there may be more. */
		ask_for_channels(&r[0], EACH);
		assert_int_equal(fetch_channels(&r[0], EACH), EACH);
		/* Those that are never read are gone with the connection. */
		for (int i = 0; i < CONNS; i++) {
			ask_for_channels(&r[i], EACH);
			raw_close(&r[i]);
		}
	}
	honest_start(&t.honest, t.name);
	target_down(&t);
}

/* One whose answers do not find room in the socket is sent away. */
static void test_deaf(void **state)
{
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_CHAN_OPEN);
	struct pollfd pfd = { .events = POLLOUT };
	struct target t;
	struct raw r;
	int err;

	target_up(&t, state, NULL);
	child_kill(&t.honest);
	raw_open(&r, t.name);
	pfd.fd = r.sock;
	do {
		assert_int_equal(poll(&pfd, 1, (int)(LIMIT_MS * slowness)), 1);
		err = raw_send(r.sock, &msg, len, NULL, 0);
	} while (!err || err == -EAGAIN);
	assert_true(err == -EPIPE || err == -ECONNRESET);
	raw_close(&r);
	honest_start(&t.honest, t.name);
	target_down(&t);
}

static int ask_only(const char *name)
{
	struct pollfd pfd = { .fd = raw_socket(name), .events = POLLIN };
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_QUERY);

	assert_true(pfd.fd >= 0);
	assert_int_equal(raw_send(pfd.fd, &msg, len, NULL, 0), 0);
	assert_int_equal(poll(&pfd, 1, (int)(LIMIT_MS * slowness)), 1);
	return pfd.fd;
}

/* A question whose answer is not fetched remains a connection. */
static void test_lingering(void **state)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct skyipc_conn *conn;
	union proto_msg msg;
	int sock[3], fd;
	struct target t;

	attr.max_conns_per_uid = 3;
	target_up(&t, state, &attr);
	child_kill(&t.honest);
	for (int i = 0; i < 3; i++)
		assert_true(WAIT_FOR((sock[i] = ask_only(t.name)) >= 0));
	for (int i = 0; i < 3; i++)
		assert_int_equal(skyipc_connect(t.name, NULL, &conn), -EDQUOT);
	/* Fetched: there is room for one. */
	assert_int_equal(raw_recv(sock[0], &msg, &fd), proto_size(PROTO_INFO));
	assert_int_equal(msg.answer.result, 0);
	close(fd);
	assert_true(WAIT_FOR(!skyipc_connect(t.name, NULL, &conn)));
	skyipc_close(conn);
	/* Never to be fetched: two more. */
	close(sock[1]);
	close(sock[2]);
	for (int i = 1; i < 3; i++)
		assert_true(WAIT_FOR((sock[i] = ask_only(t.name)) >= 0));
	for (int i = 0; i < 3; i++)
		close(sock[i]);
	assert_true(WAIT_FOR(!skyipc_connect(t.name, NULL, &conn)));
	skyipc_close(conn);
	honest_start(&t.honest, t.name);
	target_down(&t);
}

/* ---- memory
 * ------------------------------------------------------------------ */

static uint64_t blocks(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks;
}

/*
 * Nobody is charged for the memory of a client that has gone: it must not be
 * able to keep it.
 */
static void test_kept_memory(void **state)
{
	struct target t;
	struct raw r;

	target_up(&t, state, NULL);
	raw_open(&r, t.name);
	raw_chan(&r);
	assert_true(blocks(r.mem_fd) > 0);
	close(r.sock);
	assert_true(WAIT_FOR(blocks(r.mem_fd) == 0));
	r.sock = -1;
	raw_close(&r);
	target_down(&t);
}

/* But a server that stops leaves its clients what they have been told. */
static void test_left_memory(void **state)
{
	struct target t;
	struct raw r;
	uint64_t pos, had;

	target_up(&t, state, NULL);
	assert_int_equal(child_end(&t.honest), 0);
	raw_open(&r, t.name);
	raw_chan(&r);
	pos = raw_put(&r, OP_ECHO, 0, 0);
	assert_true(raw_reply(&r, pos) != 0);
	had = blocks(r.mem_fd);
	assert_int_equal(child_end(&t.server), 0);
	assert_int_equal(blocks(r.mem_fd), had);
	raw_close(&r);
}

/* ---- large buffers ---------------------------------------------------------
 */

/* What there is to do, without waiting for more. */
static void step(struct skyipc_server *server)
{
	assert_true(skyipc_server_dispatch(server, SKYIPC_NS(1)) >= 0);
}

/* As a client that asks for so much that it takes a while: 64 MiB. */
static void open_large(struct raw *r, struct skyipc_server *server,
		       const char *name)
{
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_HELLO);

	memset(r, 0, sizeof(*r));
	r->mem_fd = -1;
	msg.hello.buf_size = 16 << 20;
	r->sock = raw_socket(name);
	assert_true(r->sock >= 0);
	raw_send(r->sock, &msg, len, NULL, 0);
	assert_true(WAIT_FOR((step(server), heard(r->sock))));
	assert_true(raw_recv(r->sock, &msg, &r->bell) > 0);
	len = raw_msg(&msg, PROTO_CHAN_OPEN);
	raw_send(r->sock, &msg, len, NULL, 0);
	assert_true(WAIT_FOR((step(server), heard(r->sock))));
	assert_true(raw_recv(r->sock, &msg, &r->mem_fd) > 0);
	assert_int_equal(msg.answer.result, 0);
	r->chan = msg.answer.chan;
}

static int has_answer(int sock)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

static void ask_bufs(struct raw *r)
{
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_BUFS_OPEN);

	msg.bufs_open.chan = r->chan;
	assert_int_equal(raw_send(r->sock, &msg, len, NULL, 0), 0);
}

static void nothing(int sig)
{
	(void)sig;
}

/*
 * Making them does not keep others waiting, and is not kept from its end by
 * signals, even where the server has no thread of its own for it.
 */
static void test_large_buffers(void **state)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { 0 };
	struct sigaction sa = { .sa_handler = nothing }, was;
	const char *name = new_name();
	struct skyipc_server *server;
	union proto_msg msg;
	struct raw r, dead;
	int sock, fd, steps;

	(void)state;
	attr.handler = test_handler;
	assert_int_equal(skyipc_server_create(name, &attr, &server), 0);
	assert_true(skyipc_server_fd(server) >= 0);
	open_large(&r, server, name);

	/* Somebody comes while they are being made. */
	ask_bufs(&r);
	step(server);
	assert_false(has_answer(r.sock));
	sock = raw_socket(name);
	assert_int_equal(
		raw_send(sock, &msg, raw_msg(&msg, PROTO_HELLO), NULL, 0), 0);
	for (steps = 0; !has_answer(sock) && steps < 4; steps++)
		step(server);
	assert_true(has_answer(sock));
	assert_false(has_answer(r.sock));
	close(sock);

	/* The same question again, for what is being made */
	ask_bufs(&r);
	assert_true(WAIT_FOR((step(server), has_answer(r.sock))));
	raw_recv(r.sock, &msg, &fd);
	assert_int_equal(msg.answer.result, -EINVAL);
	assert_int_equal(fd, -1);

	/* Signals all the time */
	assert_int_equal(sigaction(SIGALRM, &sa, &was), 0);
	setitimer(ITIMER_REAL, &often, NULL);
	assert_true(WAIT_FOR((step(server), has_answer(r.sock))));
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &was, NULL);
	assert_int_equal(raw_recv(r.sock, &msg, &fd), proto_size(PROTO_BUFS));
	assert_int_equal(msg.answer.result, 0);
	assert_int_equal(blocks(fd) * 512, bufs_bytes(RAW_BUFS, 16 << 20));
	close(fd);

	/* One that dies meanwhile, one that is there when the server stops */
	open_large(&dead, server, name);
	ask_bufs(&dead);
	step(server);
	raw_close(&dead);
	open_large(&dead, server, name);
	ask_bufs(&dead);
	step(server);
	assert_int_equal(skyipc_server_stop(server, LIMIT), 0);
	skyipc_server_destroy(server);
	raw_close(&dead);
	raw_close(&r);
}

const struct CMUnitTest hoard_tests[] = {
	cmocka_unit_test(test_unread),
	cmocka_unit_test(test_one_behind),
	cmocka_unit_test(test_deaf),
	cmocka_unit_test(test_lingering),
	cmocka_unit_test(test_kept_memory),
	cmocka_unit_test(test_left_memory),
	cmocka_unit_test(test_large_buffers),
};
const size_t nhoard_tests = ARRAY_LEN(hoard_tests);
