/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "hist.h"

void lat_clear(struct hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void lat_merge(struct hist *to, const struct hist *from)
{
	for (uint32_t i = 0; i < HIST_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
	to->count += from->count;
	to->sum += from->sum;
	if (from->min < to->min)
		to->min = from->min;
	if (from->max > to->max)
		to->max = from->max;
}

static uint64_t bucket_top(uint32_t i)
{
	unsigned shift;

	if (i < HIST_SUB)
		return i;
	shift = i / HIST_SUB - 1;
	return ((uint64_t)(i % HIST_SUB + HIST_SUB + 1) << shift) - 1;
}

uint64_t lat_quantile(const struct hist *h, double q)
{
	uint64_t want, seen = 0;

	if (!h->count)
		return 0;
	if (q <= 0)
		return h->min;
	want = (uint64_t)(q * (double)h->count);
	/* the smallest value that at least a share of q does not exceed */
	if ((double)want < q * (double)h->count)
		want++;
	if (want > h->count)
		want = h->count;
	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= want && seen) {
			uint64_t top = bucket_top(i);

			return top < h->max ? top : h->max;
		}
	}
	return h->max;
}

void lat_each(const struct hist *h,
	      void (*fn)(uint64_t value, uint64_t upto, void *arg), void *arg)
{
	uint64_t seen = 0;

	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		if (!h->bucket[i])
			continue;
		seen += h->bucket[i];
		fn(bucket_top(i) < h->max ? bucket_top(i) : h->max, seen, arg);
	}
}
