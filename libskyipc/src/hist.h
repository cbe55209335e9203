/* SPDX-License-Identifier: MIT */
/* Log-linear histogram, see struct skyipc_hist: one writer, many readers. */
#ifndef SKY_HIST_H
#define SKY_HIST_H

#include "skyipc.h"
#include "util.h"

/* One call in so many is timed, by either side. */
#define TIMED_MASK 63

/* Values below 8 have a bucket each, then 8 buckets to each power of two. */
static inline unsigned hist_index(uint64_t ns)
{
	unsigned exp, i;

	if (ns < 8)
		return (unsigned)ns;
	exp = 63 - (unsigned)__builtin_clzll(ns);
	i = (exp - 2) * 8 + ((unsigned)(ns >> (exp - 3)) & 7);
	return i < SKYIPC_HIST_BUCKETS ? i : SKYIPC_HIST_BUCKETS - 1;
}

/* Largest value that falls into bucket @i. */
static inline uint64_t hist_upper(unsigned i)
{
	unsigned exp = i / 8 + 2;

	if (i < 8)
		return i;
	return ((UINT64_C(8) + (i & 7) + 1) << (exp - 3)) - 1;
}

static inline void hist_record(struct skyipc_hist *h, uint64_t ns)
{
	stat_add(h->bucket[hist_index(ns)], 1);
	stat_add(h->count, 1);
	if (ns > stat_read(h->max_ns))
		__atomic_store_n(&h->max_ns, ns, __ATOMIC_RELAXED);
}

/* @to += @from, which somebody may be writing. */
void hist_merge(struct skyipc_hist *to, const struct skyipc_hist *from);

/* @to += the counters of one channel, and its histogram. */
void stats_merge(struct skyipc_stats *to, const struct skyipc_stats *from);

#endif
