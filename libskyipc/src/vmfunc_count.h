/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_count.h - calls that only assembly sees, counted from the word by
 * which it knows when to go through C
 *
 * That word counts down: how many calls are left until then. What it was set
 * to, less what it is now, are calls, and C adds them up when it comes by.
 * Others want the sum meanwhile, and never less than what they have seen
 * before. So there are two, of which one is right and does not change: while it
 * counts
 * (@turn is odd), @until, which is what there will be when nothing is left;
 * else @sum. A reader in whose time @turn changed looks again: a turn takes 64
 * calls, or one that is slow, so readers get on, and nobody waits for a thread
 * that has been preempted.
 *
 * Whatever is written after a turn is written with release, and read with
 * acquire before the turn is looked at again: who has seen any of it sees that
 * turn, too. (What assembly writes, too: x86 keeps the order of stores.)
 */
#ifndef SKY_VMFUNC_COUNT_H
#define SKY_VMFUNC_COUNT_H

#include <stdint.h>

struct vmfunc_count {
	uint32_t turn;
	uint64_t until;
	uint64_t sum;
};

static inline int vmfunc_counts(const struct vmfunc_count *c)
{
	return c->turn & 1;
}

static inline void vmfunc_count_set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* After the word has been set, by who has. */
static inline void vmfunc_count_begin(struct vmfunc_count *c, uint32_t left)
{
	__atomic_store_n(&c->until, c->sum + left, __ATOMIC_RELEASE);
	__atomic_store_n(&c->turn, c->turn + 1, __ATOMIC_RELEASE);
}

/* Before the word is set anew: how many calls that were */
static inline uint64_t vmfunc_count_end(struct vmfunc_count *c, uint32_t left)
{
	uint64_t before = c->sum;

	if (!vmfunc_counts(c))
		return 0;
	__atomic_store_n(&c->sum, c->until - left, __ATOMIC_RELEASE);
	__atomic_store_n(&c->turn, c->turn + 1, __ATOMIC_RELEASE);
	return c->sum - before;
}

/*
 * By anybody, of a word from which left_of() makes what is left; how many calls
 * there have been.
 */
static inline uint64_t vmfunc_count_read(const struct vmfunc_count *c,
					 const uint32_t *word,
					 uint32_t (*left_of)(uint32_t word))
{
	uint32_t turn, after;
	uint64_t n;

	do {
		turn = __atomic_load_n(&c->turn, __ATOMIC_ACQUIRE);
		if (turn & 1)
			n = __atomic_load_n(&c->until, __ATOMIC_ACQUIRE) -
			    left_of(__atomic_load_n(word, __ATOMIC_ACQUIRE));
		else
			n = __atomic_load_n(&c->sum, __ATOMIC_ACQUIRE);
		after = __atomic_load_n(&c->turn, __ATOMIC_RELAXED);
	} while (turn != after);
	return n;
}

#endif
