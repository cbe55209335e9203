/* SPDX-License-Identifier: MIT */
#include "hist.h"

void hist_merge(struct skyipc_hist *to, const struct skyipc_hist *from)
{
	to->count += stat_read(from->count);
	to->max_ns = max_u64(to->max_ns, stat_read(from->max_ns));
	for (unsigned i = 0; i < SKYIPC_HIST_BUCKETS; i++)
		to->bucket[i] += stat_read(from->bucket[i]);
}

void stats_merge(struct skyipc_stats *to, const struct skyipc_stats *from)
{
	to->calls += stat_read(from->calls);
	to->errors += stat_read(from->errors);
	to->bytes_in += stat_read(from->bytes_in);
	to->bytes_out += stat_read(from->bytes_out);
	to->fds_in += stat_read(from->fds_in);
	to->fds_out += stat_read(from->fds_out);
	to->spins += stat_read(from->spins);
	to->parks += stat_read(from->parks);
	to->wakes += stat_read(from->wakes);
	to->mem += stat_read(from->mem);
	hist_merge(&to->latency, &from->latency);
}

SKY_PUBLIC uint64_t skyipc_hist_quantile(const struct skyipc_hist *h, double q)
{
	uint64_t total = 0, seen = 0, want;

	/* The buckets may be a moment ahead of count: trust only them. */
	for (unsigned i = 0; i < SKYIPC_HIST_BUCKETS; i++)
		total += h->bucket[i];
	if (!total)
		return 0;
	if (!(q > 0))
		q = 0;
	if (q > 1)
		q = 1;
	want = (uint64_t)(q * (double)total + 0.5);
	if (!want)
		want = 1;
	for (unsigned i = 0; i < SKYIPC_HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= want)
			return h->max_ns ? min_u64(hist_upper(i), h->max_ns)
					 : hist_upper(i);
	}
	return h->max_ns;
}
