/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_busy_test.c - calls by VMFUNC for which no permit is left, which their
 * server says only after they have moved to the module
 *
 * A system call at a named point of the library moves them there, as whatever
 * takes a while would. Where there are no views, everything is skipped.
 */
#include "testlib.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define SKY_TEST_POINTS
#include "point.h"

#if defined(__x86_64__)
#include "vmfunc_pair.h"

enum { NOTHING, HOLD, SUM };

#define LONG 5000u

/* Both processes' */
static struct shared {
	_Atomic int held, let_go, moved, sums;
} * shared;

void sky_point(const char *name)
{
	if (!shared || !shared->held || strcmp(name, "server-vmfunc"))
		return;
	syscall(SYS_getppid);
	shared->moved++;
}

static int32_t handler(struct skyipc_call *call, void *arg)
{
	const uint8_t *data = call->data;
	uint8_t *reply = call->reply;

	(void)arg;
	if (call->op == HOLD) {
		shared->held = 1;
		while (!shared->let_go)
			sched_yield();
		shared->held = 0;
		return 0;
	}
	shared->sums++;
	for (int i = 0; i < SKYIPC_WORDS; i++)
		call->out[i] = call->in[i] + 1;
	for (size_t i = 0; i < call->len; i++)
		reply[i] = (uint8_t)(data[i] + 1);
	call->reply_len = call->len;
	return 7;
}

static int32_t nothing(struct skyipc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	return 0;
}

struct pair_with_holder {
	struct pair p;
	struct skyipc_conn *conn; /* the holder's */
	pthread_t holder, releaser;
	uint64_t parks;
	_Atomic int over;
};

static void *hold(void *arg)
{
	const struct pair_with_holder *h = arg;
	uint64_t in[SKYIPC_WORDS] = { 0 };

	CHECK(!skyipc_call(h->conn, HOLD, in, NULL, NULL, SKYIPC_FOREVER));
	return NULL;
}

/* When the other call has gone to the module so often, or is over. */
static void *release(void *arg)
{
	struct pair_with_holder *h = arg;
	struct skyipc_stats s = { .parks = 0 };

	while (!h->over && s.parks < h->parks) {
		conn_stats_of(h->p.conn, &s);
		sched_yield();
	}
	shared->let_go = 1;
	return NULL;
}

static void up(struct pair_with_holder *h)
{
	uint64_t in[SKYIPC_WORDS] = { 0 };

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	pair_up(&h->p, handler, nothing, 1);
	/* From here on calls of the usual kind are made in assembly. */
	assert_int_equal(skyipc_call(h->p.conn, NOTHING, in, NULL, NULL, 0), 0);
	h->conn = connect_to(h->p.name, NULL);
}

static void holder_up(struct pair_with_holder *h, uint64_t more)
{
	struct skyipc_stats s;

	conn_stats_of(h->p.conn, &s);
	h->parks = s.parks + more;
	shared->let_go = 0;
	h->over = 0;
	shared->moved = 0;
	pthread_create(&h->holder, NULL, hold, h);
	assert_true(WAIT_FOR(shared->held));
	pthread_create(&h->releaser, NULL, release, h);
}

static void holder_down(struct pair_with_holder *h)
{
	h->over = 1;
	pthread_join(h->releaser, NULL);
	pthread_join(h->holder, NULL);
	/* This is what it is about. */
	assert_int_equal(shared->moved, 1);
}

static void down(struct pair_with_holder *h)
{
	skyipc_close(h->conn);
	pair_down(&h->p);
	munmap(shared, sizeof(*shared));
	shared = NULL;
}

/* One that began in assembly, and one that has a limit of its own */
static void short_ones(void **state)
{
	static const skyipc_time limits[] = { SKYIPC_DEFAULT,
					      SKYIPC_SEC(3600) };
	struct pair_with_holder h;
	struct skyipc_stats s0, s;

	(void)state;
	up(&h);
	for (size_t k = 0; k < ARRAY_LEN(limits); k++) {
		uint64_t in[SKYIPC_WORDS] = { k, 2, 3, 4, 5, 6 }, out[6];
		int32_t status = 0;
		int err;

		conn_stats_of(h.p.conn, &s0);
		holder_up(&h, 2);
		err = skyipc_call(h.p.conn, SUM, in, out, &status, limits[k]);
		holder_down(&h);
		if (err)
			fail_msg("%zu: %s (%s)", k, strerror(-err),
				 skyipc_errmsg());
		assert_int_equal(status, 7);
		for (int i = 0; i < SKYIPC_WORDS; i++)
			assert_int_equal(out[i], in[i] + 1);
		assert_int_equal(shared->sums, k + 1);
		conn_stats_of(h.p.conn, &s);
		assert_int_equal(s.calls - s0.calls, 1);
		assert_int_equal(s.views.calls - s0.views.calls, 0);
		assert_int_equal(s.errors, 0);
		/* And the next ones are usual again. */
		assert_int_equal(
			skyipc_call(h.p.conn, NOTHING, in, NULL, NULL, 0), 0);
	}
	down(&h);
}

static void long_one(void **state)
{
	static uint8_t data[LONG];
	struct skyipc_msg req = { .op = SUM, .data = data, .len = LONG };
	struct skyipc_msg rep = { .len = 0 };
	struct pair_with_holder h;
	const uint8_t *back;
	int err;

	(void)state;
	up(&h);
	for (size_t i = 0; i < LONG; i++)
		data[i] = (uint8_t)(i * 7);
	holder_up(&h, 2);
	err = skyipc_call_msg(h.p.conn, &req, &rep, SKYIPC_FOREVER);
	holder_down(&h);
	if (err)
		fail_msg("%s (%s)", strerror(-err), skyipc_errmsg());
	assert_int_equal(rep.status, 7);
	assert_int_equal(rep.len, LONG);
	back = rep.data;
	for (size_t i = 0; i < LONG; i++)
		assert_int_equal(back[i], (uint8_t)(i * 7 + 1));
	assert_int_equal(shared->sums, 1);
	down(&h);
}

/* A limit is for both ways together. */
static void times_out(void **state)
{
	uint64_t in[SKYIPC_WORDS] = { 0 };
	struct pair_with_holder h;
	struct skyipc_stats s;

	(void)state;
	up(&h);
	holder_up(&h, 1000); /* until it is over */
	assert_int_equal(skyipc_call(h.p.conn, SUM, in, NULL, NULL,
				     SKYIPC_MS(500) * slowness),
			 -ETIMEDOUT);
	holder_down(&h);
	/* Whoever waits for a permit with it may not know that yet. */
	assert_int_equal(skyipc_call(h.p.conn, NOTHING, in, NULL, NULL, 0), 0);
	assert_in_range(shared->sums, 0, 1);
	conn_stats_of(h.p.conn, &s);
	assert_int_equal(s.errors, 1);
	down(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_ones),
		cmocka_unit_test(long_one),
		cmocka_unit_test(times_out),
	};

	return cmocka_run_group_tests_name("vmfunc_busy", tests, NULL, NULL);
}
#else
void sky_point(const char *name)
{
	(void)name;
}

int main(void)
{
	return 0;
}
#endif
