/* SPDX-License-Identifier: MIT */
/* Servers that die or are stopped. */
#include "death.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct server {
	const char *name, *point;
	unsigned nth;
	int sig;
	enum skyipc_mode mode;
};

static int serve(struct child *me, void *arg)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	const struct server *s = arg;
	struct skyipc_server *server;

	pin_to(0);
	if (s->point)
		point_arm(s->point, s->nth, s->sig);
	attr.handler = test_handler;
	attr.mode = s->mode;
	attr.workers = s->mode == SKYIPC_POLLING ? 1 : 2;
	if (skyipc_server_create(s->name, &attr, &server) ||
	    skyipc_server_start(server))
		return 98;
	child_say(me, 0);
	child_await_end(me);
	if (skyipc_server_stop(server, LIMIT * slowness))
		return 97;
	skyipc_server_destroy(server);
	return 0;
}

/* 1: it is up; 0: it has died before. */
static int is_up(struct child *c)
{
	struct pollfd pfd = { .fd = c->from, .events = POLLIN };
	int64_t value;

	if (poll(&pfd, 1, (int)(LIMIT_MS * slowness)) <= 0)
		fail_msg("the server neither comes up nor dies");
	return read(c->from, &value, sizeof(value)) == sizeof(value);
}

/* Without waiting for it. */
static void let_end(struct child *c)
{
	if (send(c->to, "", 1, MSG_NOSIGNAL) < 0)
		assert_int_equal(errno, EPIPE);
}

/* The name of a dead server is nobody's: a new one has it at once. */
static void successor(const struct server *dead)
{
	struct server s = { .name = dead->name, .mode = dead->mode };
	struct skyipc_conn *conn;
	struct child c;

	child_start(&c, serve, &s);
	if (!is_up(&c))
		fail_msg("%s, hit %u: no new server", dead->point, dead->nth);
	conn = connect_to(s.name, NULL);
	assert_int_equal(ask(conn, OP_ECHO, 1, 0), 2);
	skyipc_close(conn);
	assert_int_equal(child_end(&c), 0);
}

/* 1 if the point was reached. */
static int server_dies_at(const struct server *s, unsigned first)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct skyipc_conn *idle = NULL;
	struct footprint fp;
	struct child c;
	int status, line;

	points_reset();
	child_start(&c, serve, (void *)s);
	fp = footprint_of(getpid());
	if (is_up(&c)) {
		line = client_script(s->name, first, 1);
		if (line)
			fail_msg("%s, hit %u, first %u: script line %d (%s)",
				 s->point, s->nth, first, line,
				 skyipc_errmsg());
		/* For those that come when it ends. */
		attr.transport = transport;
		if (!skyipc_connect(s->name, &attr, &idle))
			skyipc_call(idle, OP_ECHO, NULL, NULL, NULL, LIMIT);
	}
	let_end(&c);
	status = wait_exit(c.pid);
	close(c.to);
	close(c.from);
	if (fired->fired ? status != 1000 + SIGKILL : status != 0)
		fail_msg("%s, hit %u: status %d", s->point, s->nth, status);
	if (idle) {
		int ret = 0;

		if (!WAIT_FOR_MS((ret = skyipc_call(idle, OP_ECHO, NULL, NULL,
						    NULL, LIMIT)) == -EPIPE,
				 1000 * slowness))
			fail_msg("%s, hit %u: idle connection: %d", s->point,
				 s->nth, ret);
		skyipc_close(idle);
	}
	fp.fds -= 2; /* the child's pipes */
	footprint_is(getpid(), &fp, s->point);
	successor(s);
	return fired->fired;
}

void test_server_dies(void **state)
{
	static const unsigned nths[] = { 1, 2, 4 };
	const struct variant *variant = *state;
	const char *name = new_name();
	/* Where forks are dear, each hit with another way first. */
	const unsigned step = slowness > 1 ? WAYS + 1 : 1;

	pin_to(1);
	for (size_t i = 0; i < nserver_points; i++) {
		struct server s = { name, server_points[i].point, 0, SIGKILL,
				    variant->mode };

		if (!is_reached(&server_points[i], variant))
			continue;
		for (unsigned k = 0; k < ARRAY_LEN(nths) * WAYS; k += step) {
			int hit;

			s.nth = nths[k / WAYS];
			hit = server_dies_at(&s, k % WAYS);
			if (!hit && !k)
				fail_msg("%s is not reached", s.point);
			if (!hit)
				break;
		}
	}
	pin_to(-1);
}

/* ---- stopped ------------------------------------------------------------ */

static int patient_client(struct child *me, void *arg)
{
	const struct server *s = arg;
	int line;

	(void)me;
	pin_to(1);
	line = client_script(s->name, s->nth, 0);
	if (line)
		fprintf(stderr, "# script, line %d: %s\n", line,
			skyipc_errmsg());
	return line != 0;
}

/* Whatever a stopped server does to us, it is over in time. */
static void probe(const char *name)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	uint64_t t0 = time_ns();
	struct skyipc_conn *conn;

	attr.transport = transport;
	attr.timeout_ns = SKYIPC_MS(10);
	if (!skyipc_connect(name, &attr, &conn)) {
		skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, SKYIPC_MS(10));
		skyipc_close(conn);
	}
	assert_true(time_ns() - t0 < UINT64_C(1000000000) * slowness);
}

void test_server_stops(void **state)
{
	const struct variant *variant = *state;

	for (unsigned i = 0; i < nserver_points; i++) {
		struct server s = { new_name(), server_points[i].point, 1,
				    SIGSTOP, variant->mode };
		struct child server, client;
		int status, at_end;

		if (!is_reached(&server_points[i], variant))
			continue;
		at_end = !strncmp(s.point, "server-d", 8) &&
			 strcmp(s.point, "server-drop");
		points_reset();
		child_start(&server, serve, &s);
		child_start(&client, patient_client, &s);
		if (at_end) {
			assert_true(is_up(&server));
			assert_int_equal(child_end(&client), 0);
			let_end(&server);
		}
		if (!wait_stopped(server.pid, &status))
			fail_msg("%s is not reached", s.point);
		probe(s.name);
		kill(server.pid, SIGCONT);
		if (!at_end) {
			assert_true(is_up(&server));
			status = child_end(&client);
			if (status)
				fail_msg("%s: status %d", s.point, status);
		}
		assert_int_equal(child_end(&server), 0);
	}
}

/* ---- everybody waits ---------------------------------------------------- */

struct waiter {
	struct skyipc_conn *conn;
	pthread_t thread;
	int kind;
	int ret;
	_Atomic int ready;
	uint64_t ended;
};

#define KINDS 5

static int all_reset(struct waiter *w, const struct skyipc_msg *req)
{
	struct skyipc_msg msgs[4];
	int err;

	memset(msgs, 0, sizeof(msgs));
	for (unsigned i = 0; i < 4; i++)
		if ((err = skyipc_submit(w->conn, req)))
			return err;
	if (skyipc_wait(w->conn, msgs, 4, 4, SKYIPC_FOREVER) != 4)
		return 0;
	for (int i = 0; i < 4; i++)
		if (msgs[i].result != -ECONNRESET)
			return msgs[i].result;
	return -ECONNRESET;
}

static void *wait_for_death(void *arg)
{
	struct skyipc_msg req = { .op = OP_BLOCK }, rep, msgs[4];
	struct waiter *w = arg;
	uint64_t spin[SKYIPC_WORDS] = { UINT64_C(3600000000000) };

	memset(&rep, 0, sizeof(rep));
	memset(msgs, 0, sizeof(msgs));
	w->ready = 1;
	switch (w->kind) {
	case 0:
		w->ret = skyipc_call(w->conn, OP_BLOCK, NULL, NULL, NULL,
				     SKYIPC_FOREVER);
		break;
	case 1:
		w->ret = skyipc_call_msg(w->conn, &req, &rep, SKYIPC_FOREVER);
		break;
	case 2: /* with a limit that is far away */
		w->ret = skyipc_call(w->conn, OP_SPIN, spin, NULL, NULL,
				     SKYIPC_SEC(3600));
		break;
	case 3:
		w->ret = all_reset(w, &req);
		break;
	default: /* polls, never waits */
		w->ret = skyipc_submit(w->conn, &req);
		while (!w->ret)
			w->ret = skyipc_poll(w->conn, msgs, 1);
		w->ret = w->ret == 1 ? msgs[0].result : w->ret;
	}
	w->ended = time_ns();
	return NULL;
}

void test_all_pending(void **state)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	const struct variant *variant = *state;
	struct waiter w[4 * KINDS];
	struct skyipc_conn *conns[2];
	struct footprint fp = footprint_of(getpid());
	struct server s = { .mode = variant->mode };
	struct child c;
	uint64_t t0;

	attr.handler = test_handler;
	attr.mode = variant->mode;
	attr.workers = 2;
	s.name = new_name();
	server_spawn(&c, s.name, &attr);
	conns[0] = connect_to(s.name, NULL);
	conns[1] = connect_to(s.name, NULL);
	memset(w, 0, sizeof(w));
	for (int i = 0; i < (int)ARRAY_LEN(w); i++) {
		w[i].conn = conns[i & 1];
		w[i].kind = i % KINDS;
		pthread_create(&w[i].thread, NULL, wait_for_death, &w[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(w); i++)
		assert_true(WAIT_FOR(w[i].ready));
	/* The workers are taken: nothing is answered any more. */
	for (int i = 0; i < 50; i++)
		moment();
	t0 = time_ns();
	child_kill(&c);
	for (unsigned i = 0; i < ARRAY_LEN(w); i++) {
		pthread_join(w[i].thread, NULL);
		/* -EPIPE: had no channel yet. */
		if (w[i].ret != -ECONNRESET && w[i].ret != -EPIPE)
			fail_msg("kind %d: %d", w[i].kind, w[i].ret);
		if (w[i].ended - t0 > slowest_notice_ns)
			slowest_notice_ns = w[i].ended - t0;
		if (w[i].ended - t0 > UINT64_C(1000000000) * slowness)
			fail_msg("kind %d waits too long", w[i].kind);
	}
	skyipc_close(conns[0]);
	skyipc_close(conns[1]);
	footprint_is(getpid(), &fp, "all pending");
	successor(&s);
}

/* ---- deadlines ---------------------------------------------------------- */

#define SHORT SKYIPC_MS(30)

static void in_time(uint64_t t0, const char *what)
{
	uint64_t ns = time_ns() - t0;

	if (ns < 29000000 || ns > UINT64_C(1000000000) * slowness)
		fail_msg("%s took %u us instead of 30 ms", what,
			 (unsigned)(ns / 1000));
}

static void *first_call(void *conn)
{
	return (void *)(intptr_t)skyipc_call(conn, OP_COUNT, NULL, NULL, NULL,
					     SHORT);
}

/* Every function that can wait, while the server is stopped. */
static void time_out_all(struct skyipc_conn *conn, const char *name)
{
	struct skyipc_server_info info = { .size = sizeof(info) };
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct skyipc_msg req = { .op = OP_COUNT }, rep, msgs[2];
	struct skyipc_conn *other;
	uint64_t t0 = time_ns();
	pthread_t thread;
	void *ret;

	memset(&rep, 0, sizeof(rep));
	memset(msgs, 0, sizeof(msgs));
	assert_int_equal(skyipc_call(conn, OP_COUNT, NULL, NULL, NULL, SHORT),
			 -ETIMEDOUT);
	in_time(t0, "call");
	t0 = time_ns();
	assert_int_equal(skyipc_call_msg(conn, &req, &rep, SHORT), -ETIMEDOUT);
	in_time(t0, "call_msg");
	req.op = OP_ECHO;
	assert_int_equal(skyipc_submit(conn, &req), 0);
	t0 = time_ns();
	assert_int_equal(skyipc_wait(conn, msgs, 2, 1, SHORT), -ETIMEDOUT);
	in_time(t0, "wait");
	t0 = time_ns();
	pthread_create(&thread, NULL, first_call, conn);
	pthread_join(thread, &ret);
	assert_int_equal((intptr_t)ret, -ETIMEDOUT);
	in_time(t0, "first call of a thread");
	t0 = time_ns();
	attr.timeout_ns = SHORT;
	attr.transport = transport;
	assert_int_equal(skyipc_connect(name, &attr, &other), -ETIMEDOUT);
	in_time(t0, "connect");
	t0 = time_ns();
	assert_int_equal(skyipc_query(name, &info, NULL, NULL, SHORT),
			 -ETIMEDOUT);
	in_time(t0, "query");
}

void test_stopped_server_deadlines(void **state)
{
	struct skyipc_msg msgs[2];
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .len = 0 };
	struct fixture f;
	int fds[1] = { 0 }, status;

	fixture_up(&f, state, NULL, NULL);
	/* Buffers before: making them waits, too. */
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
	kill(f.child.pid, SIGSTOP);
	assert_true(wait_stopped(f.child.pid, &status));
	time_out_all(f.conn, f.name);
	kill(f.child.pid, SIGCONT);
	memset(msgs, 0, sizeof(msgs));
	assert_int_equal(skyipc_wait(f.conn, msgs, 2, 1, LIMIT), 1);
	assert_int_equal(msgs[0].result, 0);
	assert_int_equal(msgs[0].w[0], 1);
	assert_int_equal(ask(f.conn, OP_ECHO, 7, 0), 8);
	/* The answer to the thread that gave up lies before these. */
	req = (struct skyipc_msg){ .op = OP_FDS_BACK, .fds = fds, .nfds = 1 };
	rep = (struct skyipc_msg){ .fds = fds, .nfds = 1 };
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
	assert_int_equal(rep.nfds, 1);
	close(fds[0]);
	/*
	 * Those given up before the server looked have not been run. But where
	 * clients run handlers themselves, the first one has begun.
	 */
	assert_in_range(ask(f.conn, OP_COUNTED, 0, 0), 0,
			!strcmp(f.v->transport, "vmfunc"));
	fixture_down(&f);
}
