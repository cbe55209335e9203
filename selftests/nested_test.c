/* SPDX-License-Identifier: MIT */
/* nested_test.c - handlers that call: another server, their own, in circles */
#include "testlib.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

/* op: how deep to go on; in[0]: limit of the inner call in ns, 0: LIMIT. The
 * status is what went wrong inside; out[0] counts the levels. */
static struct skyipc_conn *_Atomic a_to_b, *_Atomic b_to_a, *_Atomic to_self;

static int32_t go_on(struct skyipc_conn *conn, struct skyipc_call *call)
{
	skyipc_time t = call->in[0] ? SKYIPC_NS(call->in[0]) : LIMIT * slowness;
	uint64_t in[SKYIPC_WORDS] = { call->in[0] }, out[SKYIPC_WORDS];
	int32_t status;
	int err;

	if (!call->op)
		return 0;
	err = skyipc_call(conn, call->op - 1, in, out, &status, t);
	if (err)
		return err;
	call->out[0] = out[0] + 1;
	return status;
}

static int32_t in_a(struct skyipc_call *call, void *arg)
{
	(void)arg;
	return go_on(a_to_b, call);
}

static int32_t in_b(struct skyipc_call *call, void *arg)
{
	(void)arg;
	return go_on(b_to_a, call);
}

static int32_t in_self(struct skyipc_call *call, void *arg)
{
	(void)arg;
	return go_on(to_self, call);
}

static uint64_t deep(struct skyipc_conn *conn, uint32_t depth, int32_t want)
{
	uint64_t out[SKYIPC_WORDS] = { 0 };
	int32_t status = 1;
	int err =
		skyipc_call(conn, depth, NULL, out, &status, LIMIT * slowness);

	if (err)
		fail_msg("depth %u: %s (%s)", depth, strerror(-err),
			 skyipc_errmsg());
	assert_int_equal(status, want);
	return out[0];
}

/* Its own server, with one worker. */
static void own_server(void **state)
{
	const struct variant *v = *state;
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .mode = v->mode,
					   .handler = in_self };
	struct skyipc_server *server;
	struct skyipc_conn *conn;
	const char *name = new_name();

	server = server_here(name, &attr);
	conn = connect_to(name, NULL);
	to_self = connect_to(name, NULL);
	assert_int_equal(deep(conn, 0, 0), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(deep(conn, 1, 0), 1);
		assert_int_equal(deep(conn, 5, 0), 5);
	}
	assert_int_equal(deep(conn, 50, 0), 50);
	assert_int_equal(deep(conn, 50, 0), 50);
	skyipc_close(conn);
	assert_int_equal(skyipc_server_stop(server, LIMIT), 0);
	skyipc_server_destroy(server);
	skyipc_close(to_self);
}

/* Threads that poll give up a CPU they share at the end of their slice only. */
static unsigned times(const struct variant *v, unsigned n)
{
	return v->mode == SKYIPC_POLLING ? 3 + n / 10 : n;
}

/* A calls B calls A calls B ..., one worker each. */
static void circles(void **state)
{
	const struct variant *v = *state;
	struct skyipc_server_attr attr_a = { .size = sizeof(attr_a),
					     .mode = v->mode,
					     .handler = in_a };
	struct skyipc_server_attr attr_b = { .size = sizeof(attr_b),
					     .mode = v->mode,
					     .handler = in_b };
	const char *name_a = new_name(), *name_b = new_name();
	struct skyipc_server *a = server_here(name_a, &attr_a);
	struct skyipc_server *b = server_here(name_b, &attr_b);
	struct skyipc_conn *conn = connect_to(name_a, NULL);

	a_to_b = connect_to(name_b, NULL);
	b_to_a = connect_to(name_a, NULL);
	for (uint32_t depth = 0; depth < times(v, 20); depth++)
		assert_int_equal(deep(conn, depth, 0), depth);
	for (unsigned i = 0; i < times(v, 50); i++)
		assert_int_equal(deep(conn, 3, 0), 3);
	skyipc_close(conn);
	skyipc_server_destroy(a);
	skyipc_server_destroy(b);
	skyipc_close(a_to_b);
	skyipc_close(b_to_a);
}

/* The same with the two in processes of their own. */
struct pair {
	const char *mine, *other;
	struct skyipc_conn *_Atomic *conn;
	skyipc_handler handler;
	enum skyipc_mode mode;
};

static int half(struct child *me, void *arg)
{
	const struct pair *p = arg;
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .mode = p->mode,
					   .handler = p->handler };
	struct skyipc_connect_attr wait = { .size = sizeof(wait), .wait = 1 };
	struct skyipc_server *server = server_here(p->mine, &attr);
	struct skyipc_conn *conn;

	CHECK(skyipc_connect(p->other, &wait, &conn) == 0);
	*p->conn = conn;
	child_say(me, 0);
	child_await_end(me);
	CHECK(skyipc_server_stop(server, LIMIT) == 0);
	skyipc_server_destroy(server);
	skyipc_close(conn);
	return 0;
}

static void processes(void **state)
{
	const struct variant *v = *state;
	struct pair a = { new_name(), new_name(), &a_to_b, in_a, v->mode };
	struct pair b = { a.other, a.mine, &b_to_a, in_b, v->mode };
	struct skyipc_conn *conn;
	struct child ca, cb;

	child_start(&ca, half, &a);
	child_start(&cb, half, &b);
	child_hear(&ca);
	child_hear(&cb);
	conn = connect_to(a.mine, NULL);
	for (uint32_t depth = 0; depth < times(v, 12); depth++)
		assert_int_equal(deep(conn, depth, 0), depth);
	for (unsigned i = 0; i < times(v, 50); i++)
		assert_int_equal(deep(conn, 3, 0), 3);
	skyipc_close(conn);
	assert_int_equal(child_end(&ca), 0);
	assert_int_equal(child_end(&cb), 0);
}

/* No more threads than allowed: the calls wait, for as long as they may. */
static void thread_limit(void **state)
{
	const struct variant *v = *state;
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .mode = v->mode,
					   .handler = in_self,
					   .max_threads = 3 };
	uint64_t in[SKYIPC_WORDS] = { 20000000 }, out[SKYIPC_WORDS];
	const char *name = new_name();
	struct skyipc_server *server = server_here(name, &attr);
	struct skyipc_conn *conn = connect_to(name, NULL);
	struct skyipc_server_info info;
	int32_t status;

	to_self = connect_to(name, NULL);
	assert_int_equal(deep(conn, 2, 0), 2);
	for (int i = 0; i < 3; i++) {
		status = 0;
		assert_int_equal(skyipc_call(conn, 10, in, out, &status,
					     LIMIT * slowness),
				 0);
		assert_int_equal(status, -ETIMEDOUT);
		query_of(name, &info);
		assert_in_range(info.threads, 1, 3);
		/* It has got over it. */
		assert_int_equal(deep(conn, 2, 0), 2);
	}
	skyipc_close(conn);
	skyipc_server_destroy(server);
	skyipc_close(to_self);
}

/*
 * A worker keeps its seat in a nested call, as there are no more threads; one
 * that comes back from its handler then takes over.
 */
enum { HOLD = 1, SELF };

static struct skyipc_conn *_Atomic to_gate;
static sem_t at_gate, gate;

static int32_t gatekeeper(struct skyipc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	sem_post(&at_gate);
	while (sem_wait(&gate))
		;
	return 0;
}

static int32_t hold_or_self(struct skyipc_call *call, void *arg)
{
	struct skyipc_conn *conn = call->op == HOLD ? to_gate : to_self;

	(void)arg;
	return call->op ? skyipc_call(conn, 0, NULL, NULL, NULL,
				      LIMIT * slowness)
			: 0;
}

struct one_call {
	struct skyipc_conn *conn;
	uint32_t op;
	int32_t status;
	int err;
};

static void *call_it(void *arg)
{
	struct one_call *c = arg;

	c->status = 1;
	c->err = skyipc_call(c->conn, c->op, NULL, NULL, &c->status,
			     2 * LIMIT * slowness);
	return NULL;
}

static void relieved(void **state)
{
	const struct variant *v = *state;
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .mode = v->mode,
					   .handler = hold_or_self,
					   .max_threads = 2 };
	struct skyipc_server_attr gate_attr = { .size = sizeof(gate_attr),
						.handler = gatekeeper };
	const char *name = new_name(), *gate_name = new_name();
	struct skyipc_server *server = server_here(name, &attr);
	struct skyipc_server *keeper = server_here(gate_name, &gate_attr);
	struct skyipc_stats stats = { .size = sizeof(stats) };
	struct one_call hold = { connect_to(name, NULL), HOLD, 0, 0 };
	struct one_call self = { hold.conn, SELF, 0, 0 };
	pthread_t holds, selves;

	sem_init(&at_gate, 0, 0);
	sem_init(&gate, 0, 0);
	to_self = connect_to(name, NULL);
	to_gate = connect_to(gate_name, NULL);
	assert_int_equal(pthread_create(&holds, NULL, call_it, &hold), 0);
	while (sem_wait(&at_gate))
		;
	assert_int_equal(pthread_create(&selves, NULL, call_it, &self), 0);
	do {
		sched_yield();
		assert_int_equal(skyipc_conn_stats(to_self, &stats), 0);
	} while (!stats.parks);
	sem_post(&gate);
	pthread_join(selves, NULL);
	assert_int_equal(self.err, 0);
	assert_int_equal(self.status, 0);
	pthread_join(holds, NULL);
	assert_int_equal(hold.err, 0);
	assert_int_equal(hold.status, 0);
	skyipc_close(hold.conn);
	skyipc_server_destroy(server);
	skyipc_close(to_gate);
	skyipc_server_destroy(keeper);
	skyipc_close(to_self);
	sem_destroy(&at_gate);
	sem_destroy(&gate);
}

static void *dive(void *arg)
{
	uint64_t out[SKYIPC_WORDS];

	for (unsigned i = 0; i < 100 / slowness; i++) {
		CHECK(skyipc_call(arg, 4, NULL, out, NULL, LIMIT * slowness) ==
		      0);
		CHECK(out[0] == 4);
	}
	return NULL;
}

/* From several threads at once. */
static void together(void **state)
{
	const struct variant *v = *state;
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .mode = v->mode,
					   .handler = in_self,
					   .workers = 2 };
	const char *name = new_name();
	struct skyipc_server *server = server_here(name, &attr);
	struct skyipc_conn *conn = connect_to(name, NULL);
	pthread_t thread[4];

	to_self = connect_to(name, NULL);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, dive, conn),
				 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	skyipc_close(conn);
	skyipc_server_destroy(server);
	skyipc_close(to_self);
}

/* Submitted inside a handler, and reaped there; long parts both ways. */
static int32_t nested_async(struct skyipc_call *call, void *arg)
{
	struct skyipc_msg rep[4], req = { .op = call->op - 1 };

	(void)arg;
	if (!call->op) {
		memcpy(call->reply, call->data, call->len);
		call->reply_len = call->len;
		return 0;
	}
	memset(rep, 0, sizeof(rep));
	req.data = (void *)call->data;
	req.len = call->len;
	for (req.tag = 0; req.tag < 4; req.tag++)
		if (skyipc_submit(to_self, &req))
			return -EIO;
	if (skyipc_wait(to_self, rep, 4, 4, LIMIT * slowness) != 4)
		return -ETIME;
	for (int i = 0; i < 4; i++)
		if (rep[i].result || rep[i].status || rep[i].len != call->len)
			return -EBADE;
	memcpy(call->reply, rep[3].data, rep[3].len);
	call->reply_len = rep[3].len;
	return 0;
}

static void async(void **state)
{
	const struct variant *v = *state;
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .mode = v->mode,
					   .handler = nested_async };
	static char data[10000];
	struct skyipc_msg req = { .data = data, .len = sizeof(data) };
	struct skyipc_msg rep = { .op = 0 };
	const char *name = new_name();
	struct skyipc_server *server = server_here(name, &attr);
	struct skyipc_conn *conn = connect_to(name, NULL);

	to_self = connect_to(name, NULL);
	pattern_fill(data, sizeof(data), 3);
	for (req.op = 0; req.op < 4; req.op++) {
		assert_int_equal(
			skyipc_call_msg(conn, &req, &rep, LIMIT * slowness), 0);
		assert_int_equal(rep.status, 0);
		assert_int_equal(rep.len, sizeof(data));
		assert_true(pattern_is(rep.data, rep.len, 3));
	}
	skyipc_close(conn);
	skyipc_server_destroy(server);
	skyipc_close(to_self);
}

/*
 * Another server, used through dispatch or never started, is served and stopped
 * inside a handler. The thread is a worker of the handler's server afterwards:
 * it has a seat, and leaves it in a nested call.
 */
enum { STOP_NEW = 1, STOP_DISPATCHED, SHUT_DOWN, SERVE };

static struct skyipc_server *_Atomic its_own;
static const char *_Atomic guest_name;

static int32_t guest(struct skyipc_call *call, void *arg)
{
	(void)arg;
	call->out[0] = call->in[0] + 1;
	return 0;
}

/* Whatever is wrong: a number that tells where. */
static int host(uint32_t op)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .handler = guest };
	struct skyipc_server *server;
	int n;

	if (skyipc_server_create(guest_name, &attr, &server))
		return 1;
	if (op == STOP_DISPATCHED &&
	    skyipc_server_dispatch(server, SKYIPC_NS(1)))
		return 2;
	if (op == SHUT_DOWN) {
		skyipc_server_shutdown(server);
		if (skyipc_server_dispatch(server, LIMIT) != -ESHUTDOWN)
			return 3;
	}
	if (op == SERVE)
		do {
			n = skyipc_server_dispatch(server, LIMIT * slowness);
			if (n < 0)
				return 4;
		} while (!n);
	if (skyipc_server_stop(server, LIMIT))
		return 5;
	skyipc_server_destroy(server);
	return 0;
}

static int32_t be_host(struct skyipc_call *call, void *arg)
{
	int wrong;

	(void)arg;
	if (!call->op)
		return 0;
	wrong = host(call->op);
	if (wrong)
		return wrong;
	if (skyipc_server_stop(its_own, SKYIPC_NS(1)) != -EDEADLK)
		return 6;
	return skyipc_call(to_self, 0, NULL, NULL, NULL,
			   SKYIPC_SEC(10) * slowness);
}

static void *call_guest(void *arg)
{
	struct skyipc_connect_attr wait = { .size = sizeof(wait),
					    .timeout_ns = LIMIT * slowness,
					    .wait = 1 };
	uint64_t in[SKYIPC_WORDS] = { 4 }, out[SKYIPC_WORDS];
	struct skyipc_conn *conn;

	CHECK(skyipc_connect(arg, &wait, &conn) == 0);
	CHECK(skyipc_call(conn, 0, in, out, NULL, LIMIT * slowness) == 0);
	CHECK(out[0] == 5);
	skyipc_close(conn);
	return NULL;
}

static void guests(void **state)
{
	const struct variant *v = *state;
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .mode = v->mode,
					   .handler = be_host };
	const char *name = new_name(), *other = new_name();
	struct skyipc_server *server = server_here(name, &attr);
	struct skyipc_conn *conn = connect_to(name, NULL);
	pthread_t thread;

	its_own = server;
	guest_name = other;
	to_self = connect_to(name, NULL);
	for (uint32_t op = STOP_NEW; op <= SERVE; op++)
		for (int i = 0; i < 3; i++) {
			if (op == SERVE)
				assert_int_equal(pthread_create(&thread, NULL,
								call_guest,
								(void *)other),
						 0);
			deep(conn, op, 0);
			if (op == SERVE)
				pthread_join(thread, NULL);
		}
	skyipc_close(conn);
	assert_int_equal(skyipc_server_stop(server, LIMIT), 0);
	skyipc_server_destroy(server);
	skyipc_close(to_self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_server), cmocka_unit_test(circles),
		cmocka_unit_test(processes),  cmocka_unit_test(thread_limit),
		cmocka_unit_test(together),   cmocka_unit_test(async),
		cmocka_unit_test(guests),     cmocka_unit_test(relieved),
	};

	return run_variants("nested calls", tests, ARRAY_LEN(tests), BY_MODE);
}
