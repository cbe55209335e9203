/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_cost_test.c - what the library's calls by VMFUNC cost
 *
 * Where there are no views, everything is skipped. In an emulator whose time
 * stamp counter counts instructions, SKY_COUNTS=1 says so.
 */
#include "testlib.h"

#include <sys/syscall.h>

#if defined(__x86_64__)
#include <x86intrin.h>

#include "vmfunc_pair.h"

/* All that a call may take: from skyipc_call() to the handler, and back */
enum { INSTRUCTIONS = 160 };
/* ... if its handler makes a system call: on top of one through the module */
enum { MOVED_INSTRUCTIONS = 2000 };
/* An interrupt in a view: on top of the same one elsewhere */
enum { INTERRUPT_INSTRUCTIONS = 1500 };

enum { NOTHING, KERNEL, INTERRUPTED };

enum { SEEN = 301 };

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/*
 * The usual interrupt of this loop, which are the timer's: what the time stamp
 * counter goes on by, more than it does otherwise.
 */
static uint64_t usual_interrupt(void)
{
	uint64_t t = __rdtsc(), seen[SEEN], now, least = UINT64_MAX;
	unsigned n = 0;

	for (int i = 0; i < 100; i++, t = now) {
		now = __rdtsc();
		least = now - t < least ? now - t : least;
	}
	while (n < SEEN) {
		now = __rdtsc();
		if (now - t > 10 * least + 100)
			seen[n++] = now - t;
		t = now;
	}
	qsort(seen, SEEN, sizeof(seen[0]), by_size);
	return seen[SEEN / 2];
}

static int32_t handler(struct skyipc_call *call, void *arg)
{
	(void)arg;
	if (call->op == KERNEL)
		syscall(SYS_getppid);
	if (call->op == INTERRUPTED)
		call->out[0] = usual_interrupt();
	return 0;
}

static int32_t nothing(struct skyipc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	return 0;
}

static void up(struct pair *p)
{
	pair_up(p, handler, nothing, 1);
}

typedef int call_fn(struct skyipc_conn *conn, uint32_t op, const uint64_t *in,
		    uint64_t *out, int32_t *status, skyipc_time t);

static int no_call(struct skyipc_conn *conn, uint32_t op, const uint64_t *in,
		   uint64_t *out, int32_t *status, skyipc_time t)
{
	(void)conn;
	(void)op;
	(void)in;
	(void)out;
	(void)status;
	(void)t;
	return 0;
}

/* The least that many have taken */
static uint64_t least(call_fn *volatile fn, struct skyipc_conn *conn,
		      uint32_t op)
{
	uint64_t in[SKYIPC_WORDS] = { 1 }, out[SKYIPC_WORDS], t,
		 best = UINT64_MAX;
	int32_t status;

	for (int i = 0; i < 1000; i++) {
		t = __rdtsc();
		if (fn(conn, op, in, out, &status, SKYIPC_DEFAULT))
			fail();
		t = __rdtsc() - t;
		best = t < best ? t : best;
	}
	return best;
}

static void costs(void **state)
{
	uint64_t all, none;
	struct pair p;

	(void)state;
	up(&p);
	all = least(skyipc_call, p.conn, NOTHING);
	none = least(no_call, p.conn, NOTHING);
	print_message("# %llu, of which %llu are the measurement's\n",
		      (unsigned long long)all, (unsigned long long)none);
	if (getenv("SKY_COUNTS"))
		assert_in_range(all - none, 1, INSTRUCTIONS);
	pair_down(&p);
}

static void moves(void **state)
{
	struct skyipc_connect_attr by_kcall = { .size = sizeof(by_kcall),
						.transport = "kcall" };
	uint64_t moved, module;
	struct skyipc_conn *other;
	struct skyipc_stats s;
	struct pair p;

	(void)state;
	up(&p);
	other = connect_to(p.name, &by_kcall);
	moved = least(skyipc_call, p.conn, KERNEL);
	module = least(skyipc_call, other, KERNEL);
	conn_stats_of(p.conn, &s);
	assert_int_equal(s.parks, s.calls);
	print_message("# %llu, and %llu through the module\n",
		      (unsigned long long)moved, (unsigned long long)module);
	if (getenv("SKY_COUNTS"))
		assert_in_range(moved, 1, module + MOVED_INSTRUCTIONS);
	skyipc_close(other);
	pair_down(&p);
}

static void interrupts(void **state)
{
	const uint64_t in[SKYIPC_WORDS] = { 0 };
	uint64_t out[SKYIPC_WORDS], here;
	struct pair p;

	(void)state;
	up(&p);
	assert_int_equal(skyipc_call(p.conn, INTERRUPTED, in, out, NULL, 0), 0);
	here = usual_interrupt();
	print_message("# %llu in a view, %llu elsewhere\n",
		      (unsigned long long)out[0], (unsigned long long)here);
	if (getenv("SKY_COUNTS"))
		assert_in_range(out[0], 1, here + INTERRUPT_INSTRUCTIONS);
	pair_down(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(costs),
		cmocka_unit_test(moves),
		cmocka_unit_test(interrupts),
	};

	return cmocka_run_group_tests_name("vmfunc cost", tests, NULL, NULL);
}
#else
int main(void)
{
	return 0;
}
#endif
