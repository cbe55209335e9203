/* SPDX-License-Identifier: MIT */
/* The tables of nr: all peers with the same structure, keys and threads. */
#ifndef BENCH_NR_REPORT_H
#define BENCH_NR_REPORT_H

#include "lines.h"
#include "nr_run.h"
#include "options.h"

struct nr_row {
	const struct nr_peer *peer; /* NULL: not in this build */
	const char *name;
	const char *topology; /* NULL: as found */
	int named;	      /* asked for by name: has to work */
	struct outcome out;
	struct nr_result result;
};

struct nr_group {
	const struct options *o;
	enum nr_kind kind;
	const char *structure, *skew; /* words */
	unsigned threads, writes;
	struct nr_row *rows;
	size_t n;
};

static inline int nr_row_measured(const struct nr_row *r)
{
	return r->out.state == PEER_OK && r->result.rounds;
}

/** "map", "omap" or "queue". */
enum nr_kind nr_kind_of(const char *structure);

/** What each peer is, once, before the first table. */
void nr_report_peers(const struct options *o);

/**
 * nr_report - the table, JSON, and points of a picture
 * @rates: where they are added.
 *
 * Return: 0, or non-zero if something that was asked for is missing, or took
 * longer than it may.
 */
int nr_report(const struct nr_group *g, struct lines *rates);

#endif /* BENCH_NR_REPORT_H */
