/* SPDX-License-Identifier: MIT */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "args.h"

/** The questions, as bits: most options are of use for some of them only. */
enum question {
	Q_RTT = 1 << 0,
	Q_ASYNC = 1 << 1,
	Q_THROUGHPUT = 1 << 2,
	Q_IDLE = 1 << 3,
	Q_OPENLOOP = 1 << 4,
	Q_KV = 1 << 5,
	Q_NR = 1 << 6,
	Q_SHM_VS_MSG = 1 << 7,
};

#define Q_ALL (~0u)
#define Q_CALLS (Q_RTT | Q_ASYNC | Q_THROUGHPUT | Q_IDLE | Q_OPENLOOP | Q_KV)

struct options {
	const char *bench;
	unsigned question; /* of enum question */
	struct str_list transports, modes, peers, placements;
	int peers_named; /* not from "all": missing ones are failures */
	int placements_named;
	struct num_list sizes, rates, gaps;
	uint64_t calls;
	double seconds;
	unsigned clients, depth, rounds, workers;
	int server_reads;
	const char *json, *plot, *cpus, *data;

	/* nr */
	struct str_list structures, skews;
	struct num_list threads, writes;
	uint64_t entries;
	const char **topologies; /* NULL in there: as found */
	size_t ntopologies;
	double warm_up;
	unsigned sample;
	double longest_ms; /* 0: not asked for */

	/* shm-vs-msg */
	struct num_list client_counts, lines;
	struct str_list by;
};

/** Read the command line; ends the program for --help and on mistakes. */
void options_read(struct options *o, int argc, char **argv);

/** Print what there is, and end the program. */
void options_help(void) __attribute__((noreturn));

#endif /* BENCH_OPTIONS_H */
