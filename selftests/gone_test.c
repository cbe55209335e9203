/* SPDX-License-Identifier: MIT */
/* gone_test.c - what a server keeps of a client that has gone, and for how long
 */
#include "testlib.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "server.h"

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

static int be_blocked(struct child *me, void *arg)
{
	struct skyipc_conn *conn;

	CHECK(skyipc_connect(arg, NULL, &conn) == 0);
	child_say(me, 0);
	skyipc_call(conn, OP_BLOCK, NULL, NULL, NULL, SKYIPC_FOREVER);
	return 0;
}

static int none_left(struct skyipc_server *server)
{
	struct skyipc_stats stats;

	server_stats_of(server, &stats);
	return !stats.conns;
}

static int all_given_back(struct skyipc_server *server)
{
	struct skyipc_stats stats;

	server_stats_of(server, &stats);
	return !stats.conns && !stats.mem;
}

static uint64_t size_of_channel(void)
{
	const char *name = new_name();
	struct skyipc_server *server = server_here(name, &plain);
	struct skyipc_conn *conn = connect_to(name, NULL);
	struct skyipc_stats stats;

	ask(conn, OP_ECHO, 0, 0);
	conn_stats_of(conn, &stats);
	skyipc_close(conn);
	skyipc_server_destroy(server);
	assert_true(stats.mem > 0);
	return stats.mem;
}

/*
 * A user's only client dies while a handler still uses its memory: the user has
 * that memory as long as it does, though no connection.
 */
static void still_charged(void **state)
{
	struct skyipc_server_attr attr = plain;
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn;
	struct child c;

	(void)state;
	over_shm_only();
	attr.max_mem_per_uid = size_of_channel() * 3 / 2;
	server = server_here(name, &attr);
	for (int i = 0; i < 3; i++) {
		child_start(&c, be_blocked, (void *)name);
		child_hear(&c);
		assert_true(WAIT_FOR(test_blocked() == 1));
		child_kill(&c);
		assert_true(WAIT_FOR(none_left(server)));
		conn = connect_to(name, NULL);
		assert_int_equal(
			skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT),
			-EDQUOT);
		assert_non_null(strstr(skyipc_errmsg(), "max_mem_per_uid"));
		test_unblock(1);
		assert_true(WAIT_FOR(skyipc_call(conn, OP_ECHO, NULL, NULL,
						 NULL, LIMIT) == 0));
		skyipc_close(conn);
		/* A worker may have it on its list for a moment. */
		assert_true(WAIT_FOR(all_given_back(server)));
	}
	skyipc_server_destroy(server);
}

/* As a worker that has heard the bell of the only connection. */
static struct sconn *hold(struct skyipc_server *server)
{
	struct sconn *conn = NULL;

	pthread_mutex_lock(&server->lock);
	for (uint32_t i = 0; i < server->conns_size; i++)
		if (server->conns[i])
			conn = sconn_get_locked(server, server->conns[i]->id);
	pthread_mutex_unlock(&server->lock);
	assert_non_null(conn);
	return conn;
}

/*
 * What the server knows of a user lasts as long as anything refers to it: here
 * a connection that is dead and has nothing, while others of the same user come
 * and go.
 */
static void still_known(void **state)
{
	struct skyipc_server_attr attr = plain;
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn, *more;
	struct sconn *dead;

	(void)state;
	attr.max_conns_per_uid = 1;
	server = server_here(name, &attr);
	conn = connect_to(name, NULL);
	dead = hold(server);
	skyipc_close(conn);
	assert_true(WAIT_FOR(none_left(server)));
	/* As soon as that one has gone, the user had nothing any more. */
	conn = connect_to(name, NULL);
	skyipc_close(conn);
	assert_true(WAIT_FOR(none_left(server)));
	conn = connect_to(name, NULL);
	ask(conn, OP_ECHO, 0, 0);
	sconn_put(dead);
	assert_int_equal(skyipc_connect(name, NULL, &more), -EDQUOT);
	skyipc_close(conn);
	assert_true(WAIT_FOR(none_left(server)));
	conn = connect_to(name, NULL);
	ask(conn, OP_ECHO, 0, 0);
	skyipc_close(conn);
	skyipc_server_destroy(server);
}

/* A server and a process with copies of all its descriptors. */
static int copied_server(struct child *me, void *arg)
{
	struct skyipc_server *server = server_here(arg, &plain);
	pid_t pid;

	child_say(me, 0);
	child_hear(me);
	/* fork() would close them: it is as if they had been passed on. */
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid) {
		syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			pause();
	}
	child_say(me, pid);
	child_await_end(me);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	CHECK(skyipc_server_stop(server, LIMIT) == 0);
	skyipc_server_destroy(server);
	return 0;
}

/*
 * A copy of its end of the socket does not end with the connection: the server
 * must not go on hearing that the client has gone.
 */
static void copied_socket(void **state)
{
	enum { N = 20 };
	struct skyipc_server_info info;
	const char *name = new_name();
	struct skyipc_conn *conn[3];
	struct child c;
	uint64_t used;

	(void)state;
	child_start(&c, copied_server, (void *)name);
	child_hear(&c);
	for (int i = 0; i < 3; i++) {
		conn[i] = connect_to(name, NULL);
		ask(conn[i], OP_ECHO, 0, 0);
	}
	child_say(&c, 1);
	assert_true(child_hear(&c) > 0);
	for (int i = 0; i < 3; i++)
		skyipc_close(conn[i]);
	assert_true(WAIT_FOR((query_of(name, &info), !info.stats.conns)));
	used = cpu_ns_of(c.pid);
	for (int i = 0; i < N; i++) {
		conn[0] = connect_to(name, NULL);
		ask(conn[0], OP_ECHO, 0, 0);
		skyipc_close(conn[0]);
		query_of(name, &info);
		/* Who goes round in circles never does. */
		assert_true(WAIT_FOR(all_sleep(c.pid)));
	}
	used = cpu_ns_of(c.pid) - used;
	print_message("# %llu us for each\n",
		      (unsigned long long)used / 1000 / N);
	assert_true(used < N * UINT64_C(10000000) * slowness);
	assert_int_equal(child_end(&c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(still_charged),
		cmocka_unit_test(still_known),
		cmocka_unit_test(copied_socket),
	};

	return run_variants("a client has gone", tests, ARRAY_LEN(tests), 0);
}
