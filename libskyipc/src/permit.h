/* SPDX-License-Identifier: MIT */
/*
 * permit.h - who may run a handler, if not only those who sit on seats do
 *
 * A counting semaphore whose fast paths are one instruction each: what is free,
 * or below 0, how many wait. Whoever gives one back while somebody waits posts
 * a wake instead, which is that permit, passed on.
 *
 * Closed, it is as if very many waited: all permits that are given back are
 * passed on, to who waits for them. Those who do not wait get none.
 */
#ifndef SKY_PERMIT_H
#define SKY_PERMIT_H

#include <stdatomic.h>
#include <stdint.h>

#include "clock.h"
#include "futex.h"

struct permits {
	_Atomic int32_t free;
	_Atomic uint32_t wakes;
};

static inline void permits_init(struct permits *p, int32_t n)
{
	atomic_init(&p->free, n);
	atomic_init(&p->wakes, 0);
}

static inline int permit_woken(struct permits *p)
{
	uint32_t n = atomic_load_explicit(&p->wakes, memory_order_relaxed);

	/* Acquire: pairs with permit_put(). */
	while (n)
		if (atomic_compare_exchange_weak_explicit(&p->wakes, &n, n - 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return 1;
	return 0;
}

#define PERMITS_CLOSED (INT32_C(1) << 30)

static inline void permits_close(struct permits *p)
{
	/* Acquire, release: as one who takes them all and passes them on. */
	int32_t n = atomic_fetch_sub_explicit(&p->free, PERMITS_CLOSED,
					      memory_order_acq_rel);

	if (n > 0)
		atomic_fetch_add_explicit(&p->wakes, (uint32_t)n,
					  memory_order_release);
	futex_wake(&p->wakes);
}

/* Closed: does nobody of @n have one? (Of that moment, if others take some.) */
static inline int permits_all_back(struct permits *p, uint32_t n)
{
	/* Acquire: pairs with permit_pass(). */
	return atomic_load_explicit(&p->wakes, memory_order_acquire) == n;
}

#define PERMIT_PATIENCE_NS 10000000u

/* Wait for one; @late: now and then meanwhile, with @arg */
static inline void permit_take(struct permits *p, void (*late)(void *),
			       void *arg)
{
	/* Acquire: pairs with permit_put(). */
	if (atomic_fetch_sub_explicit(&p->free, 1, memory_order_acquire) > 0)
		return;
	while (!permit_woken(p))
		if (futex_wait(&p->wakes, 0, now_ns() + PERMIT_PATIENCE_NS) ==
		    -ETIMEDOUT)
			late(arg);
}

/* Without waiting: is there one? */
static inline int permit_try(struct permits *p)
{
	int32_t n = atomic_load_explicit(&p->free, memory_order_relaxed);

	/* Acquire: pairs with permit_put(). */
	while (n > 0)
		if (atomic_compare_exchange_weak_explicit(&p->free, &n, n - 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return 1;
	return 0;
}

/*
 * Who has taken one that was not there (below 0) does not wait for it. False:
 * it has been passed on already, and is his.
 */
static inline int permit_cancel(struct permits *p)
{
	int32_t n = atomic_load_explicit(&p->free, memory_order_relaxed);

	while (n < 0)
		if (atomic_compare_exchange_weak_explicit(&p->free, &n, n + 1,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return 1;
	/* Whoever has counted us is about to post it. */
	while (!permit_woken(p))
		cpu_relax();
	return 0;
}

/* It has been given back, and somebody waits. */
static inline void permit_pass(struct permits *p)
{
	atomic_fetch_add_explicit(&p->wakes, 1, memory_order_release);
	futex_wake(&p->wakes);
}

static inline void permit_put(struct permits *p)
{
	/* Release: pairs with who takes it. */
	if (atomic_fetch_add_explicit(&p->free, 1, memory_order_release) < 0)
		permit_pass(p);
}

#endif
