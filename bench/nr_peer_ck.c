/* SPDX-License-Identifier: MIT */
/*
 * libnr's sequential structures behind ConcurrencyKit's cohort reader-writer
 * lock (Calciu et al.: NUMA-Aware Reader-Writer Locks, PPoPP'13), of ticket
 * locks, one for each place of the topology below one for all. Writers go
 * first, as with libnr.
 */
#include <stdbool.h>

#include <ck_rwcohort.h>
#include <ck_spinlock.h>
#include <nr.h>

#include "nr_locked.h"

static void ticket_lock(void *lock, void *context)
{
	(void)context;
	ck_spinlock_ticket_lock(lock);
}

static void ticket_unlock(void *lock, void *context)
{
	(void)context;
	ck_spinlock_ticket_unlock(lock);
}

static bool ticket_locked(void *lock, void *context)
{
	(void)context;
	return ck_spinlock_ticket_locked(lock);
}

CK_COHORT_PROTOTYPE(ticket, ticket_lock, ticket_unlock, ticket_locked,
		    ticket_lock, ticket_unlock, ticket_locked)
CK_RWCOHORT_WP_PROTOTYPE(ticket)

/* Of one place. */
struct place {
	_Alignas(LOCKED_LINE) ck_spinlock_ticket_t lock;
	CK_COHORT_INSTANCE(ticket) cohort;
};

struct cohort {
	_Alignas(LOCKED_LINE) CK_RWCOHORT_WP_INSTANCE(ticket) rw;
	_Alignas(LOCKED_LINE) ck_spinlock_ticket_t global;
	_Alignas(LOCKED_LINE) struct seq seq;
	struct nr_topology *topology;
	struct place *places;
};

struct cohort_thread {
	struct cohort *lock;
	CK_COHORT_INSTANCE(ticket) * of;
};

static int cohort_init(struct cohort *l, const struct nr_job *job)
{
	uint32_t n;

	if (nr_topology_open(job->topology, &l->topology))
		return -1;
	n = nr_topology_places(l->topology);
	l->places = locked_alloc(n * sizeof(*l->places));
	if (!l->places)
		return -1;
	ck_spinlock_ticket_init(&l->global);
	for (uint32_t i = 0; i < n; i++) {
		struct place *p = &l->places[i];

		ck_spinlock_ticket_init(&p->lock);
		CK_COHORT_INIT(ticket, &p->cohort, &l->global, &p->lock,
			       CK_COHORT_DEFAULT_LOCAL_PASS_LIMIT);
	}
	CK_RWCOHORT_WP_INIT(ticket, &l->rw, CK_RWCOHORT_WP_DEFAULT_WAIT_LIMIT);
	return 0;
}

static void cohort_fini(struct cohort *l)
{
	nr_topology_close(l->topology);
	free(l->places);
}

static int cohort_thread_init(struct cohort_thread *t)
{
	t->of = &t->lock->places[nr_topology_here(t->lock->topology)].cohort;
	return 0;
}

static void cohort_thread_fini(struct cohort_thread *t)
{
	(void)t;
}

static void cohort_read_lock(struct cohort_thread *t)
{
	CK_RWCOHORT_WP_READ_LOCK(ticket, &t->lock->rw, t->of, NULL, NULL);
}

static void cohort_read_unlock(struct cohort_thread *t)
{
	CK_RWCOHORT_WP_READ_UNLOCK(ticket, &t->lock->rw, t->of, NULL, NULL);
}

static void cohort_write_lock(struct cohort_thread *t)
{
	CK_RWCOHORT_WP_WRITE_LOCK(ticket, &t->lock->rw, t->of, NULL, NULL);
}

static void cohort_write_unlock(struct cohort_thread *t)
{
	CK_RWCOHORT_WP_WRITE_UNLOCK(ticket, &t->lock->rw, t->of, NULL, NULL);
}

LOCKED_ALL(cohort, "rwcohort", NR_PEER_SPINS,
	   "ck_rwcohort around the structure that libnr replicates");
