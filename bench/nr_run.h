/* SPDX-License-Identifier: MIT */
/* One round of nr: one structure, its threads, and what they measured. */
#ifndef BENCH_NR_RUN_H
#define BENCH_NR_RUN_H

#include "nr_keys.h"
#include "nr_peer.h"
#include "run.h"

/* As NR_BATCHES of nr.h: batches of 1, 2-3, 4-7, ... updates. */
#define NR_SIZES 32

/** What libnr counted, of all replicas, from the warm-up's begin to the end. */
struct nr_counts {
	uint64_t replicas;
	uint64_t updates, reads;
	uint64_t batches, sizes[NR_SIZES];
	uint64_t catch_ups, helped, collects, full, yields, parks;
	uint64_t lag_sum, lag_samples, lag_max; /* of the replica behind most */
};

/**
 * struct nr_result - of all rounds
 * @reads, @updates: that were measured.
 * @expected: entries that there should be at the end, by what each operation
 *            returned; @counted: those that are there.
 * @made_reads, @made_updates: those of the warm-up included.
 */
struct nr_result {
	unsigned rounds;
	uint64_t reads, updates;
	double wall_ns, cpu_ns;
	uint64_t expected, counted;
	uint64_t made_reads, made_updates;
	struct nr_counts counts;
	struct hist read, update;
};

/** What is asked of a round. */
struct nr_round {
	const struct nr_peer *peer;
	struct nr_job job;
	const struct nr_keys *keys;
	unsigned writes; /* of 100 */
	unsigned sample;
	uint64_t warm_up_ns, run_ns;
};

/**
 * nr_round_run - measure one, in a process of its own
 * @into: added to; its round is lost if something fails.
 * @out:  its state says how it went.
 */
void nr_round_run(const struct nr_round *round, struct nr_result *into,
		  struct outcome *out);

/** In that process: fill @result, which is zero but for its histograms. */
int nr_measure(struct run *run, const struct nr_round *round,
	       struct nr_result *result);

#endif /* BENCH_NR_RUN_H */
