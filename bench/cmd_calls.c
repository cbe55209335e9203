/* SPDX-License-Identifier: MIT */
/* The questions whose answer is a table of latencies. */
#include "clock.h"
#include "loops.h"
#include "report.h"

static int one(struct group *g)
{
	int bad;

	group_run(g);
	bad = report_calls(g);
	group_free(g);
	return bad;
}

int cmd_rtt(const struct options *o)
{
	int bad = 0;

	report_head(o, "round trips: a request and its reply, one call after "
		       "the other");
	for (size_t p = 0; p < o->placements.n && !run_interrupted(); p++) {
		for (size_t s = 0; s < o->sizes.n && !run_interrupted(); s++) {
			for (size_t k = 0; k < o->gaps.n && !run_interrupted();
			     k++) {
				uint64_t gap = o->gaps.v[k];
				struct group g;

				group_init(&g, o, o->placements.v[p],
					   o->sizes.v[s], 1);
				g.gap_us = (double)gap;
				g.loop.gap_ticks =
					clock_ns_to_ticks((double)gap * 1e3);
				g.work.client = gap ? loop_gap : loop_closed;
				for (size_t i = 0; i < g.n && !gap; i++)
					if (g.rows[i].peer->batch)
						g.rows[i].batch =
							g.rows[i].peer->batch;
				bad |= one(&g);
			}
		}
	}
	return bad;
}

int cmd_async(const struct options *o)
{
	int bad = 0;

	report_head(o, "several calls outstanding; latency is from submission "
		       "to reply, waiting in the queue included");
	fprintf(report_out(), "            depth %u\n", o->depth);
	for (size_t p = 0; p < o->placements.n && !run_interrupted(); p++) {
		for (size_t s = 0; s < o->sizes.n && !run_interrupted(); s++) {
			struct group g;

			group_init(&g, o, o->placements.v[p], o->sizes.v[s],
				   o->depth);
			g.work.client = o->depth > 1 ? loop_async : loop_closed;
			bad |= one(&g);
		}
	}
	return bad;
}

int cmd_openloop(const struct options *o)
{
	int bad = 0;

	report_head(o, "calls due at fixed times; latency is from when a call "
		       "was due to its reply");
	for (size_t p = 0; p < o->placements.n && !run_interrupted(); p++) {
		for (size_t s = 0; s < o->sizes.n && !run_interrupted(); s++) {
			for (size_t k = 0; k < o->rates.n && !run_interrupted();
			     k++) {
				double rate = (double)o->rates.v[k];
				struct group g;

				group_init(&g, o, o->placements.v[p],
					   o->sizes.v[s], 1);
				g.rate = rate;
				g.loop.interval_ticks =
					(double)clock_ns_to_ticks(1e9) / rate;
				g.work.client = loop_open;
				bad |= one(&g);
			}
		}
	}
	return bad;
}
