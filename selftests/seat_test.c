/* SPDX-License-Identifier: MIT */
/*
 * seat_test.c - a handler has left its seat in a nested call, and returns to
 * find another thread on it
 */
#include "testlib.h"

#include <stdatomic.h>

#include "server.h"

static struct skyipc_conn *_Atomic to_self;
static _Atomic int away, come_back;
static _Atomic int successor; /* the thread that has the seat now */

#define OP_LEAVE OP_LAST

static int32_t leaves(struct skyipc_call *call, void *arg)
{
	uint64_t out[SKYIPC_WORDS];
	int err;

	if (call->op != OP_LEAVE)
		return test_handler(call, arg);
	err = skyipc_call(to_self, OP_PID, NULL, out, NULL,
			  SKYIPC_SEC(10) * slowness);
	if (!err)
		successor = (int)out[1];
	away = 1;
	return WAIT_FOR(come_back) ? err : -ETIME;
}

static struct skyipc_server *server_up(const char *name, enum skyipc_mode mode)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .mode = mode,
					   .handler = leaves };
	struct skyipc_server *server = server_here(name, &attr);

	to_self = connect_to(name, NULL);
	away = come_back = successor = 0;
	return server;
}

static void server_down(struct skyipc_server *server)
{
	assert_int_equal(skyipc_server_stop(server, LIMIT), 0);
	skyipc_server_destroy(server);
	skyipc_close(to_self);
}

static void submit(struct skyipc_conn *conn, uint32_t op)
{
	struct skyipc_msg req = { .op = op };

	assert_int_equal(skyipc_submit(conn, &req), 0);
}

static void reap(struct skyipc_conn *conn)
{
	struct skyipc_msg rep = { .op = 0 };

	assert_int_equal(skyipc_wait(conn, &rep, 1, 1, LIMIT * slowness), 1);
	assert_int_equal(rep.result, 0);
	assert_int_equal(rep.status, 0);
}

static uint32_t idle_threads(struct skyipc_server *server)
{
	uint32_t n;

	pthread_mutex_lock(&server->lock);
	n = server->idle_threads;
	pthread_mutex_unlock(&server->lock);
	return n;
}

/*
 * One worker, one handler at a time: the thread without a seat does not go on
 * with the next channel of the list, which is not its own any more. (Polling
 * keeps the list as it is.)
 */
static void one_at_a_time(void **state)
{
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn[3];
	int before;

	(void)state;
	over_shm_only();
	server = server_up(name, SKYIPC_POLLING);
	for (int i = 0; i < 3; i++) { /* on the list in this order */
		conn[i] = connect_to(name, NULL);
		ask(conn[i], OP_ECHO, 0, 0);
	}
	before = test_counted();
	submit(conn[0], OP_LEAVE);
	assert_true(WAIT_FOR(away));
	submit(conn[1], OP_BLOCK);
	assert_true(WAIT_FOR(test_blocked() == 1));
	submit(conn[2], OP_COUNT);
	assert_int_equal(idle_threads(server), 0);
	come_back = 1;
	reap(conn[0]);
	assert_true(WAIT_FOR(idle_threads(server) == 1));
	assert_int_equal(test_counted(), before);
	test_unblock(1);
	reap(conn[1]);
	reap(conn[2]);
	assert_int_equal(test_counted(), before + 1);
	for (int i = 0; i < 3; i++)
		skyipc_close(conn[i]);
	server_down(server);
}

/* Is any channel on a list? */
static int listed(struct skyipc_server *server)
{
	int n = 0;

	pthread_mutex_lock(&server->lock);
	for (uint32_t i = 0; i < server->conns_size; i++)
		if (server->conns[i])
			for (struct schan *ch = server->conns[i]->chans; ch;
			     ch = ch->next)
				n += atomic_load(&ch->owner) != NULL;
	pthread_mutex_unlock(&server->lock);
	return n;
}

/*
 * What came while a channel's handler ran, and its new worker went to sleep,
 * is served by who returns from the handler: nobody else knows of it. More
 * calls than are served in a row, and a client that does not help by waiting,
 * for then it would ring again.
 */
static void left_behind(void **state)
{
	enum { N = 60 };
	const char *name = new_name();
	struct skyipc_server *server = server_up(name, SKYIPC_BLOCKING);
	struct skyipc_conn *conn = connect_to(name, NULL);
	struct skyipc_stats stats;
	int before = test_counted();

	(void)state;
	submit(conn, OP_LEAVE);
	assert_true(WAIT_FOR(away));
	assert_int_not_equal(successor, 0);
	for (int i = 0; i < N; i++)
		submit(conn, OP_COUNT);
	/* A bell wakes it before submit() returns: it has heard the last. */
	assert_true(WAIT_FOR(state_of(getpid(), successor) == 'S' &&
			     !listed(server)));
	assert_int_equal(test_counted(), before);
	come_back = 1;
	/* and the nested one */
	assert_true(WAIT_FOR(
		(server_stats_of(server, &stats), stats.calls == N + 2)));
	assert_int_equal(test_counted(), before + N);
	for (int i = 0; i < N + 1; i++)
		reap(conn);
	skyipc_close(conn);
	server_down(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(left_behind),
	};

	return run_variants("seats", tests, ARRAY_LEN(tests), 0);
}
