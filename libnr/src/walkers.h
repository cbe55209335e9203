/* SPDX-License-Identifier: MIT */
/*
 * walkers.h - who walks in a structure without a lock, and waiting for them
 *
 * Each walker has a line of its own with a number that is odd while it walks.
 * Who takes something out of the structure waits, before that is used for
 * something else, until every walker that he finds walking has stopped, or at
 * least begun anew. (Epochs, as in Fraser's thesis, 2004, without a global one:
 * it is rare that anybody has to wait, so what counts is what a walk costs.)
 *
 * A walker makes its number odd and then reads the structure; the other takes
 * out and then reads the numbers. Both read and write the number in one step,
 * so one of these is the first: if it is the walker's, the other finds it
 * walking; if not, the walker acquires what the other has released, and that is
 * all that was taken out before.
 */
#ifndef NR_WALKERS_H
#define NR_WALKERS_H

#include "gate.h"
#include "util.h"

struct walkers {
	struct gate gate; /* the list; inside all others, and who waits */
	struct walker *first;
};

/* Written by its owner. */
struct walker {
	apart _Atomic uint64_t number;
	struct walkers *in;
	struct walker *next;
};

void walkers_join(struct walkers *all, struct walker *w);
void walkers_leave(struct walker *w);

/* Until all that walk now have stopped. Nobody finds after that what was taken
 * out before. */
void walkers_wait(struct walkers *all);

static inline void walk_begin(struct walker *w)
{
	/* Relaxed: our own. Acquire pairs with walkers_wait(), see above. */
	xchg_acq_rel(&w->number, load_relaxed(&w->number) + 1);
}

static inline void walk_end(struct walker *w)
{
	/* Release pairs with walkers_wait(): what we have read is not written
	 * before. */
	store_release_or_relaxed(&w->number, load_relaxed(&w->number) + 1,
				 RELAXED_WALK);
}

#endif
