/* SPDX-License-Identifier: MIT */
/*
 * Log-linear histogram: 1024 buckets to each power of two, so every quantile
 * is right to three significant digits, at whatever magnitude. Recording is an
 * increment; nothing is ever sampled or dropped.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 10
#define HIST_SUB (1u << HIST_SUB_BITS)
#define HIST_MAX_BITS 44 /* longer than an hour in ticks of any machine */
#define HIST_BUCKETS ((HIST_MAX_BITS - HIST_SUB_BITS + 1) * HIST_SUB)

struct hist {
	uint64_t count;
	uint64_t min;
	uint64_t max;
	double sum;
	uint64_t bucket[HIST_BUCKETS];
};

static inline uint32_t lat_index(uint64_t v)
{
	unsigned shift;

	if (v >> HIST_MAX_BITS)
		v = (UINT64_C(1) << HIST_MAX_BITS) - 1;
	if (v < HIST_SUB)
		return (uint32_t)v;
	shift = 63u - HIST_SUB_BITS - (unsigned)__builtin_clzll(v);
	return (shift + 1) * HIST_SUB + (uint32_t)((v >> shift) - HIST_SUB);
}

static inline void lat_record(struct hist *h, uint64_t v)
{
	h->bucket[lat_index(v)]++;
	h->count++;
	h->sum += (double)v;
	if (v < h->min)
		h->min = v;
	if (v > h->max)
		h->max = v;
}

void lat_clear(struct hist *h);
void lat_merge(struct hist *to, const struct hist *from);

/** Highest value of the bucket that holds quantile @q, never above the max. */
uint64_t lat_quantile(const struct hist *h, double q);

/** Call @fn for every bucket in use: its highest value, and how many so far. */
void lat_each(const struct hist *h,
	      void (*fn)(uint64_t value, uint64_t upto, void *arg), void *arg);

#endif /* BENCH_HIST_H */
