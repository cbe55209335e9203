/* SPDX-License-Identifier: MIT */
/*
 * The time stamp used for every call: the cheapest monotonic counter there is,
 * so that taking it disturbs the call as little as possible.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

static inline uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#if defined(__x86_64__) || defined(__i386__)

static inline uint64_t clock_ticks(void)
{
	return __rdtsc();
}

static inline void cpu_relax(void)
{
	_mm_pause();
}

#else

static inline uint64_t clock_ticks(void)
{
	return clock_ns();
}

static inline void cpu_relax(void)
{
#if defined(__aarch64__) || defined(__arm__)
	__asm__ volatile("yield" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

#endif

/** Nanoseconds of one tick; set by clock_calibrate(). */
extern double clock_tick_ns;

/** Compare the counter with CLOCK_MONOTONIC; once, before the first fork. */
void clock_calibrate(void);

/** What clock_ticks() reads, for the environment. */
const char *clock_source(void);

static inline uint64_t clock_ns_to_ticks(double ns)
{
	return (uint64_t)(ns / clock_tick_ns);
}

#endif /* BENCH_CLOCK_H */
