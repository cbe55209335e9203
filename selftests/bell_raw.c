/* SPDX-License-Identifier: MIT */
/* Ringing over the socket, with one side that speaks the protocol by hand. */
#include "bell.h"
#include "hostile.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- a server that does not read ---------------------------------------- */

#define DEPTH 4096u

static void path_of(const char *name, struct sockaddr_un *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%s.sock",
		 getenv("SKYIPC_DIR"), name);
}

/* Welcomes one client, gives it one channel, and does nothing any more. */
static int deaf(struct child *me, void *arg)
{
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), sock, fd;
	struct sockaddr_un addr;
	union proto_msg msg, hello;
	size_t len;

	path_of(arg, &addr);
	CHECK(!bind(s, (void *)&addr, sizeof(addr)) && !listen(s, 1));
	child_say(me, 0);
	sock = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	CHECK(raw_recv(sock, &hello, &fd) == sizeof(hello.hello));
	CHECK(hello.hello.flags == PROTO_HELLO_RING);
	len = proto_init(&msg, PROTO_WELCOME);
	strcpy(msg.welcome.transport, "shm");
	msg.welcome.depth = hello.hello.depth;
	msg.welcome.bufs = hello.hello.bufs;
	msg.welcome.buf_size = hello.hello.buf_size;
	CHECK(!raw_send(sock, &msg, len, NULL, 0));
	CHECK(raw_recv(sock, &msg, &fd) == sizeof(msg.chan_open));
	fd = memfd_create("skyipc-deaf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CHECK(fd >= 0 && !ftruncate(fd, (off_t)shm_chan_size(DEPTH)));
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	len = proto_init(&msg, PROTO_CHAN);
	CHECK(!raw_send(sock, &msg, len, &fd, 1));
	child_await_end(me);
	return 0;
}

/* Whatever the server does, this is far beyond any limit given here. */
#define SLEPT_NS (UINT64_C(5000000000) * slowness)

/* What @expr evaluates to, which may not take long. */
#define SOON(expr)                                                             \
	({                                                                     \
		uint64_t t0_ = time_ns();                                      \
		int ret_ = (expr);                                             \
		if (time_ns() - t0_ > SLEPT_NS)                                \
			fail_msg("%s has slept", #expr);                       \
		ret_;                                                          \
	})

/* A thread's first call, which asks for a channel. */
static void *first_call(void *arg)
{
	CHECK(skyipc_call(arg, 1, NULL, NULL, NULL, SKYIPC_MS(2)) ==
	      -ETIMEDOUT);
	return NULL;
}

static void never_read(uint64_t spin_ns)
{
	struct skyipc_connect_attr attr = { .size = sizeof(attr),
					    /* also of sends that wait */
					    .timeout_ns = 3 * SLEPT_NS,
					    .call_ns = LIMIT * slowness,
					    .depth = DEPTH,
					    .spin_ns = spin_ns };
	struct skyipc_msg req = { .op = 1 }, rep = { .op = 0 };
	int fd = 0, least = 1, late = 0, full = 0, err;
	const char *name = new_name();
	struct skyipc_conn *conn;
	struct sockaddr_un addr;
	struct shm_chan *ch;
	union proto_msg msg;
	pthread_t thread;
	struct child c;
	size_t len;

	child_start(&c, deaf, (void *)name);
	child_hear(&c);
	assert_int_equal(skyipc_connect(name, &attr, &conn), 0);
	assert_int_equal(conn->bell, -1);
	/* Little fills it, whatever the machine's default is. */
	assert_int_equal(setsockopt(conn->sock, SOL_SOCKET, SO_SNDBUF, &least,
				    sizeof(least)),
			 0);
	/* For a channel there is time; for what comes after it, little. */
	assert_int_equal(skyipc_submit(conn, &req), 0);
	conn->call_ns = SKYIPC_MS(2);
	ch = mine(conn);
	for (unsigned i = 0; i < DEPTH + 1000; i++) {
		/* It lies in the server's memory: it asks for every ring. */
		atomic_store(&ch->head->server.park, SHM_PARKED);
		if (i % 16)
			err = SOON(skyipc_call(conn, 1, NULL, NULL, NULL,
					       SKYIPC_US(1)));
		else if (i % 32)
			err = SOON(skyipc_call(conn, 1, NULL, NULL, NULL,
					       SKYIPC_MS(2)));
		else
			err = SOON(skyipc_submit(conn, &req));
		late += err == -ETIMEDOUT || !err;
		full += err == -EAGAIN;
		if (i == 1000) { /* what needs the socket waits for it */
			req.nfds = 1;
			req.fds = &fd;
			assert_int_equal(SOON(skyipc_submit(conn, &req)),
					 -ETIMEDOUT);
			req.nfds = 0;
			assert_int_equal(SOON(skyipc_call_msg(conn, &req, &rep,
							      SKYIPC_MS(2))),
					 -ETIMEDOUT);
			assert_int_equal(
				pthread_create(&thread, NULL, first_call, conn),
				0);
			assert_int_equal(SOON(pthread_join(thread, NULL)), 0);
		}
	}
	/* (The first one submitted has a place, too.) */
	assert_int_equal(late, DEPTH - 1);
	assert_int_equal(full, 1000 + 1);
	/* All that while there was no room for a ring. */
	len = proto_init(&msg, PROTO_RING);
	assert_int_equal(raw_send(conn->sock, &msg, len, NULL, 0), -EAGAIN);
	/* That it has died is noticed all the same. */
	child_kill(&c);
	assert_true(WAIT_FOR(SOON(skyipc_call(conn, 1, NULL, NULL, NULL,
					      SKYIPC_US(1))) == -EPIPE));
	skyipc_close(conn);
	path_of(name, &addr);
	assert_int_equal(unlink(addr.sun_path), 0);
}

static void full_socket(void **state)
{
	(void)state;
	never_read(0);
	never_read(1); /* parks at once */
}

/* ---- a client by hand --------------------------------------------------- */

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
	.mode = SKYIPC_BLOCKING, /* who is not rung for does not serve */
};

static int say(int sock, unsigned type)
{
	union proto_msg msg;
	size_t len = raw_msg(&msg, type);

	return raw_send(sock, &msg, len, NULL, 0);
}

/* HELLO with @flags: what WELCOME says. */
static int hello_with(struct raw *r, const char *name, uint32_t flags)
{
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_HELLO);

	memset(r, 0, sizeof(*r));
	r->sock = raw_socket(name);
	assert_true(r->sock >= 0);
	msg.hello.flags = flags;
	assert_int_equal(raw_send(r->sock, &msg, len, NULL, 0), 0);
	assert_int_equal(raw_recv(r->sock, &msg, &r->bell),
			 proto_size(PROTO_WELCOME));
	assert_int_equal(msg.head.type, PROTO_WELCOME);
	assert_int_equal(r->bell, -1);
	if (msg.answer.result)
		assert_true(msg.answer.text[0]);
	return msg.answer.result;
}

/* Nothing is left of those that have been dropped. */
static void alone(const char *name, struct child *c)
{
	struct skyipc_server_info info;

	assert_true(WAIT_FOR((query_of(name, &info), info.stats.conns == 0)));
	assert_int_equal(child_end(c), 0);
}

/* Whoever has an eventfd uses it. */
static void ring_not_asked(void **state)
{
	const char *name = new_name();
	struct child c;
	struct raw r;
	int sock;

	(void)state;
	server_spawn(&c, name, &plain);
	/* before HELLO */
	sock = raw_socket(name);
	assert_true(sock >= 0);
	assert_int_equal(say(sock, PROTO_RING), 0);
	assert_true(raw_dropped(sock));
	close(sock);
	for (int used = 0; used < 2; used++) {
		raw_open(&r, name);
		if (used) {
			raw_chan(&r);
			assert_true(raw_reply(&r, raw_put(&r, OP_ECHO, 0, 0)));
		}
		assert_int_equal(say(r.sock, PROTO_RING), 0);
		assert_true(raw_dropped(r.sock));
		raw_close(&r);
	}
	alone(name, &c);
}

static void flags_unknown(void **state)
{
	static const uint32_t flags[] = { 0x2, 0x3, 0x80000000, UINT32_MAX };
	const char *name = new_name();
	struct child c;
	struct raw r;

	(void)state;
	server_spawn(&c, name, &plain);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		assert_int_equal(hello_with(&r, name, flags[i]), -EINVAL);
		assert_true(raw_dropped(r.sock));
		close(r.sock);
	}
	alone(name, &c);
}

static void ring_asked(void **state)
{
	const char *name = new_name();
	struct child c;
	struct raw r;
	uint64_t pos, head;

	(void)state;
	server_spawn(&c, name, &plain);
	assert_int_equal(hello_with(&r, name, PROTO_HELLO_RING), 0);
	raw_chan(&r);
	for (int i = 0; i < 100; i++) {
		/* It has been told nothing, so it sleeps, or will. */
		assert_true(WAIT_FOR(atomic_load(&r.head->server.park) ==
				     SHM_PARKED));
		pos = raw_put(&r, OP_ECHO, 0, 0);
		atomic_store(&r.head->server.park, SHM_AWAKE);
		assert_int_equal(say(r.sock, PROTO_RING), 0);
		assert_true(WAIT_FOR(
			shm_ready(&r.rep[pos % RAW_DEPTH], pos, &head)));
	}
	raw_close(&r);
	alone(name, &c);
}

const struct CMUnitTest bell_raw_tests[] = {
	cmocka_unit_test(full_socket),
	cmocka_unit_test(ring_not_asked),
	cmocka_unit_test(flags_unknown),
	cmocka_unit_test(ring_asked),
};
const size_t nbell_raw_tests = ARRAY_LEN(bell_raw_tests);
