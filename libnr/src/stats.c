/* SPDX-License-Identifier: MIT */
/* stats.c - counters; they are always on, and each is written by one thread */
#include <errno.h>

#include "cnr.h"

static void replica_stats(struct replica *r, struct nr_replica_stats *to)
{
	size_t size = to->size;
	struct nr_replica_stats s = { .size = sizeof(s) };
	uint64_t tail = load_relaxed(&r->log->tail);
	uint64_t ltail = load_relaxed(&r->ltail);

	s.replica = r->id;
	s.place = r->place;
	s.contexts = r->ncontexts;
	s.lag = tail > ltail ? tail - ltail : 0;
	s.applied = ltail;
	s.updates = stat_read(r->stats.updates);
	s.reads = stat_read(r->stats.reads);
	for (unsigned i = 0; i < NR_BATCHES; i++) {
		s.batch_sizes[i] = stat_read(r->stats.batch_sizes[i]);
		s.batches += s.batch_sizes[i];
	}
	s.catch_ups = stat_read(r->stats.catch_ups);
	s.helped = stat_read(r->stats.helped);
	s.collects = stat_read(r->stats.collects);
	s.full = stat_read(r->stats.full);
	s.yields = stat_read(r->stats.yields);
	s.parks = stat_read(r->stats.parks);
	/* Contexts come and go under nr->admin, which we have got. */
	for (uint32_t i = 0; i < r->ncontexts; i++) {
		const struct reader *reader = &r->contexts[i]->reader;

		s.updates += stat_read(r->contexts[i]->several);
		s.reads += stat_read(reader->reads);
		s.yields += stat_read(reader->waits.yields);
		s.parks += stat_read(reader->waits.parks);
	}
	sized_copy(to, size, &s, sizeof(s));
}

NR_PUBLIC int nr_stats(struct nr *nr, struct nr_stats *stats,
		       struct nr_replica_stats *replicas, unsigned n)
{
	struct nr_stats s = { .size = sizeof(s) };
	size_t step = replicas && n ? replicas->size : 0;
	unsigned got = 0;

	if (stats->size < sizeof(size_t) ||
	    (replicas && n && step < sizeof(size_t)))
		return -EINVAL;
	gate_lock(&nr->admin);
	s.log_size = nr->log.size;
	/* In this order, so that what is told is in order, too. */
	s.log_head = load_acquire(&nr->log.head);
	s.log_ctail = log_done(&nr->log);
	s.log_tail = load_relaxed(&nr->log.tail);
	s.replicas = nr->nreplicas;
	for (struct replica *r = nr->replicas; r && replicas && got < n;
	     r = r->next, got++) {
		struct nr_replica_stats *to =
			(void *)((char *)replicas + got * step);

		to->size = step;
		replica_stats(r, to);
	}
	gate_unlock(&nr->admin);
	sized_copy(stats, stats->size, &s, sizeof(s));
	return (int)got;
}

NR_PUBLIC int nr_cnr_stats(const struct nr_cnr *cnr, struct nr_cnr_stats *stats)
{
	struct nr_cnr_stats s = { .size = sizeof(s) };

	if (stats->size < sizeof(size_t))
		return -EINVAL;
	s.updates = stat_read(cnr->put[SEVERAL_UPDATE]);
	s.reads = stat_read(cnr->put[SEVERAL_READ]);
	s.visits = stat_read(cnr->put[SEVERAL_VISIT]);
	s.empty = stat_read(cnr->empty);
	sized_copy(stats, stats->size, &s, sizeof(s));
	return 0;
}
