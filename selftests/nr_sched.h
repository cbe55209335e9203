/* SPDX-License-Identifier: MIT */
/*
 * nr_sched.h - deterministic schedules
 *
 * The threads of a test are fibers of one thread, and the library's test build
 * has a point before every access to shared memory, at which the scheduler
 * decides who goes on, by a pseudo-random sequence that a seed begins. The same
 * seed gives the same schedule. Half of the seeds walk at random, with
 * different tendencies to switch; the other half give the fibers priorities
 * that change at a few places only (Burckhardt et al., A Randomized Scheduler
 * with Probabilistic Guarantees of Finding Bugs, ASPLOS'10), which finds what
 * needs one of them to stay behind for long.
 *
 * A schedule fails if a check does, if all fibers sleep (a wake-up was lost),
 * or if it does not end (somebody waits for what never comes).
 *
 * Threads that are not fibers get what the ordinary build has.
 */
#ifndef NR_SCHED_H
#define NR_SCHED_H

#include <stdint.h>

#include "point.h"

struct sched_fiber {
	void (*fn)(void *arg);
	void *arg;
};

/*
 * Run @n of them until all have ended. Return: NULL; or what went wrong, valid
 * until the next run: then the fibers have been left where they were.
 */
const char *sched_run(uint64_t seed, const struct sched_fiber *fibers,
		      unsigned n);

/*
 * Look at every point, in every schedule from now on, with everybody stopped:
 * @fn may call sched_fail(). NULL: no more.
 */
void sched_watch(void (*fn)(void *arg), void *arg);

/* In a fiber: the schedule fails here. */
void sched_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define sched_check(cond)                                                      \
	do {                                                                   \
		if (!(cond))                                                   \
			sched_fail("%s:%d: not so: %s", __FILE__, __LINE__,    \
				   #cond);                                     \
	} while (0)

/* Points that have been passed: a clock. */
uint64_t sched_now(void);

/* Let the @n-th allocation from now on fail, once, or all from that one on, or
 * all that are longer; 0: none. How many there were since. */
void sched_no_memory(uint64_t n);
void sched_no_memory_from(uint64_t n);
void sched_no_memory_above(uint64_t bytes);
uint64_t sched_allocations(void);

/* Bytes that the library has mapped and not unmapped, since this was last asked
 * with @zero. */
int64_t sched_mapped(int zero);

/* A pseudo-random sequence of one's own (splitmix64). */
uint64_t sched_random(uint64_t *state);

#endif
