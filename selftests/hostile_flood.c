/* SPDX-License-Identifier: MIT */
/* Hostile clients: too many of everything, and too slowly. */
#include "hostile.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Other users need to get at the name. */
static int as_user(uid_t uid)
{
	return setgid(uid) || setuid(uid) ? -errno : 0;
}

static void open_to_all(int open)
{
	const char *dir = getenv("SKYIPC_DIR");

	/* By its path: a name needs the directory to be private. */
	assert_int_equal(chmod(dir, open ? 0711 : 0700), 0);
	target_path[0] = '\0';
	if (open)
		snprintf(target_path, sizeof(target_path), "%s/open.sock", dir);
}

static void test_silent(void **state)
{
	enum { N = 500 };
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	static int socks[N];
	struct target t;
	uint64_t t0;

	attr.handshake_ns = 300000000u * slowness;
	target_up(&t, state, &attr);
	t0 = time_ns();
	for (int i = 0; i < N; i++) {
		socks[i] = raw_socket(t.name);
		assert_true(socks[i] >= 0);
	}
	honest_goes_on(&t.honest);
	for (int i = 0; i < N; i++) {
		assert_true(raw_dropped(socks[i]));
		close(socks[i]);
	}
	/* Not before their time, and not long after. */
	assert_true(time_ns() - t0 >= attr.handshake_ns);
	assert_true(time_ns() - t0 < UINT64_C(5000000000) * slowness);
	target_down(&t);
}

static void test_storm(void **state)
{
	struct target t;
	union proto_msg msg;

	target_up(&t, state, NULL);
	for (int i = 0; i < 3000; i++) {
		int sock = raw_socket(t.name);

		assert_true(sock >= 0);
		if (i % 3) {
			size_t len = raw_msg(&msg, i % 3 == 1 ? PROTO_HELLO
							      : PROTO_QUERY);

			raw_send(sock, &msg, len, NULL, 0);
		}
		if (i % 5 == 0)
			shutdown(sock, SHUT_WR);
		close(sock);
	}
	target_down(&t);
}

/* Channels until the quota says so, in words. */
static void test_channel_flood(void **state)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	union proto_msg msg;
	struct target t;
	struct raw r;
	int fd, n = 0;

	attr.max_mem_per_uid = 4 << 20;
	target_up(&t, state, &attr);
	/* It is of the same user, whose quota this is. */
	child_kill(&t.honest);
	raw_open(&r, t.name);
	do {
		size_t len = raw_msg(&msg, PROTO_CHAN_OPEN);

		assert_int_equal(raw_send(r.sock, &msg, len, NULL, 0), 0);
		assert_int_equal(raw_recv(r.sock, &msg, &fd),
				 proto_size(PROTO_CHAN));
		if (fd >= 0)
			close(fd);
	} while (!msg.answer.result && ++n < 10000);
	assert_int_equal(msg.answer.result, -EDQUOT);
	assert_non_null(strstr(msg.answer.text, "max_mem_per_uid"));
	assert_true(n > 100);
	raw_close(&r);
	honest_start(&t.honest, t.name);
	target_down(&t);
}

/* ---- half-open connections of one user ---------------------------------- */

struct flood {
	const char *name;
	int max;
};

static int flood_as_a(struct child *me, void *arg)
{
	const struct flood *f = arg;
	int refused = 0;

	if (as_user(UID_A))
		return 77;
	for (int i = 0; i < 2 * f->max; i++) {
		int sock = raw_socket(f->name), fd;
		struct pollfd pfd = { .fd = sock, .events = POLLIN };
		union proto_msg msg;

		/* Those above the limit hear of it at once. */
		if (i >= f->max && poll(&pfd, 1, (int)LIMIT_MS) == 1 &&
		    raw_recv(sock, &msg, &fd) > 0 &&
		    msg.answer.result == -EDQUOT &&
		    strstr(msg.answer.text, "max_conns_per_uid"))
			refused++;
	}
	child_say(me, refused);
	child_await_end(me);
	return 0;
}

static int call_as_b(struct child *me, void *arg)
{
	struct skyipc_conn *conn;
	int err;

	(void)me;
	if (as_user(UID_B))
		return 77;
	err = skyipc_connect(arg, NULL, &conn);
	if (err) {
		fprintf(stderr, "# %s\n", skyipc_errmsg());
		return 1;
	}
	err = skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT);
	skyipc_close(conn);
	return err != 0;
}

static void test_half_open(void **state)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct flood f = { .max = 64 };
	struct child a, b;
	struct target t;

	if (getuid())
		skip();
	open_to_all(1);
	attr.max_conns_per_uid = (uint32_t)f.max;
	attr.sock_mode = SKYIPC_SOCK_MODE(0666);
	target_up(&t, state, &attr);
	f.name = t.name;
	child_start(&a, flood_as_a, &f);
	assert_int_equal(child_hear(&a), f.max);
	child_start(&b, call_as_b, (void *)t.name);
	assert_int_equal(child_end(&b), 0);
	honest_goes_on(&t.honest);
	assert_int_equal(child_end(&a), 0);
	target_down(&t);
	open_to_all(0);
}

/* ---- no descriptor left ------------------------------------------------- */

static void test_server_without_fds(void **state)
{
	enum { N = 60 };
	uint64_t was;
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct skyipc_conn *conns[N];
	struct footprint before;
	struct child server;
	const char *name = new_name();
	int n, err = 0;

	(void)state;
	attr.handler = test_handler;
	was = set_limit(RLIMIT_NOFILE, (uint64_t)fds_open(getpid()) + 40);
	server_spawn(&server, name, &attr);
	set_limit(RLIMIT_NOFILE, was);
	before = footprint_of(server.pid);
	for (int round = 0; round < 3; round++) {
		for (n = 0; n < N; n++) {
			err = skyipc_connect(name, NULL, &conns[n]);
			if (err)
				break;
		}
		assert_int_equal(err, -EMFILE);
		assert_true(n > 5);
		assert_true(strlen(skyipc_errmsg()) > 0);
		/* Those that are in go on, though new channels may not be. */
		for (int i = 0; i < n; i++) {
			err = skyipc_call(conns[i], OP_ECHO, NULL, NULL, NULL,
					  LIMIT);
			if (err && err != -EMFILE)
				fail_msg("connection %d: %d", i, err);
			skyipc_close(conns[i]);
		}
		footprint_is(server.pid, &before, "after EMFILE");
	}
	assert_int_equal(skyipc_connect(name, NULL, &conns[0]), 0);
	assert_int_equal(ask(conns[0], OP_ECHO, 1, 0), 2);
	skyipc_close(conns[0]);
	assert_int_equal(child_end(&server), 0);
}

/* ---- somebody keeps a worker busy --------------------------------------- */

static int busy_client(struct child *me, void *arg)
{
	struct raw r;
	struct pollfd pfd = { .fd = me->from, .events = POLLIN };
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_BUFS_OPEN);
	uint64_t pos, head;

	raw_open(&r, arg);
	raw_chan(&r);
	child_say(me, 0);
	/* Requests that promise descriptors, and messages that are none. */
	pos = raw_put(&r, OP_ECHO, CALL_FDS, 0);
	raw_ring(&r);
	while (!poll(&pfd, 1, 0)) {
		for (int i = 0; i < 64; i++)
			raw_send(r.sock, &msg, len, NULL, 0);
		/* Its answers are taken, so that the server has room. */
		while (recv(r.sock, &msg, sizeof(msg), MSG_DONTWAIT) > 0)
			;
		raw_msg(&msg, PROTO_BUFS_OPEN);
		if (shm_ready(&r.rep[pos % RAW_DEPTH], pos, &head)) {
			pos = raw_put(&r, OP_ECHO, CALL_FDS, 0);
			raw_ring(&r);
		}
	}
	raw_close(&r);
	return 0;
}

static void test_busy_socket(void **state)
{
	struct target t;
	struct child c[2];

	target_up(&t, state, NULL);
	for (int i = 0; i < 2; i++) {
		child_start(&c[i], busy_client, (void *)t.name);
		child_hear(&c[i]);
	}
	for (int i = 0; i < 5; i++)
		honest_goes_on(&t.honest);
	for (int i = 0; i < 2; i++)
		assert_int_equal(child_end(&c[i]), 0);
	target_down(&t);
}

/* A client whose queue is never empty; it ends when the server does. */
static int endless_client(struct child *me, void *arg)
{
	struct skyipc_msg msgs[64], req = { .op = OP_ECHO };
	struct skyipc_conn *conn;
	int said = 0;

	CHECK(!skyipc_connect(arg, NULL, &conn));
	for (;;) {
		int err;

		while (!(err = skyipc_submit(conn, &req)))
			;
		if (err != -EAGAIN)
			break;
		if (!said++)
			child_say(me, 0);
		memset(msgs, 0, sizeof(msgs));
		if (skyipc_poll(conn, msgs, ARRAY_LEN(msgs)) < 0)
			break;
	}
	skyipc_close(conn);
	return 0;
}

/* Stopping does not wait until clients get tired. */
static void test_stop_under_load(void **state)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	const char *name = new_name();
	struct skyipc_server *server;
	struct child c[2];
	uint64_t t0;

	(void)state;
	attr.handler = test_handler;
	server = server_here(name, &attr);
	for (int i = 0; i < 2; i++) {
		child_start(&c[i], endless_client, (void *)name);
		child_hear(&c[i]);
	}
	t0 = time_ns();
	assert_int_equal(skyipc_server_stop(server, LIMIT), 0);
	assert_true(time_ns() - t0 < UINT64_C(2000000000) * slowness);
	skyipc_server_destroy(server);
	for (int i = 0; i < 2; i++)
		assert_int_equal(child_end(&c[i]), 0);
}

/* Nor does dispatching, and what is left over is not forgotten. */
static void test_dispatch_under_load(void **state)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	const char *name = new_name();
	struct skyipc_server *server;
	struct pollfd pfd = { .events = POLLIN };
	uint64_t t0, slowest = 0;
	struct child c;

	(void)state;
	attr.handler = test_handler;
	assert_int_equal(skyipc_server_create(name, &attr, &server), 0);
	pfd.fd = skyipc_server_fd(server);
	assert_true(pfd.fd >= 0);
	child_start(&c, endless_client, (void *)name);
	t0 = time_ns();
	while (time_ns() - t0 < 500000000) {
		uint64_t t1;

		/* As an event loop does it. */
		if (poll(&pfd, 1, (int)(2000 * slowness)) != 1)
			fail_msg("requests, but nothing to be polled");
		t1 = time_ns();
		assert_true(skyipc_server_dispatch(server, SKYIPC_NS(1)) >= 0);
		t1 = time_ns() - t1;
		slowest = t1 > slowest ? t1 : slowest;
	}
	if (slowest > UINT64_C(300000000) * slowness)
		fail_msg("dispatch took %u ms", (unsigned)(slowest / 1000000));
	skyipc_server_destroy(server);
	assert_int_equal(child_end(&c), 0);
}

const struct CMUnitTest flood_tests[] = {
	cmocka_unit_test(test_silent),
	cmocka_unit_test(test_storm),
	cmocka_unit_test(test_channel_flood),
	cmocka_unit_test(test_half_open),
	cmocka_unit_test(test_server_without_fds),
	cmocka_unit_test(test_busy_socket),
	cmocka_unit_test(test_stop_under_load),
	cmocka_unit_test(test_dispatch_under_load),
};
const size_t nflood_tests = ARRAY_LEN(flood_tests);
