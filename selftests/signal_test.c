/* SPDX-License-Identifier: MIT */
/* signal_test.c - signals that interrupt everything, and cancellation */
#include "testlib.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "memfd.h"

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

/* ---- a storm ------------------------------------------------------------ */

static _Atomic int alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* SIGALRM every @us; system calls are not restarted. */
static void storm(unsigned us)
{
	struct itimerval it = { { 0, us }, { 0, us } };
	struct sigaction sa = { .sa_handler = on_alarm };

	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
}

static void calls_in_storm(struct skyipc_conn *conn, unsigned n)
{
	static __thread char data[60000];
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 }, reps[4];
	int fds[3] = { 0, 1, 2 }, got[3];

	memset(reps, 0, sizeof(reps));
	for (unsigned i = 0; i < n; i++) {
		/* long enough to be interrupted for sure now and then */
		CHECK(skyipc_call(conn, OP_SPIN,
				  (uint64_t[SKYIPC_WORDS]){ i % 8 * 100000 },
				  NULL, NULL, LIMIT * slowness) == 0);
		req.op = OP_ECHO;
		req.data = data;
		req.len = sizeof(data);
		req.nfds = 0;
		pattern_fill(data, 1000, i);
		CHECK(skyipc_call_msg(conn, &req, &rep, LIMIT * slowness) == 0);
		CHECK(rep.len == req.len && pattern_is(rep.data, 1000, i));
		for (int k = 0; k < 4; k++)
			CHECK(skyipc_submit(conn, &req) == 0);
		CHECK(skyipc_wait(conn, reps, 4, 4, LIMIT * slowness) == 4);
		req.op = OP_FDS_BACK;
		req.fds = fds;
		req.nfds = 3;
		rep.fds = got;
		rep.nfds = 3;
		CHECK(skyipc_call_msg(conn, &req, &rep, LIMIT * slowness) == 0);
		CHECK(rep.nfds == 3);
		for (int k = 0; k < 3; k++)
			close(got[k]);
	}
}

static void interrupted(void **state)
{
	static const uint64_t spins[] = { 0, 1, 1000000 };

	for (unsigned i = 0; i < ARRAY_LEN(spins); i++) {
		struct skyipc_connect_attr ca = { .size = sizeof(ca),
						  .spin_ns = spins[i] };
		struct fixture f;

		fixture_up(&f, state, NULL, &ca);
		alarms = 0;
		storm(150 * slowness);
		do {
			calls_in_storm(f.conn, 60 / slowness);
		} while (alarms < 10);
		storm(0);
		fixture_down(&f);
	}
}

/* Channels and buffers are made, connections come and go. */
static void *new_channel(void *arg)
{
	calls_in_storm(arg, 1);
	return NULL;
}

static void beginnings(void **state)
{
	struct fixture f;

	fixture_up(&f, state, NULL, NULL);
	alarms = 0;
	storm(100 * slowness);
	for (unsigned i = 0; i < 60 / slowness || alarms < 10; i++) {
		struct skyipc_server_info info;
		struct skyipc_conn *conn = connect_to(f.name, NULL);
		pthread_t thread[2];

		for (int k = 0; k < 2; k++)
			CHECK(pthread_create(&thread[k], NULL, new_channel,
					     conn) == 0);
		for (int k = 0; k < 2; k++)
			pthread_join(thread[k], NULL);
		query_of(f.name, &info);
		skyipc_close(conn);
	}
	storm(0);
	fixture_down(&f);
}

/* A server on its process's own thread, in a storm of its own */
static int stormy_server(struct child *me, void *arg)
{
	struct skyipc_server *server;
	int ret;

	CHECK(skyipc_server_create(arg, &plain, &server) == 0);
	CHECK(skyipc_server_fd(server) >= 0);
	child_say(me, 0);
	storm(100 * slowness);
	do {
		ret = skyipc_server_dispatch(server, SKYIPC_MS(1));
		CHECK(ret >= 0);
	} while (recv(me->from, &ret, 1, MSG_DONTWAIT) < 0);
	storm(0);
	CHECK(skyipc_server_stop(server, LIMIT) == 0);
	skyipc_server_destroy(server);
	return 0;
}

static void dispatched(void **state)
{
	struct skyipc_connect_attr ca = { .size = sizeof(ca),
					  .buf_size = 16u << 20,
					  .bufs = 1 };
	const char *name = new_name();
	struct skyipc_msg req = { .op = OP_SUM }, rep = { .op = 0 };
	struct skyipc_conn *conn;
	struct child c;
	size_t size;

	(void)state;
	not_in_views();
	child_start(&c, stormy_server, (void *)name);
	child_hear(&c);
	for (int i = 0; i < 10; i++) {
		conn = connect_to(name, &ca);
		/* Much memory: it takes longer than from alarm to alarm. */
		assert_int_equal(skyipc_buffer(conn, &req.data, &size), 0);
		req.len = 1000;
		assert_int_equal(
			skyipc_call_msg(conn, &req, &rep, LIMIT * slowness), 0);
		ask(conn, OP_ECHO, 0, 0);
		skyipc_close(conn);
	}
	assert_int_equal(child_end(&c), 0);
}

/*
 * The kernel gives memory or, if a signal comes, none: so it is asked for less
 * at a time, however much there is to be.
 */
static void memory(void **state)
{
	const size_t size = 64u << 20;
	unsigned char *mem = NULL;
	struct stat st;
	int fd;

	(void)state;
	storm(100 * slowness);
	CHECK(memfd_make("storm", size, &fd, (void **)&mem) == 0);
	storm(0);
	assert_int_equal(fstat(fd, &st), 0);
	/* In blocks of 512 bytes: all of it is there. */
	assert_int_equal(st.st_blocks * 512, size);
	munmap(mem, size);
	close(fd);
}

/* ---- a call inside a call ----------------------------------------------- */

static struct skyipc_conn *_Atomic conn_in_handler;
static _Atomic int said[6];
static _Atomic int came;

static void call_in_handler(int sig)
{
	const uint64_t soon = SKYIPC_MS(1);
	struct skyipc_msg req = { .op = OP_COUNT }, rep = { .op = 0 };
	int saved = errno;
	size_t size;
	void *buf;

	(void)sig;
	/* Between a submit and its wait it is no call inside a call. */
	if (skyipc_call(conn_in_handler, OP_ECHO, NULL, NULL, NULL, soon) !=
	    -EBUSY)
		goto out;
	said[0] =
		skyipc_call(conn_in_handler, OP_COUNT, NULL, NULL, NULL, LIMIT);
	said[1] = skyipc_call_msg(conn_in_handler, &req, &rep, LIMIT);
	said[2] = skyipc_submit(conn_in_handler, &req);
	said[3] = skyipc_poll(conn_in_handler, &rep, 1);
	said[4] = skyipc_wait(conn_in_handler, &rep, 1, 1, LIMIT);
	said[5] = skyipc_buffer(conn_in_handler, &buf, &size);
out:
	came++;
	errno = saved;
}

static void *disturb(void *arg)
{
	CHECK(WAIT_FOR(test_blocked() == 1));
	while (!said[5]) {
		int before = came;

		CHECK(pthread_kill(*(pthread_t *)arg, SIGUSR1) == 0);
		CHECK(WAIT_FOR(came != before));
	}
	test_unblock(1);
	return NULL;
}

static void inside(void **state)
{
	static const uint64_t spins[] = { 1, 10000000000 };
	struct sigaction sa = { .sa_handler = call_in_handler };
	struct skyipc_msg req = { .op = OP_BLOCK }, rep = { .op = 0 };
	pthread_t self = pthread_self(), thread;

	assert_int_equal(sigaction(SIGUSR1, &sa, NULL), 0);
	for (unsigned i = 0; i < ARRAY_LEN(spins); i++)
		for (int kind = 0; kind < 3; kind++) {
			const struct variant *v = *state;
			struct skyipc_connect_attr ca = { .size = sizeof(ca),
							  .spin_ns = spins[i] };
			struct variant here = *v;
			void *vp = &here;
			struct fixture f;
			int counted;

			here.here = 1;
			fixture_up(&f, &vp, NULL, &ca);
			ask(f.conn, OP_ECHO, 0, 0);
			conn_in_handler = f.conn;
			counted = test_counted();
			for (unsigned k = 0; k < ARRAY_LEN(said); k++)
				said[k] = 0;
			assert_int_equal(
				pthread_create(&thread, NULL, disturb, &self),
				0);
			if (kind == 0) {
				assert_int_equal(ask(f.conn, OP_BLOCK, 0, 0),
						 1);
			} else if (kind == 1) {
				assert_int_equal(skyipc_call_msg(f.conn, &req,
								 &rep, LIMIT),
						 0);
			} else {
				assert_int_equal(skyipc_submit(f.conn, &req),
						 0);
				assert_int_equal(
					skyipc_wait(f.conn, &rep, 1, 1, LIMIT),
					1);
			}
			pthread_join(thread, NULL);
			for (unsigned k = 0; k < ARRAY_LEN(said); k++)
				assert_int_equal(said[k], -EBUSY);
			assert_int_equal(test_counted(), counted);
			ask(f.conn, OP_ECHO, 0, 0);
			fixture_down(&f);
		}
}

/* ---- cancellation ------------------------------------------------------- */

struct cancelled {
	struct skyipc_conn *conn;
	_Atomic int through, cancelled;
};

static void note(void *arg)
{
	struct cancelled *c = arg;

	c->cancelled = 1;
}

/* Cancelled before it starts: whatever is a cancellation point ends it. */
static void *call_cancelled(void *arg)
{
	static char data[3000];
	struct cancelled *c = arg;
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 };
	int fd = 0, got[1];
	size_t size;
	void *buf;

	pthread_cleanup_push(note, c);
	pthread_cancel(pthread_self());
	CHECK(skyipc_call(c->conn, OP_SPIN, (uint64_t[SKYIPC_WORDS]){ 1000000 },
			  NULL, NULL, LIMIT * slowness) == 0);
	CHECK(skyipc_buffer(c->conn, &buf, &size) == 0);
	req.data = data;
	req.len = sizeof(data);
	CHECK(skyipc_call_msg(c->conn, &req, &rep, LIMIT * slowness) == 0);
	CHECK(skyipc_callv(c->conn, &req, NULL, 0, &rep, NULL, 0,
			   LIMIT * slowness) == 0);
	req.op = OP_FDS_BACK;
	req.fds = &fd;
	req.nfds = 1;
	rep.fds = got;
	rep.nfds = 0;
	CHECK(skyipc_call_msg(c->conn, &req, &rep, LIMIT * slowness) == 0);
	rep.nfds = 0;
	CHECK(skyipc_submit(c->conn, &req) == 0);
	CHECK(skyipc_wait(c->conn, &rep, 1, 1, LIMIT * slowness) == 1);
	req.op = OP_BLOCK;
	req.nfds = 0;
	CHECK(skyipc_submit(c->conn, &req) == 0);
	CHECK(skyipc_wait(c->conn, &rep, 1, 1, SKYIPC_MS(5)) == -ETIMEDOUT);
	test_unblock(1);
	CHECK(skyipc_call(c->conn, OP_ECHO, NULL, NULL, NULL,
			  LIMIT * slowness) == 0);
	CHECK(skyipc_poll(c->conn, &rep, 1) == 1);
	c->through = 1;
	pthread_testcancel();
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancellation(void **state)
{
	static const uint64_t spins[] = { 0, 1 };
	struct variant here = *(const struct variant *)*state;
	void *vp = &here;

	here.here = 1;
	for (unsigned i = 0; i < ARRAY_LEN(spins); i++) {
		struct skyipc_connect_attr ca = { .size = sizeof(ca),
						  .spin_ns = spins[i] };
		struct fixture f;

		fixture_up(&f, &vp, NULL, &ca);
		for (int k = 0; k < 5; k++) {
			struct cancelled c = { .conn = f.conn };
			pthread_t thread;
			void *ret;

			assert_int_equal(pthread_create(&thread, NULL,
							call_cancelled, &c),
					 0);
			pthread_join(thread, &ret);
			assert_true(c.through);
			assert_true(c.cancelled);
			assert_ptr_equal(ret, PTHREAD_CANCELED);
			ask(f.conn, OP_ECHO, 0, 0);
		}
		fixture_down(&f);
	}
}

int main(void)
{
	const struct CMUnitTest by_mode[] = {
		cmocka_unit_test(interrupted),
		cmocka_unit_test(inside),
		cmocka_unit_test(cancellation),
	};
	const struct CMUnitTest once[] = {
		cmocka_unit_test(beginnings),
		cmocka_unit_test(dispatched),
		cmocka_unit_test(memory),
	};

	return run_variants("signals", by_mode, ARRAY_LEN(by_mode), BY_MODE) +
	       run_variants("signals, once", once, ARRAY_LEN(once), 0);
}
