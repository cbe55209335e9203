/* SPDX-License-Identifier: MIT */
/*
 * Time and place: a cheap tick counter for spinning, CLOCK_MONOTONIC for
 * deadlines, and the CPU this thread runs on.
 */
#ifndef SKY_CLOCK_H
#define SKY_CLOCK_H

#include <sched.h>
#include <stdint.h>
#include <time.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define SKY_HAVE_RSEQ 1
#endif

#include "skyipc.h"

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

/* Ticks of a constant-rate counter that costs a few nanoseconds to read. */
static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#else
	return now_ns();
#endif
}

/*
 * The rate of ticks() is measured against CLOCK_MONOTONIC between the
 * library's start and now; the first use may spin for up to 100 us to have
 * something to measure. Both functions may be called from any thread.
 */
uint64_t ticks_to_ns(uint64_t t);
uint64_t ns_to_ticks(uint64_t ns);

/*
 * The CPU this thread runs on: one load where glibc has registered rseq (the
 * kernel keeps cpu_id up to date, see rseq(2)), a vDSO call elsewhere.
 */
static inline int cpu_here(void)
{
#ifdef SKY_HAVE_RSEQ
	if (__builtin_expect(__rseq_size != 0, 1)) {
		const volatile struct rseq *rs =
			(const volatile struct rseq
				 *)((const char *)__builtin_thread_pointer() +
				    __rseq_offset);

		/* (A thread may have told the kernel not to.) */
		if (__builtin_expect((int)rs->cpu_id >= 0, 1))
			return (int)rs->cpu_id;
	}
#endif
	return sched_getcpu();
}

#define DEADLINE_NONE UINT64_MAX

/*
 * An absolute CLOCK_MONOTONIC deadline; @dflt_ns is what SKYIPC_DEFAULT means,
 * 0 for no limit. Never 0, which means not to wait at all.
 */
static inline uint64_t deadline_of(skyipc_time t, uint64_t dflt_ns)
{
	uint64_t now;

	if (t == SKYIPC_DEFAULT)
		t = dflt_ns ? dflt_ns : SKYIPC_FOREVER;
	if (t == SKYIPC_FOREVER)
		return DEADLINE_NONE;
	if (t >> 63) {
		t &= ~(UINT64_C(1) << 63);
		return t ? t : 1;
	}
	now = now_ns();
	/* Bit 63 would make it look like SKYIPC_AT() of the past. */
	return t < (UINT64_C(1) << 63) - now ? now + t : DEADLINE_NONE;
}

/* Milliseconds until @deadline for poll(): rounded up, -1 for none. */
static inline int deadline_ms(uint64_t deadline)
{
	uint64_t now, left;

	if (deadline == DEADLINE_NONE)
		return -1;
	now = now_ns();
	if (now >= deadline)
		return 0;
	left = (deadline - now + 999999) / 1000000;
	return left > 0x7fffffff ? 0x7fffffff : (int)left;
}

#endif
