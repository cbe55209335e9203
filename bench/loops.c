/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "clock.h"
#include "loops.h"
#include "util.h"

/*
 * Between warm-up and start a client has slept, and an adaptive server too:
 * these calls wake it again. Waking is what --gap measures, not this.
 */
#define AWAKE_CALLS 64

static int awake(const struct peer *peer, void *conn)
{
	for (int i = 0; i < AWAKE_CALLS; i++)
		if (peer->call(conn))
			return PEER_FAILED;
	return 0;
}

int loop_closed(struct run *run, unsigned i, void *conn, struct samples *out,
		void *arg)
{
	const struct loop *l = arg;
	int (*call)(void *) = run->peer->call;
	uint64_t n = 0, batch = l->batch, last, until;

	(void)i;
	if (awake(run->peer, conn))
		return PEER_FAILED;
	last = out->start = clock_ticks();
	until = last + l->ticks;
	while (n < l->calls && last < until) {
		uint64_t now;

		for (uint64_t k = 0; k < batch; k++)
			if (call(conn))
				return PEER_FAILED;
		now = clock_ticks();
		lat_record(&out->hist, now - last);
		last = now;
		n += batch;
	}
	out->end = last;
	out->calls = n;
	return 0;
}

static void spin_until(uint64_t ticks)
{
	while (clock_ticks() < ticks)
		cpu_relax();
}

int loop_gap(struct run *run, unsigned i, void *conn, struct samples *out,
	     void *arg)
{
	const struct loop *l = arg;
	uint64_t n = 0, now, until;

	(void)i;
	if (awake(run->peer, conn))
		return PEER_FAILED;
	now = out->start = clock_ticks();
	until = now + l->ticks;
	while (n < l->calls && now < until) {
		uint64_t start;

		spin_until(now + l->gap_ticks);
		start = clock_ticks();
		if (run->peer->call(conn))
			return PEER_FAILED;
		now = clock_ticks();
		lat_record(&out->hist, now - start);
		n++;
	}
	out->end = now;
	out->calls = n;
	return 0;
}

int loop_async(struct run *run, unsigned i, void *conn, struct samples *out,
	       void *arg)
{
	const struct loop *l = arg;
	const struct peer *peer = run->peer;
	unsigned depth = run->cfg.depth;
	uint64_t *sent = xcalloc(depth, sizeof(*sent)); /* a ring, in order */
	uint64_t submitted = 0, done = 0, now, until;

	(void)i;
	if (awake(peer, conn))
		return PEER_FAILED;
	now = out->start = clock_ticks();
	until = now + l->ticks;
	for (;;) {
		int got;

		while (submitted < l->calls && submitted - done < depth &&
		       now < until) {
			sent[submitted++ % depth] = now = clock_ticks();
			if (peer->submit(conn))
				return PEER_FAILED;
		}
		if (done == submitted)
			break;
		got = peer->reap(conn);
		if (got <= 0)
			return PEER_FAILED;
		now = clock_ticks();
		while (got--)
			lat_record(&out->hist, now - sent[done++ % depth]);
	}
	out->end = now;
	out->calls = done;
	free(sent);
	return 0;
}

/*
 * Sleep through long waits and spin through the rest: a late wake-up is then
 * not counted as the peer's. On one CPU spinning would keep the server from
 * it, so there the wake-up is part of the result.
 */
static void wait_due(double due, int may_spin)
{
	const double margin = (double)clock_ns_to_ticks(200000);
	double now = (double)clock_ticks();

	if (due - now > margin || !may_spin) {
		double ns = (due - now) * clock_tick_ns;
		struct timespec t;

		ns -= may_spin ? 200000 : 0;
		if (ns > 0) {
			t.tv_sec = (time_t)(ns / 1e9);
			t.tv_nsec = (long)(ns - (double)t.tv_sec * 1e9);
			clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
		}
	}
	if (may_spin)
		spin_until((uint64_t)due);
}

int loop_open(struct run *run, unsigned i, void *conn, struct samples *out,
	      void *arg)
{
	const struct loop *l = arg;
	uint64_t n = 0, now, until;
	double due, start;

	if (awake(run->peer, conn))
		return PEER_FAILED;
	now = out->start = clock_ticks();
	until = now + l->ticks;
	/* Clients are out of step, as independent ones would be. */
	start = (double)now + l->interval_ticks * i / run->cfg.clients;
	while (n < l->calls && now < until) {
		due = start + (double)n * l->interval_ticks;
		wait_due(due, !run->cfg.same_cpu);
		if (run->peer->call(conn))
			return PEER_FAILED;
		now = clock_ticks();
		lat_record(&out->hist, (double)now > due
					       ? (uint64_t)((double)now - due)
					       : 0);
		n++;
	}
	out->end = now;
	out->calls = n;
	return 0;
}

int loop_idle(struct run *run, unsigned i, void *conn, struct samples *out,
	      void *arg)
{
	(void)run;
	(void)i;
	(void)conn;
	(void)arg;
	out->start = out->end = clock_ticks();
	return 0;
}
