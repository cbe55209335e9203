/* SPDX-License-Identifier: MIT */
#include "nr_watch.h"

#include "nr_sched.h"
#include "replica.h"

typedef unsigned long long ull;

void watch_log(const struct nr *nr, const char *name)
{
	const uint64_t size = nr->log.size, tail = nr->log.tail;
	const uint64_t head = nr->log.head, ctail = nr->log.ctail;

	if (ctail > tail || tail > head + size)
		sched_fail("%s: head %llu, ctail %llu, tail %llu", name,
			   (ull)head, (ull)ctail, (ull)tail);
	/* What nobody has taken is not alive. */
	for (uint64_t i = tail; i < head + size; i++)
		if (log_entry(&nr->log, i)->alive == log_parity(&nr->log, i))
			sched_fail("%s: entry %llu is alive, the tail is %llu",
				   name, (ull)i, (ull)tail);
	for (const struct replica *r = nr->replicas; r; r = r->next) {
		if (r->ltail > ctail || r->ltail < head)
			sched_fail("%s: replica %u: head %llu, ltail %llu, "
				   "ctail %llu",
				   name, r->id, (ull)head, (ull)r->ltail,
				   (ull)ctail);
		if (r->lock.writer && !(r->lock.gate.word & GATE_HELD))
			sched_fail("%s: a writer without the gate", name);
	}
}
