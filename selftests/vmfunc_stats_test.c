/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_stats_test.c - calls by VMFUNC are counted: each one, at once, by both
 * sides, and what becomes of them
 *
 * Where there are no views, all but the counting itself is skipped.
 */
#include "testlib.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#include "vmfunc_count.h"
#include "vmfunc_pair.h"

/* ---- the counting -------------------------------------------------------- */

#define TURN 64u

static struct vmfunc_count count;
static uint32_t word;
static _Atomic uint64_t begun, ended;
static _Atomic int over;

static uint32_t as_it_is(uint32_t left)
{
	return left;
}

/* Between two bounds, and never less than before */
static uint64_t check(uint64_t n, uint64_t low, uint64_t last)
{
	CHECK(n >= low);
	CHECK(n <= begun);
	CHECK(n >= last);
	return n;
}

static void *read_count(void *arg)
{
	uint64_t last = 0;

	(void)arg;
	while (!over) {
		uint64_t low = ended;

		last = check(vmfunc_count_read(&count, &word, as_it_is), low,
			     last);
	}
	return NULL;
}

/* As vmfunc_landing does it, and C behind */
static void counts(void **state)
{
	const uint64_t turns = 200000 / slowness;
	pthread_t readers[2];
	uint64_t n = 0;

	(void)state;
	over = 0;
	begun = ended = 0;
	for (unsigned i = 0; i < ARRAY_LEN(readers); i++)
		assert_int_equal(
			pthread_create(&readers[i], NULL, read_count, NULL), 0);
	for (uint64_t t = 0; t < turns; t++) {
		unsigned calls = (unsigned)(t * 7919 % (TURN + 1));

		vmfunc_count_set(&word, TURN);
		vmfunc_count_begin(&count, TURN);
		for (unsigned i = 0; i < calls; i++) {
			begun = ++n;
			__atomic_store_n(&word, word - 1, __ATOMIC_RELEASE);
			ended = n;
		}
		assert_int_equal(vmfunc_count_end(&count, word), calls);
		/* Whatever it says now, nobody goes by it. */
		vmfunc_count_set(&word, 12345);
		assert_int_equal(vmfunc_count_end(&count, word), 0);
	}
	over = 1;
	for (unsigned i = 0; i < ARRAY_LEN(readers); i++)
		pthread_join(readers[i], NULL);
	assert_true(vmfunc_count_read(&count, &word, as_it_is) == n);
}

/* ---- calls -----------------------------------------------------------------
 */

enum { NOTHING, KERNEL, FRESH, LONG };

static int32_t handler(struct skyipc_call *call, void *arg)
{
	static volatile char pages[64 * 4096];

	(void)arg;
	switch (call->op) {
	case KERNEL:
		syscall(SYS_getppid);
		break;
	case FRESH:
		pages[call->in[0] % 64 * 4096]++;
		break;
	case LONG:
		for (volatile uint64_t i = 0; i < call->in[0]; i++)
			;
		break;
	}
	return 0;
}

static int32_t nothing(struct skyipc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	return 0;
}

static void call(struct skyipc_conn *conn, uint32_t op, uint64_t arg)
{
	const uint64_t in[SKYIPC_WORDS] = { arg };

	assert_int_equal(skyipc_call(conn, op, in, NULL, NULL, 0), 0);
}

static int calling;

static struct skyipc_stats as_server(const struct pair *p)
{
	struct skyipc_server_info info = { .size = sizeof(info) };
	struct skyipc_conn_info *conns;
	struct skyipc_stats s;
	size_t n;

	assert_int_equal(skyipc_query(p->name, &info, &conns, &n, LIMIT), 0);
	assert_int_equal(n, 1);
	s = conns[0].stats;
	free(conns);
	/* Nobody else has called; but somebody may be calling just now. */
	if (!calling) {
		assert_true(info.stats.calls == s.calls);
		assert_memory_equal(&info.stats.views, &s.views,
				    sizeof(s.views));
	}
	return s;
}

static uint64_t moved(const struct skyipc_views *v)
{
	return v->moved_fault + v->moved_syscall + v->moved_exception +
	       v->moved_late + v->moved_deadline + v->moved_gone +
	       v->moved_barred + v->moved_asked;
}

/* After each call there is one more, on both sides. */
static void at_once(void **state)
{
	struct skyipc_stats s;
	struct pair p;

	(void)state;
	pair_up(&p, handler, nothing, 1);
	for (unsigned i = 1; i <= 200; i++) {
		call(p.conn, NOTHING, 0);
		conn_stats_of(p.conn, &s);
		assert_int_equal(s.calls, i);
		assert_int_equal(s.views.calls, i);
		assert_int_equal(moved(&s.views), 0);
		s = as_server(&p);
		assert_int_equal(s.calls, i);
		assert_int_equal(s.views.calls, i);
	}
	pair_down(&p);
}

static void why(void **state)
{
	struct skyipc_server_info info;
	struct skyipc_stats a, b;
	struct pair p;

	(void)state;
	pair_up(&p, handler, nothing, 1);
	for (unsigned i = 0; i < 70; i++)
		call(p.conn, KERNEL, 0);
	call(p.conn, FRESH, 0);
	a = as_server(&p);
	assert_int_equal(a.calls, 71);
	assert_int_equal(a.views.calls, 71);
	assert_in_range(a.views.syscalls, 70, 80);
	assert_int_equal(a.views.moved_syscall, a.views.syscalls);
	for (unsigned i = 1; i < 64; i++)
		call(p.conn, FRESH, i);
	b = as_server(&p);
	assert_in_range(b.views.moved_fault - a.views.moved_fault, 63, 70);
	assert_true(b.views.moved_fault == b.views.faults);
	assert_int_equal(b.views.moved_syscall, a.views.moved_syscall);
	/* A second or so: each tick stops it, and it goes on. */
	call(p.conn, LONG, 4000000);
	a = as_server(&p);
	assert_true(a.views.interrupts > b.views.interrupts);
	assert_true(a.views.interrupts + a.views.faults + a.views.syscalls +
			    a.views.exceptions ==
		    a.views.resumed + a.views.finished + moved(&a.views));
	/* What a connection has done stays in the server's sum. */
	skyipc_close(p.conn);
	assert_true(WAIT_FOR((query_of(p.name, &info), !info.stats.conns)));
	assert_true(WAIT_FOR((query_of(p.name, &info), !info.stats.mem)));
	assert_true(info.stats.calls == a.calls);
	assert_memory_equal(&info.stats.views, &a.views, sizeof(a.views));
	p.conn = connect_to(p.name, NULL);
	pair_down(&p);
}

/* ---- read while others call -----------------------------------------------
 */

static void *keep_calling(void *arg)
{
	const uint64_t in[SKYIPC_WORDS] = { 0 };
	struct pair *p = arg;

	for (unsigned i = 0; !over; i++) {
		begun++;
		/* One with a limit of its own goes through C. */
		CHECK(!skyipc_call(p->conn, NOTHING, in, NULL, NULL,
				   i % 100 ? 0 : LIMIT));
		ended++;
	}
	return NULL;
}

static void while_calling(void **state)
{
	struct skyipc_stats s;
	uint64_t low, conn_last = 0, server_last = 0;
	pthread_t threads[2];
	struct pair p;

	(void)state;
	/* One worker: now and then one of them has to wait. */
	pair_up(&p, handler, nothing, 1);
	calling = 1;
	over = 0;
	begun = ended = 0;
	for (unsigned i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, keep_calling, &p), 0);
	while (ended < 20000 / slowness) {
		low = ended;
		conn_stats_of(p.conn, &s);
		conn_last = check(s.calls, low, conn_last);
		low = ended;
		s = as_server(&p);
		server_last = check(s.calls, low, server_last);
	}
	over = 1;
	for (unsigned i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	calling = 0;
	conn_stats_of(p.conn, &s);
	assert_true(s.calls == ended);
	s = as_server(&p);
	assert_true(s.calls == ended);
	pair_down(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(at_once),
		cmocka_unit_test(why),
		cmocka_unit_test(while_calling),
	};

	cmocka_set_test_filter(getenv("SKY_TEST"));
	return cmocka_run_group_tests_name("statistics of vmfunc", tests, NULL,
					   NULL);
}

#else
int main(void)
{
	return 0;
}
#endif
