/* SPDX-License-Identifier: MIT */
/*
 * gate.h - a lock that is waited for in the hope not to need it
 *
 * The combiner lock of flat combining (Hendler, Incze, Shavit, Tzafrir,
 * SPAA'10): who fails to get it waits until either his operation has been done
 * by who has it, or it is free. Both are looked at all the time: where losers
 * only wait for their response, a combiner that leaves before it has seen them
 * lets them wait until another one happens to come.
 *
 * Everybody sleeps on the lock's own word. Its owner has written all responses
 * before it exchanges the word for one that is free, and wakes all sleepers if
 * it finds GATE_PARKED there. A waiter first sets that bit, then looks once
 * more, then sleeps while the word is as it was: whichever of exchange and
 * setting comes second sees the first. The upper bits count, so that the word
 * is not as it was when it has been given back and taken again: what the waiter
 * looked for may have happened meanwhile.
 */
#ifndef NR_GATE_H
#define NR_GATE_H

#include <stdint.h>

#include "atomics.h"
#include "backoff.h"
#include "futex.h"
#include "util.h"

#define GATE_HELD 1u
#define GATE_PARKED 2u /* only with GATE_HELD */
#define GATE_HELPED 4u /* likewise: by who waits for no other gate */
#define GATE_STATE 7u
/* Counted by the owner: each time that sleepers have to look again. */
#define GATE_NEWS 8u

struct gate {
	_Atomic uint32_t word;
};

/* @how: GATE_HELD, and perhaps GATE_HELPED. */
static inline int gate_try_as(struct gate *g, uint32_t how)
{
	/* A load before, so that those who wait do not take the line away. */
	uint32_t v = load_relaxed(&g->word);

	/* Acquire pairs with the exchange in gate_unlock(). */
	return !(v & GATE_HELD) && cas_acquire(&g->word, &v, v | how);
}

static inline int gate_try(struct gate *g)
{
	return gate_try_as(g, GATE_HELD);
}

static inline void gate_unlock(struct gate *g)
{
	/* Others can only set GATE_PARKED, which is asked for below. */
	uint32_t was = load_relaxed(&g->word);
	uint32_t free = (was | GATE_STATE) + 1;

	if (mutant(WORD_AGAIN))
		free = 0;
	/* Release pairs with gate_try(), acquire with gate_announce(). */
	was = mutant(RELAXED_GATE)
		      ? atomic_exchange_explicit(&g->word, free,
						 memory_order_relaxed)
		      : xchg_acq_rel(&g->word, free);
	invariant(was & GATE_HELD);
	if (unlikely(was & GATE_PARKED) && !mutant(LOST_WAKE))
		futex_wake_all(&g->word);
}

/* The owner has news for those who sleep, though it goes on holding. */
static inline void gate_news(struct gate *g)
{
	/* Release pairs with the load in gate_announce(). */
	if (add_acq_rel(&g->word, GATE_NEWS) & GATE_PARKED)
		futex_wake_all(&g->word);
}

/*
 * Say that we are going to sleep. Return: the value to sleep on with
 * futex_wait(), after having looked once more; 0: it is free.
 */
uint32_t gate_announce(struct gate *g);

/* Get it, whatever it takes. */
void gate_lock(struct gate *g);

/* Counters of how waits went; may be shared, and are then hints. */
struct gate_waits {
	uint64_t yields;
	uint64_t parks;
};

/*
 * Wait until @cond holds, or until we have got the gate. Evaluates to 1 if we
 * have it; @cond is evaluated often.
 */
#define gate_or(g, cond, waits)                                                \
	({                                                                     \
		struct backoff b_ = { 0, 0 };                                  \
		int got_ = 0;                                                  \
		while (!(cond)) {                                              \
			uint32_t seen_;                                        \
			if (!mutant(NO_RETRY) && gate_try(g)) {                \
				got_ = 1;                                      \
				break;                                         \
			}                                                      \
			if (backoff(&b_))                                      \
				continue;                                      \
			seen_ = gate_announce(g);                              \
			if (!seen_)                                            \
				continue;                                      \
			if (cond)                                              \
				break;                                         \
			stat_add((waits)->parks, 1);                           \
			futex_wait(&(g)->word, seen_);                         \
		}                                                              \
		stat_add((waits)->yields, b_.yields);                          \
		got_;                                                          \
	})

#endif
