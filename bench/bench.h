/* SPDX-License-Identifier: MIT */
/*
 * A group is what stands in one table: all peers with the same placement, size
 * and so on. Its rows take turns in rounds, so that whatever drifts on the
 * machine meanwhile hits all of them alike.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdio.h>

#include "options.h"
#include "run.h"

/** What a row's clients are told; see loops.c. */
struct loop {
	uint64_t calls; /* of each client in each round, at most */
	uint64_t ticks; /* and so long, at most */
	uint64_t gap_ticks;
	double interval_ticks; /* open loop: between two calls */
	unsigned batch;
};

struct idle_counts {
	uint64_t voluntary, involuntary, cpu_ns;
	unsigned threads;
};

struct row {
	const struct peer *peer;
	const char *name;
	const char *mode;
	int named;	/* asked for by name: has to work */
	unsigned batch; /* calls between two time stamps */
	struct peer_cfg cfg;
	struct outcome out;
	struct idle_counts idle;
};

struct group {
	const struct options *o;
	struct placement place;
	const char *why_not; /* the placement cannot be had */
	struct row *rows;
	size_t n;
	struct loop loop;
	struct work work; /* its arg becomes the row's loop */
	size_t size;
	const char *what; /* more about it, for people and JSON; NULL */
	double gap_us, rate;
	double memcpy_bytes_per_s;
};

/** The rows that the options ask for; @depth > 1: only those that can. */
void group_init(struct group *g, const struct options *o, const char *placement,
		size_t size, unsigned depth);

/** One more row; the others' addresses change. */
struct row *group_add(struct group *g, const struct peer *peer);

/** "polling": SKYIPC_POLLING, and so on. */
int mode_number(const char *mode);

/** Measure, in rounds. */
void group_run(struct group *g);

/** Complain about rows without numbers; how many that are that should not. */
int group_complaints(const struct group *g);

void group_free(struct group *g);

static inline int row_measured(const struct row *r)
{
	/* ^C may come before its first round. */
	return r->out.state == PEER_OK && r->out.rounds;
}

/** Nanoseconds at quantile @q; 0 is the minimum, above 1 the maximum. */
double row_ns(const struct row *r, double q);
double row_calls_per_s(const struct row *r);
double row_cpu_ns(const struct row *r);

/** How long an idle server was watched. */
double row_idle_seconds(const struct group *g, const struct row *r);

/** The first row of a skyipc transport, or the row of that name; or NULL. */
const struct row *group_shm(const struct group *g);
const struct row *group_find(const struct group *g, const char *name);

/* The questions: exit status. */
int cmd_rtt(const struct options *o);
int cmd_async(const struct options *o);
int cmd_throughput(const struct options *o);
int cmd_idle(const struct options *o);
int cmd_openloop(const struct options *o);
int cmd_kv(const struct options *o);
int cmd_nr(const struct options *o);
int cmd_shm_vs_msg(const struct options *o);

#endif /* BENCH_BENCH_H */
