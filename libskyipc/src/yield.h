/* SPDX-License-Identifier: MIT */
/*
 * Giving the CPU to a peer that shares it: what both sides try before parking
 * (see shm_wait.c).
 */
#ifndef SKY_YIELD_H
#define SKY_YIELD_H

#include <sched.h>
#include <stdint.h>

#include "clock.h"

/* Yields in a row before parking, and when a yield was a bad idea. */
#define YIELDS 4
#define YIELD_SLOW_NS 200000u
#define YIELD_SKIP 256

/*
 * Yield once. If a third party took the CPU for its time slice, a sleeper's
 * wake-up would have been served sooner: 1, and *@skip waits go without.
 */
static inline int yield_cpu(uint32_t *skip)
{
	uint64_t t0 = ticks();

	sched_yield();
	if (ticks() - t0 <= ns_to_ticks(YIELD_SLOW_NS))
		return 0;
	*skip = YIELD_SKIP;
	return 1;
}

#endif
