/* SPDX-License-Identifier: MIT */
/*
 * share_test.c - what one user may take of what the server's process can have
 * at all, and a server that has run out of it
 */
#include "testlib.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "server.h"

#define NOBODY 65534

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

/* ---- mappings -------------------------------------------------------------
 */

static void *no_channel(void *arg)
{
	CHECK(skyipc_call(arg, OP_ECHO, NULL, NULL, NULL, LIMIT) == -EDQUOT);
	CHECK(strstr(skyipc_errmsg(), "vm.max_map_count"));
	return NULL;
}

/* The real limit is tens of thousands: the server believes in less. */
static void mappings(void **state)
{
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 };
	struct skyipc_conn *conn[2];
	pthread_t thread;

	(void)state;
	over_shm_only();
	assert_int_equal(skyipc_server_create(name, &plain, &server), 0);
	assert_in_range(server->maps_per_uid, 1000, UINT64_MAX / 2);
	server->maps_per_uid = 3;
	assert_int_equal(skyipc_server_start(server), 0);
	for (int i = 0; i < 2; i++) {
		conn[i] = connect_to(name, NULL);
		ask(conn[i], OP_ECHO, 0, 0);
	}
	/* Buffers are the third; there is no fourth, for channels neither. */
	assert_int_equal(skyipc_call_msg(conn[0], &req, &rep, LIMIT), 0);
	assert_int_equal(skyipc_call_msg(conn[1], &req, &rep, LIMIT), -EDQUOT);
	assert_non_null(strstr(skyipc_errmsg(), "vm.max_map_count"));
	assert_int_equal(pthread_create(&thread, NULL, no_channel, conn[1]), 0);
	pthread_join(thread, NULL);
	ask(conn[1], OP_ECHO, 0, 0);
	/* They come back with the connection. */
	skyipc_close(conn[0]);
	assert_true(WAIT_FOR(skyipc_call_msg(conn[1], &req, &rep, LIMIT) == 0));
	skyipc_close(conn[1]);
	skyipc_server_destroy(server);
}

/* ---- connections of strangers -----------------------------------------------
 */

/* Connect as another user until it is enough: how often that went well. */
static int stranger(struct child *me, void *arg)
{
	struct skyipc_conn *conn[64];
	int n, err = 0;

	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* setuid() cleared it */
	for (n = 0; n < 64 && !err; n++)
		err = skyipc_connect(arg, NULL, &conn[n]);
	child_say(me, err == -EDQUOT && strstr(skyipc_errmsg(), "RLIMIT_NOFILE")
			      ? n - 1
			      : -1);
	child_await_end(me);
	return 0;
}

static int small_server(struct child *me, void *arg)
{
	struct skyipc_server_attr attr = plain;
	struct skyipc_server *server;

	set_limit(RLIMIT_NOFILE, 80);
	attr.sock_mode = 0666;
	CHECK(skyipc_server_create(arg, &attr, &server) == 0);
	CHECK(skyipc_server_start(server) == 0);
	child_say(me, 0);
	child_await_end(me);
	CHECK(skyipc_server_stop(server, LIMIT) == 0);
	skyipc_server_destroy(server);
	return 0;
}

/* Strangers get half of the descriptors, the server's own user all of them. */
static void strangers(void **state)
{
	enum { MORE = 22 };
	const char *name = new_name();
	struct skyipc_conn *conn[MORE];
	struct child s, c;
	struct stat st;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(stat(getenv("SKYIPC_DIR"), &st), 0);
	assert_int_equal(chmod(getenv("SKYIPC_DIR"), 0711), 0);
	child_start(&s, small_server, (void *)name);
	child_hear(&s);
	for (int i = 0; i < MORE; i++)
		conn[i] = connect_to(name, NULL);
	for (int i = 0; i < MORE; i++)
		skyipc_close(conn[i]);
	assert_true(WAIT_FOR(fds_open(s.pid) < 30));
	child_start(&c, stranger, (void *)name);
	assert_int_equal(child_hear(&c), 80 / 4);
	conn[0] = connect_to(name, NULL);
	ask(conn[0], OP_ECHO, 0, 0);
	skyipc_close(conn[0]);
	assert_int_equal(child_end(&c), 0);
	assert_int_equal(child_end(&s), 0);
	chmod(getenv("SKYIPC_DIR"), st.st_mode & 07777);
}

/* ---- none left
 * --------------------------------------------------------------- */

/*
 * Another thread has been quicker and has the descriptor that the server keeps
 * to be able to refuse.
 */
static int robbed_server(struct child *me, void *arg)
{
	struct skyipc_server *server;
	uint64_t was;
	int fd;

	CHECK(skyipc_server_create(arg, &plain, &server) == 0);
	close(server->spare_fd);
	server->spare_fd = -1;
	CHECK(skyipc_server_start(server) == 0);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	was = set_limit(RLIMIT_NOFILE, (uint64_t)fd + 1);
	child_say(me, 0);
	CHECK(child_hear(me) == 0);
	set_limit(RLIMIT_NOFILE, was);
	child_await_end(me);
	CHECK(skyipc_server_stop(server, LIMIT) == 0);
	skyipc_server_destroy(server);
	return 0;
}

static void *connect_patiently(void *arg)
{
	struct skyipc_connect_attr attr = { .size = sizeof(attr),
					    .timeout_ns =
						    UINT64_C(60000000000) };
	struct skyipc_conn *conn;

	CHECK(skyipc_connect(arg, &attr, &conn) == 0);
	CHECK(skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT) == 0);
	skyipc_close(conn);
	return NULL;
}

static void no_spare(void **state)
{
	const char *name = new_name();
	uint64_t cpu, begin;
	pthread_t thread;
	struct child s;

	(void)state;
	if (under_valgrind())
		skip();
	child_start(&s, robbed_server, (void *)name);
	child_hear(&s);
	assert_int_equal(
		pthread_create(&thread, NULL, connect_patiently, (void *)name),
		0);
	/* It looks again now and then; a loop would take all of a CPU. */
	begin = time_ns();
	cpu = cpu_ns_of(s.pid);
	while (time_ns() - begin < 500000000u)
		moment();
	/* (Where all takes long, each of its looks does.) */
	assert_true(cpu_ns_of(s.pid) - cpu <
		    (slowness > 1 ? 300000000u : 100000000u));
	child_say(&s, 0);
	pthread_join(thread, NULL);
	assert_int_equal(child_end(&s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mappings),
		cmocka_unit_test(strangers),
		cmocka_unit_test(no_spare),
	};

	return run_variants("shares", tests, ARRAY_LEN(tests), 0);
}
