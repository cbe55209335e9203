/* SPDX-License-Identifier: MIT */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

struct str_list {
	char **v;
	size_t n;
};

struct num_list {
	uint64_t *v;
	size_t n;
};

struct options {
	const char *bench;
	struct str_list transports, modes, peers, placements;
	int peers_named; /* not from "all": missing ones are failures */
	int placements_named;
	struct num_list sizes, rates, gaps;
	uint64_t calls;
	double seconds;
	unsigned clients, depth, rounds, workers;
	int server_reads;
	const char *json, *plot, *cpus, *data;
};

/** Read the command line; ends the program for --help and on mistakes. */
void options_read(struct options *o, int argc, char **argv);

#endif /* BENCH_OPTIONS_H */
