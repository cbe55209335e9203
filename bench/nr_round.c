/* SPDX-License-Identifier: MIT */
/*
 * A round is a process: what one peer left in the heap, in the caches of an
 * allocator, or broken, is none of the next one's. To run.c it is a client
 * without a server.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "nr_run.h"

struct shared {
	const struct nr_round *round;
	struct nr_result *result; /* in shared memory */
};

static int call(void *conn)
{
	(void)conn;
	return 0;
}

static void *open_nothing(struct run *run, unsigned client)
{
	(void)client;
	return run;
}

static void close_nothing(void *conn)
{
	(void)conn;
}

static int client(struct run *run, unsigned i, void *conn, struct samples *out,
		  void *arg)
{
	const struct shared *s = arg;

	(void)i;
	(void)conn;
	out->start = clock_ticks();
	if (nr_measure(run, s->round, s->result))
		return PEER_FAILED;
	out->end = clock_ticks();
	out->calls = 1;
	return run_failed(run) ? PEER_FAILED : PEER_OK;
}

static void add_counts(struct nr_counts *to, const struct nr_counts *from)
{
	to->replicas = from->replicas;
	to->updates += from->updates;
	to->reads += from->reads;
	to->batches += from->batches;
	for (unsigned k = 0; k < NR_SIZES; k++)
		to->sizes[k] += from->sizes[k];
	to->catch_ups += from->catch_ups;
	to->helped += from->helped;
	to->collects += from->collects;
	to->full += from->full;
	to->yields += from->yields;
	to->parks += from->parks;
	to->lag_sum += from->lag_sum;
	to->lag_samples += from->lag_samples;
	if (from->lag_max > to->lag_max)
		to->lag_max = from->lag_max;
}

static void add(struct nr_result *to, const struct nr_result *from)
{
	to->rounds++;
	to->reads += from->reads;
	to->updates += from->updates;
	to->wall_ns += from->wall_ns;
	to->cpu_ns += from->cpu_ns;
	to->expected += from->expected;
	to->counted += from->counted;
	to->made_reads += from->made_reads;
	to->made_updates += from->made_updates;
	add_counts(&to->counts, &from->counts);
	lat_merge(&to->read, &from->read);
	lat_merge(&to->update, &from->update);
}

/* All CPUs: its threads bind themselves, and places are found among these. */
static void everywhere(struct placement *p)
{
	memset(p, 0, sizeof(*p));
	p->name = "all";
	p->nclient = place_cpus();
	for (unsigned i = 0; i < p->nclient; i++)
		p->client[i] = place_cpu(i);
}

void nr_round_run(const struct nr_round *round, struct nr_result *into,
		  struct outcome *out)
{
	/* Filling it takes longer than calling: the time is for a machine that
	 * is busy, and a sanitizer. */
	const struct work work = {
		.client = client,
		.limit_ns = round->warm_up_ns + round->run_ns + 60000000000u +
			    round->job.entries * 50000,
	};
	const struct peer peer = {
		.name = round->peer->name,
		.flags = PEER_LOCAL | PEER_FLOATS,
		.open = open_nothing,
		.call = call,
		.close = close_nothing,
	};
	const struct peer_cfg cfg = { .size = 1, .clients = 1, .depth = 1 };
	struct shared s = { .round = round };
	struct work mine = work;
	struct placement place;

	everywhere(&place);
	s.result = mmap(NULL, sizeof(*s.result), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.result == MAP_FAILED) {
		out->state = PEER_FAILED;
		snprintf(out->why, sizeof(out->why), "no memory: %s",
			 strerror(errno));
		return;
	}
	lat_clear(&s.result->read);
	lat_clear(&s.result->update);
	mine.arg = &s;
	run_once(&peer, &cfg, &place, &mine, out);
	if (out->state == PEER_OK)
		add(into, s.result);
	munmap(s.result, sizeof(*s.result));
}
