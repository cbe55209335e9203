/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_nest_test.c - handlers that call other servers by VMFUNC, from the
 * view where they run: a chain of servers, each of which adds one
 */
#include "testlib.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#if defined(__x86_64__)
#include "vmfunc_pair.h"

enum { CHAIN = 4 };

/* What the last one does */
enum { ADD, KERNEL, SPIN, UNTIL, CRASH };

static const char *names[CHAIN];
static struct child servers[CHAIN];
/* Of a server: which one it is, and its way to the next */
static int me;
static struct skyipc_conn *_Atomic next;
static struct {
	_Atomic int spinning, told;
} * seen;

static struct skyipc_conn *to_next(void)
{
	struct skyipc_conn *conn = next, *none = NULL;

	if (conn)
		return conn;
	if (skyipc_connect(names[me + 1], NULL, &conn))
		return NULL;
	if (atomic_compare_exchange_strong(&next, &none, conn))
		return conn;
	skyipc_close(conn);
	return none;
}

static void last_does(uint32_t op, uint64_t n)
{
	switch (op) {
	case KERNEL:
		syscall(SYS_getppid);
		break;
	case SPIN:
		seen->spinning++;
		for (volatile uint64_t i = 0; i < n; i++)
			;
		break;
	case UNTIL:
		seen->spinning++;
		while (!seen->told)
			;
		break;
	case CRASH:
		__builtin_trap();
	}
}

/* in[0]: how many more servers; in[1]: for the last one */
static int32_t handler(struct skyipc_call *call, void *arg)
{
	uint64_t in[SKYIPC_WORDS] = { call->in[0] - 1, call->in[1] };
	uint64_t out[SKYIPC_WORDS] = { 0 };
	int32_t status = 0;
	int err;

	(void)arg;
	if (!call->in[0]) {
		last_does(call->op, call->in[1]);
		call->out[0] = 1;
		return 0;
	}
	err = skyipc_call(to_next(), call->op, in, out, &status, 0);
	call->out[0] = out[0] + 1;
	return err ? err : status;
}

static void chain_up(int n, uint32_t workers)
{
	const struct skyipc_server_attr attr = {
		.size = sizeof(attr),
		.handler = handler,
		.workers = workers,
	};

	if (!has_views())
		skip();
	transport = "vmfunc";
	next = NULL;
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(seen != MAP_FAILED);
	for (int i = 0; i < n; i++)
		names[i] = new_name();
	for (me = n - 1; me >= 0; me--)
		server_spawn(&servers[me], names[me], &attr);
}

static void chain_down(int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(child_end(&servers[i]), 0);
	munmap(seen, 4096);
}

static int call(struct skyipc_conn *conn, uint32_t op, uint64_t more,
		uint64_t n)
{
	const uint64_t in[SKYIPC_WORDS] = { more, n };
	uint64_t out[SKYIPC_WORDS];
	int32_t status;
	int err = skyipc_call(conn, op, in, out, &status, LIMIT * slowness);

	if (err)
		return err;
	return status ? status : (int)out[0];
}

static struct skyipc_views views_of(const char *name)
{
	struct skyipc_server_info info = { .size = sizeof(info) };

	query_of(name, &info);
	return info.stats.views;
}

static uint64_t moved(const struct skyipc_views *v)
{
	return v->moved_fault + v->moved_syscall + v->moved_exception +
	       v->moved_late + v->moved_deadline + v->moved_gone +
	       v->moved_barred + v->moved_asked;
}

/* Once each has its way, none moves. */
static void stays(void **state)
{
	struct skyipc_views before[CHAIN], after[CHAIN];
	struct skyipc_conn *conn;

	(void)state;
	chain_up(CHAIN, 2);
	conn = connect_to(names[0], NULL);
	for (int more = 1; more < CHAIN; more++)
		for (int i = 0; i < 20; i++)
			assert_int_equal(call(conn, ADD, (uint64_t)more, 0),
					 more + 1);
	for (int i = 0; i < CHAIN; i++)
		before[i] = views_of(names[i]);
	for (int i = 0; i < 300; i++)
		assert_int_equal(call(conn, ADD, CHAIN - 1, 0), CHAIN);
	for (int i = 0; i < CHAIN; i++) {
		after[i] = views_of(names[i]);
		print_message("# server %d: %u calls in views, %u moved\n", i,
			      (unsigned)(after[i].calls - before[i].calls),
			      (unsigned)(moved(&after[i]) - moved(&before[i])));
	}
	for (int i = 0; i < CHAIN; i++) {
		assert_true(after[i].calls - before[i].calls >= 290);
		assert_in_range(moved(&after[i]) - moved(&before[i]), 0, 10);
	}
	skyipc_close(conn);
	chain_down(CHAIN);
}

/* The last one leaves the view: all of them go on in their workers. */
static void moves(void **state)
{
	struct skyipc_conn *conn;

	(void)state;
	chain_up(CHAIN, 2);
	conn = connect_to(names[0], NULL);
	for (int i = 0; i < 60; i++) {
		const uint64_t more = (uint64_t)i % CHAIN;

		assert_int_equal(call(conn, ADD, more, 0), (int)more + 1);
		assert_int_equal(call(conn, KERNEL, more, 0), (int)more + 1);
	}
	skyipc_close(conn);
	chain_down(CHAIN);
}

/* Interrupted at the far end, it goes on there. */
static void resumes(void **state)
{
	struct skyipc_views before, after;
	struct skyipc_conn *conn;

	(void)state;
	chain_up(3, 2);
	conn = connect_to(names[0], NULL);
	for (int i = 0; i < 20; i++)
		assert_int_equal(call(conn, ADD, 2, 0), 3);
	before = views_of(names[2]);
	for (int i = 0; i < 5; i++)
		assert_int_equal(call(conn, SPIN, 2, 1000000), 3);
	after = views_of(names[2]);
	assert_true(after.resumed > before.resumed);
	skyipc_close(conn);
	chain_down(3);
}

static void *calls(void *arg)
{
	struct skyipc_conn *conn = arg;

	for (int i = 0; i < 200; i++) {
		const uint64_t more = (uint64_t)i % 3;
		const uint32_t op = i % 7 ? ADD : KERNEL;

		CHECK(call(conn, op, more, 0) == (int)more + 1);
	}
	return NULL;
}

/* Several threads, one worker in each: they wait for each other. */
static void crowd(void **state)
{
	struct skyipc_conn *conn;
	pthread_t threads[4];

	(void)state;
	chain_up(3, 1);
	conn = connect_to(names[0], NULL);
	for (unsigned i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, calls, conn),
				 0);
	for (unsigned i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	skyipc_close(conn);
	chain_down(3);
}

/* The client is killed while the last one runs: nobody is left half-way. */
static void client_dies(void **state)
{
	struct skyipc_conn *conn;
	pid_t pid;

	(void)state;
	chain_up(3, 1);
	for (int round = 0; round < 3; round++) {
		seen->spinning = 0;
		pid = fork();
		if (!pid) {
			conn = connect_to(names[0], NULL);
			for (int i = 0; i < 5; i++)
				call(conn, ADD, 2, 0);
			for (;;)
				call(conn, SPIN, 2, 300000);
		}
		assert_true(WAIT_FOR(seen->spinning > 2));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		conn = connect_to(names[0], NULL);
		for (int i = 0; i < 10; i++)
			assert_int_equal(call(conn, ADD, 2, 0), 3);
		skyipc_close(conn);
	}
	chain_down(3);
}

/* The last one crashes: the one before hears of it, and replies. */
static void server_dies(void **state)
{
	struct skyipc_conn *conn;

	(void)state;
	chain_up(3, 2);
	conn = connect_to(names[0], NULL);
	for (int i = 0; i < 20; i++)
		assert_int_equal(call(conn, ADD, 2, 0), 3);
	assert_int_equal(call(conn, CRASH, 2, 0), -ECONNRESET);
	assert_int_equal(call(conn, ADD, 0, 0), 1);
	assert_int_equal(call(conn, ADD, 1, 0), 2);
	assert_int_equal(call(conn, ADD, 2, 0), -EPIPE);
	skyipc_close(conn);
	for (int i = 0; i < 2; i++)
		assert_int_equal(child_end(&servers[i]), 0);
	child_kill(&servers[2]);
	munmap(seen, 4096);
}

static void *spins(void *arg)
{
	while (call(arg, SPIN, 2, 300000) == 3)
		;
	return NULL;
}

/*
 * The middle one is killed while the last one runs: who called it hears of
 * that, and the last one, whose only permit that handler has, goes on.
 */
static void middle_dies(void **state)
{
	struct skyipc_conn *conn, *last;
	pthread_t thread;

	(void)state;
	for (int round = 0; round < 5; round++) {
		chain_up(3, 1);
		conn = connect_to(names[0], NULL);
		last = connect_to(names[2], NULL);
		for (int i = 0; i < 10; i++)
			assert_int_equal(call(conn, ADD, 2, 0), 3);
		assert_int_equal(pthread_create(&thread, NULL, spins, conn), 0);
		assert_true(WAIT_FOR(seen->spinning > 2 + round));
		child_kill(&servers[1]);
		pthread_join(thread, NULL);
		for (int i = 0; i < 10; i++)
			assert_int_equal(call(last, ADD, 0, 0), 1);
		assert_int_equal(call(conn, ADD, 0, 0), 1);
		skyipc_close(last);
		skyipc_close(conn);
		assert_int_equal(child_end(&servers[0]), 0);
		assert_int_equal(child_end(&servers[2]), 0);
		munmap(seen, 4096);
	}
}

static void *calls_some(void *arg)
{
	for (int i = 0; i < 20; i++)
		CHECK(call(arg, ADD, 2, 0) == 3);
	return NULL;
}

/*
 * The thread that has called has ended, and its connection has not: servers can
 * be stopped in any order.
 */
static void thread_ends(void **state)
{
	struct skyipc_conn *conn;
	pthread_t thread;

	(void)state;
	for (int first = 0; first < 3; first++) {
		chain_up(3, 1);
		conn = connect_to(names[0], NULL);
		pthread_create(&thread, NULL, calls_some, conn);
		pthread_join(thread, NULL);
		for (int i = 0; i < 3; i++)
			assert_int_equal(child_end(&servers[(first + i) % 3]),
					 0);
		skyipc_close(conn);
		munmap(seen, 4096);
	}
}

static void *waits_long(void *arg)
{
	CHECK(call(arg, UNTIL, 1, 0) == 2);
	return NULL;
}

/*
 * A handler that waits for another server does not keep others waiting: it
 * gives its permit back when somebody wants one.
 */
static void recalled(void **state)
{
	struct skyipc_conn *conn, *other;
	pthread_t thread;

	(void)state;
	chain_up(2, 1);
	conn = connect_to(names[0], NULL);
	other = connect_to(names[0], NULL);
	for (int i = 0; i < 20; i++)
		assert_int_equal(call(conn, ADD, 1, 0), 2);
	for (int round = 1; round <= 5; round++) {
		seen->told = 0;
		pthread_create(&thread, NULL, waits_long, conn);
		assert_true(WAIT_FOR(seen->spinning == round));
		for (int i = 0; i < 5; i++)
			assert_int_equal(call(other, ADD, 0, 0), 1);
		seen->told = 1;
		pthread_join(thread, NULL);
	}
	skyipc_close(other);
	skyipc_close(conn);
	chain_down(2);
}

/* Another thread's link gets the same workers: their calls come back to views.
 */
static void next_thread(void **state)
{
	struct skyipc_views before, after;
	struct skyipc_conn *conn;
	pthread_t thread;

	(void)state;
	chain_up(3, 2);
	conn = connect_to(names[0], NULL);
	for (int i = 0; i < 3; i++) {
		before = views_of(names[2]);
		pthread_create(&thread, NULL, calls_some, conn);
		pthread_join(thread, NULL);
		after = views_of(names[2]);
		assert_true(after.calls - before.calls >= 10);
	}
	skyipc_close(conn);
	chain_down(3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stays),       cmocka_unit_test(moves),
		cmocka_unit_test(resumes),     cmocka_unit_test(crowd),
		cmocka_unit_test(client_dies), cmocka_unit_test(server_dies),
		cmocka_unit_test(middle_dies), cmocka_unit_test(thread_ends),
		cmocka_unit_test(next_thread), cmocka_unit_test(recalled),
	};

	cmocka_set_test_filter(getenv("SKY_TEST"));
	return cmocka_run_group_tests_name("nested calls by VMFUNC", tests,
					   NULL, NULL);
}

#else
int main(void)
{
	return 0;
}
#endif
