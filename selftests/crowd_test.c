/* SPDX-License-Identifier: MIT */
/*
 * crowd_test.c - many threads that call many servers, and are not left alone
 *
 * 64 threads with a channel to each of 8 servers call them in turn, while they
 * are moved between CPUs, are preempted by each other and by threads that only
 * run, and are interrupted by signals. Each result is looked at, words and what
 * servers compute from them in floating point.
 */
#include "testlib.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

enum { SERVERS = 8, THREADS = 64, RUNNERS = 8 };

static struct skyipc_conn *conns[SERVERS];
static _Atomic int end;
static _Atomic uint64_t interrupted;

/* As much of it as would show whose registers these are */
static double mix(double a, double b)
{
	return a * 1.0000001 + b / 3.0;
}

static int32_t handler(struct skyipc_call *call, void *arg)
{
	uint64_t which = (uintptr_t)arg;
	double d = 0;

	for (int i = 0; i < SKYIPC_WORDS; i++) {
		d = mix(d, (double)(call->in[i] & 0xffff));
		call->out[i] = call->in[i] * 3 + which;
	}
	memcpy(&call->out[SKYIPC_WORDS - 1], &d, sizeof(d));
	return (int32_t)(call->op + which);
}

static void check_call(unsigned server, uint64_t *random)
{
	uint64_t in[SKYIPC_WORDS], out[SKYIPC_WORDS], want;
	double d = 0;
	uint32_t op = (uint32_t)(*random >> 33) % 1000;
	int32_t status;

	for (int i = 0; i < SKYIPC_WORDS; i++) {
		*random = *random * UINT64_C(6364136223846793005) + 1;
		in[i] = *random >> 13;
		d = mix(d, (double)(in[i] & 0xffff));
	}
	CHECK(!skyipc_call(conns[server], op, in, out, &status, LIMIT * 3));
	CHECK(status == (int32_t)(op + server));
	for (int i = 0; i < SKYIPC_WORDS - 1; i++)
		CHECK(out[i] == in[i] * 3 + server);
	memcpy(&want, &d, sizeof(want));
	CHECK(out[SKYIPC_WORDS - 1] == want);
}

/* Of each thread to each server */
static unsigned calls(void)
{
	return 40 / slowness + 1;
}

static _Atomic pid_t tids[THREADS];

static void *caller(void *arg)
{
	uint64_t random = (uintptr_t)arg * 77 + 1;
	unsigned first = (unsigned)(uintptr_t)arg;

	tids[first] = gettid();
	for (unsigned i = 0; i < calls() * SERVERS; i++)
		check_call((first + i) % SERVERS, &random);
	return NULL;
}

static void *runner(void *arg)
{
	while (!atomic_load_explicit(&end, memory_order_relaxed))
		;
	return arg;
}

/* From one CPU to another, and back */
static void *mover(void *arg)
{
	cpu_set_t all, one;
	int n, i = 0;

	CHECK(!sched_getaffinity(0, sizeof(all), &all));
	n = CPU_COUNT(&all);
	while (!end) {
		int cpu = 0, k = i++ % n;

		while (!CPU_ISSET(cpu, &all) || k--)
			cpu++;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		/* (Those that are not there yet are we ourselves.) */
		for (int t = i % 3; t < THREADS; t += 3)
			sched_setaffinity(tids[t], sizeof(one), &one);
		moment();
	}
	return arg;
}

static void count_signal(int sig)
{
	(void)sig;
	atomic_fetch_add_explicit(&interrupted, 1, memory_order_relaxed);
}

static void crowd(void **state)
{
	const struct variant *v = *state;
	const struct itimerval often = { { 0, 5000 }, { 0, 5000 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction act = { .sa_handler = count_signal,
				 .sa_flags = SA_RESTART };
	struct child servers[SERVERS];
	pthread_t threads[THREADS], others[RUNNERS + 1];

	transport = v->transport;
	for (unsigned i = 0; i < SERVERS; i++) {
		const struct skyipc_server_attr attr = {
			.size = sizeof(attr),
			.handler = handler,
			.arg = (void *)(uintptr_t)i,
			.workers = 2,
		};
		const char *name = new_name();

		server_spawn(&servers[i], name, &attr);
		conns[i] = connect_to(name, NULL);
	}
	end = 0;
	interrupted = 0;
	for (int i = 0; i < THREADS; i++)
		tids[i] = 0;
	sigaction(SIGPROF, &act, NULL);
	setitimer(ITIMER_PROF, &often, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, caller, (void *)i),
			0);
	for (int i = 0; i <= RUNNERS; i++)
		assert_int_equal(pthread_create(&others[i], NULL,
						i ? runner : mover, NULL),
				 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	end = 1;
	for (int i = 0; i <= RUNNERS; i++)
		pthread_join(others[i], NULL);
	setitimer(ITIMER_PROF, &never, NULL);
	/* One may be pending: it is none of its default. */
	signal(SIGPROF, SIG_IGN);
	for (unsigned i = 0; i < SERVERS; i++) {
		struct skyipc_stats s;

		conn_stats_of(conns[i], &s);
		assert_int_equal(s.errors, 0);
		assert_int_equal(s.calls, THREADS * calls());
		skyipc_close(conns[i]);
		assert_int_equal(child_end(&servers[i]), 0);
	}
	assert_true(interrupted > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(crowd) };

	return run_variants("crowd", tests, ARRAY_LEN(tests), 0);
}
