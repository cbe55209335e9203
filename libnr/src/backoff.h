/* SPDX-License-Identifier: MIT */
/*
 * Waiting in steps: spin as long as the other side probably runs, then give it
 * the CPU, for there may be more threads than CPUs; then the caller sleeps, if
 * it has something to sleep on.
 */
#ifndef NR_BACKOFF_H
#define NR_BACKOFF_H

#include <sched.h>

#include "point.h"

/*
 * A batch takes a microsecond or two, and a pause some tens of nanoseconds.
 * (Karlin et al.: who spins as long as sleeping costs is at most twice as slow
 * as who knows the future. SODA'90)
 */
#define BACKOFF_SPINS 128u
#define BACKOFF_YIELDS 4u

struct backoff {
	unsigned n;
	unsigned yields;
};

static inline void cpu_relax(void)
{
#if defined(NR_TEST_POINTS)
	nr_test_idle();
#elif defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

static inline void cpu_yield(void)
{
#ifdef NR_TEST_POINTS
	nr_test_idle();
#else
	sched_yield();
#endif
}

/* Wait a step; 0: it would be time to sleep. */
static inline int backoff(struct backoff *b)
{
#ifdef NR_TEST_POINTS
	unsigned spins = 1, yields = 1;
#else
	unsigned spins = BACKOFF_SPINS, yields = BACKOFF_YIELDS;
#endif

	if (b->n < spins) {
		b->n++;
		cpu_relax();
		return 1;
	}
	if (b->yields < yields) {
		b->yields++;
		cpu_yield();
		return 1;
	}
	return 0;
}

/* The same, for those who have nothing to sleep on. */
static inline void backoff_only(struct backoff *b)
{
	if (!backoff(b))
		cpu_yield();
}

#endif
