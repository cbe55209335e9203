/* SPDX-License-Identifier: MIT */
/*
 * The structure begins with every other key. Half of the updates put a key in,
 * half of them remove one, so that it stays about as large. What they returned
 * says how many entries there should be in the end, and the structure is asked
 * whether that is so.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <nr.h>

#include "clock.h"
#include "nr_run.h"
#include "util.h"

enum phase { WARM, RUN, STOP };

#define LAG_SAMPLES 10

/* What all threads of a round share; they only read it, but for @phase, which
 * changes twice. */
struct team {
	struct run *run;
	const struct nr_round *round;
	void *structure;
	pthread_barrier_t ready;
	_Alignas(128) atomic_int phase;
};

struct member {
	struct team *team;
	unsigned i;
	pthread_t thread;
	uint64_t random;
	unsigned until_sample;
	/* Reads, updates: before and while it was measured */
	uint64_t made[2][2];
	int64_t gain;	      /* entries more than at the start */
	struct hist *hist[2]; /* reads, updates */
};

static int value_ok(const struct nr_peer *peer, uint64_t key, uint64_t value)
{
	if (peer->kind == NR_QUEUE) /* somebody's */
		key = (uint32_t)value;
	return value == nr_value(key);
}

static int update(struct member *m, void *t, uint64_t key, int put)
{
	const struct nr_peer *peer = m->team->round->peer;
	uint64_t value = nr_value(key);
	int ret;

	if (put) {
		ret = peer->put(t, key, value);
		if (ret < 0)
			return run_fail(m->team->run, "put: %s",
					strerror(-ret));
		m->gain += !ret;
		return 0;
	}
	ret = peer->remove(t, key, &value);
	if (ret && ret != -ENOENT)
		return run_fail(m->team->run, "remove: %s", strerror(-ret));
	if (!ret && !value_ok(peer, key, value))
		return run_fail(m->team->run, "removed a wrong value");
	m->gain -= !ret;
	return 0;
}

static int look(struct member *m, void *t, uint64_t key)
{
	const struct nr_peer *peer = m->team->round->peer;
	uint64_t value = 0;
	int ret = peer->get(t, key, &value);

	if (ret && ret != -ENOENT)
		return run_fail(m->team->run, "get: %s", strerror(-ret));
	if (!ret && !value_ok(peer, key, value))
		return run_fail(m->team->run, "got a wrong value");
	return 0;
}

/* One operation; how it was drawn is not part of the time it took. */
static int operate(struct member *m, void *t, int measured)
{
	const struct nr_round *r = m->team->round;
	uint64_t key = nr_key(r->keys, &m->random), random, start = 0;
	int timed = !--m->until_sample, write = 0, put = 0, err;

	/* What is drawn for nothing is a part of every lookup's cost, too. */
	if (r->writes) {
		random = nr_random(&m->random);
		write = nr_below((uint32_t)random, 100) < r->writes;
		put = (int)(random >> 63);
	}
	if (timed)
		start = clock_ticks();
	err = write ? update(m, t, key, put) : look(m, t, key);
	if (timed) {
		m->until_sample = r->sample;
		if (measured)
			lat_record(m->hist[write], clock_ticks() - start);
	}
	m->made[measured][write]++;
	return err;
}

static void bind_to(struct run *run, unsigned i)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(place_cpu(i % place_cpus()), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		run_fail(run, "sched_setaffinity: %s", strerror(errno));
}

static void *member(void *arg)
{
	struct member *m = arg;
	struct team *team = m->team;
	const struct nr_peer *peer = team->round->peer;
	void *t;

	bind_to(team->run, m->i);
	t = peer->join ? peer->join(team->structure) : team->structure;
	if (!t)
		run_fail(team->run, "a thread has no memory to join");
	pthread_barrier_wait(&team->ready);
	while (t) {
		int phase = atomic_load_explicit(&team->phase,
						 memory_order_relaxed);

		if (phase == STOP || operate(m, t, phase == RUN))
			break;
	}
	if (t && peer->leave)
		peer->leave(t);
	return NULL;
}

/* ----------------------------------------------------- what libnr counts -- */

#define REPLICAS_MAX 1024

static int replicas(struct nr *nr, struct nr_replica_stats **to)
{
	static struct nr_replica_stats r[REPLICAS_MAX];
	struct nr_stats log = { .size = sizeof(log) };

	r[0].size = sizeof(r[0]);
	*to = r;
	return nr_stats(nr, &log, r, REPLICAS_MAX);
}

/* Before and after all threads, when nothing changes; @sign: -1, then 1. */
static void count(struct nr *nr, struct nr_counts *c, int sign)
{
	uint64_t by = (uint64_t)sign;
	struct nr_replica_stats *r;
	int n = replicas(nr, &r);

	c->replicas = (uint64_t)n;
	for (int i = 0; i < n; i++) {
		c->updates += by * r[i].updates;
		c->reads += by * r[i].reads;
		c->batches += by * r[i].batches;
		for (unsigned k = 0; k < NR_SIZES; k++)
			c->sizes[k] += by * r[i].batch_sizes[k];
		c->catch_ups += by * r[i].catch_ups;
		c->helped += by * r[i].helped;
		c->collects += by * r[i].collects;
		c->full += by * r[i].full;
		c->yields += by * r[i].yields;
		c->parks += by * r[i].parks;
	}
}

/* Of the replica that is behind most, at this moment. */
static void count_lag(struct nr *nr, struct nr_counts *c)
{
	struct nr_replica_stats *r;
	int n = replicas(nr, &r);
	uint64_t lag = 0;

	for (int i = 0; i < n; i++)
		lag = r[i].lag > lag ? r[i].lag : lag;
	c->lag_sum += lag;
	c->lag_samples++;
	c->lag_max = lag > c->lag_max ? lag : c->lag_max;
}

/* ------------------------------------------------------------ the round -- */

static double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / 1000000000),
			      .tv_nsec = (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) ==
	       EINTR)
		;
}

/* This thread sleeps while the others are measured. */
static void conduct(struct team *team, struct nr_result *to)
{
	const struct nr_round *r = team->round;
	struct nr *nr = r->peer->nr ? r->peer->nr(team->structure) : NULL;
	uint64_t start, wall;
	double cpu;

	pthread_barrier_wait(&team->ready);
	sleep_until(clock_ns() + r->warm_up_ns);
	cpu = cpu_now();
	start = clock_ns();
	atomic_store_explicit(&team->phase, RUN, memory_order_relaxed);
	for (unsigned i = 1; i <= LAG_SAMPLES; i++) {
		sleep_until(start + r->run_ns * i / LAG_SAMPLES);
		if (nr)
			count_lag(nr, &to->counts);
	}
	atomic_store_explicit(&team->phase, STOP, memory_order_relaxed);
	wall = clock_ns() - start;
	to->cpu_ns = cpu_now() - cpu;
	to->wall_ns = (double)wall;
}

static struct member *start(struct team *team)
{
	unsigned n = team->round->job.threads;
	struct member *m = xcalloc(n, sizeof(*m));

	pthread_barrier_init(&team->ready, NULL, n + 1);
	for (unsigned i = 0; i < n; i++) {
		int err;

		m[i] = (struct member){
			.team = team, .i = i, .random = i + 1, .until_sample = 1
		};
		for (int w = 0; w < 2; w++) {
			m[i].hist[w] = xcalloc(1, sizeof(struct hist));
			lat_clear(m[i].hist[w]);
		}
		err = pthread_create(&m[i].thread, NULL, member, &m[i]);
		if (!err)
			continue;
		/* Those that wait for it end with the process. */
		run_fail(team->run, "pthread_create: %s", strerror(err));
		return NULL;
	}
	return m;
}

static void finish(struct member *m, unsigned n, struct nr_result *to)
{
	for (unsigned i = 0; i < n; i++) {
		pthread_join(m[i].thread, NULL);
		to->reads += m[i].made[1][0];
		to->updates += m[i].made[1][1];
		to->made_reads += m[i].made[0][0] + m[i].made[1][0];
		to->made_updates += m[i].made[0][1] + m[i].made[1][1];
		to->expected += (uint64_t)m[i].gain;
		lat_merge(&to->read, m[i].hist[0]);
		lat_merge(&to->update, m[i].hist[1]);
		free(m[i].hist[0]);
		free(m[i].hist[1]);
	}
	free(m);
}

static int fill(struct team *team, void *t, struct nr_result *to)
{
	const struct nr_round *r = team->round;

	for (uint64_t i = 0; i < r->job.entries; i++) {
		int ret = r->peer->put(t, 2 * i, nr_value(2 * i));

		if (ret)
			return run_fail(team->run, "the first put of a key: %s",
					ret < 0 ? strerror(-ret)
						: "it was there");
	}
	to->expected = r->job.entries;
	return 0;
}

/* As one of those that use it, while nobody else does. */
static int alone(struct team *team, struct nr_result *to,
		 int (*fn)(struct team *, void *, struct nr_result *))
{
	const struct nr_peer *peer = team->round->peer;
	void *t = peer->join ? peer->join(team->structure) : team->structure;
	int err;

	if (!t)
		return run_fail(team->run, "no memory to join");
	err = fn(team, t, to);
	if (peer->leave)
		peer->leave(t);
	return err;
}

static int check(struct team *team, void *t, struct nr_result *to)
{
	to->counted = team->round->peer->count(t);
	if (to->counted != to->expected)
		return run_fail(team->run,
				"%llu entries, where operations returned "
				"that there are %lld",
				(unsigned long long)to->counted,
				(long long)to->expected);
	/* Looking for memory and getting it takes some, too. */
	if (team->round->peer->nr && (to->counts.reads < to->made_reads ||
				      to->counts.updates < to->made_updates))
		return run_fail(team->run,
				"libnr counted %llu reads of %llu, %llu "
				"updates of %llu",
				(unsigned long long)to->counts.reads,
				(unsigned long long)to->made_reads,
				(unsigned long long)to->counts.updates,
				(unsigned long long)to->made_updates);
	return 0;
}

int nr_measure(struct run *run, const struct nr_round *round,
	       struct nr_result *to)
{
	struct team team = { .run = run, .round = round };
	const struct nr_peer *peer = round->peer;
	struct member *m;
	int err;

	team.structure = peer->create(&round->job);
	if (!team.structure)
		return run_fail(run, "no memory for it");
	if (alone(&team, to, fill))
		return PEER_FAILED;
	if (peer->nr)
		count(peer->nr(team.structure), &to->counts, -1);
	m = start(&team);
	if (!m)
		return PEER_FAILED;
	conduct(&team, to);
	finish(m, round->job.threads, to);
	if (peer->nr)
		count(peer->nr(team.structure), &to->counts, 1);
	err = alone(&team, to, check);
	peer->destroy(team.structure);
	pthread_barrier_destroy(&team.ready);
	to->rounds = 1;
	return err;
}
