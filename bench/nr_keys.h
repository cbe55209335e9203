/* SPDX-License-Identifier: MIT */
/*
 * Which keys are asked for. Drawing one takes a few nanoseconds and little of
 * the cache, so that it is not the keys that are measured.
 */
#ifndef BENCH_NR_KEYS_H
#define BENCH_NR_KEYS_H

#include <stdint.h>

/** A sequence of pseudo-random numbers (Steele, Lea, Flood: splitmix64). */
static inline uint64_t nr_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Some keys that are about equally likely; or else another such bucket. */
struct nr_bucket {
	uint32_t first, n;
	uint32_t here; /* how likely it is this one, in 2^32 */
	uint32_t other;
};

/**
 * struct nr_keys - a distribution over the keys below @n
 * @buckets: NULL: all alike.
 */
struct nr_keys {
	uint64_t n;
	uint32_t nbuckets;
	struct nr_bucket *buckets;
};

/** How steep zipf is; that of YCSB. */
#define NR_ZIPF_THETA 0.99

void nr_keys_uniform(struct nr_keys *k, uint64_t n);

/**
 * nr_keys_zipf - the i-th most popular key is 1 / i^0.99 as likely as the first
 *
 * By Walker's alias method, with the first 2048 keys on their own, and the
 * others in buckets from whose first to whose last likelihood differs by 1/256
 * at most. Popular keys lie all over the range.
 */
void nr_keys_zipf(struct nr_keys *k, uint64_t n);

void nr_keys_free(struct nr_keys *k);

static inline uint64_t nr_below(uint32_t random, uint64_t n)
{
	return random * n >> 32;
}

/* @n is at most 2^31: the product with it is below 2^63. */
#define NR_SCATTER UINT64_C(2654435761) /* a prime above any @n */

static inline uint64_t nr_key(const struct nr_keys *k, uint64_t *state)
{
	uint64_t r = nr_random(state), s;
	const struct nr_bucket *b;

	if (!k->buckets)
		return nr_below((uint32_t)r, k->n);
	b = &k->buckets[nr_below((uint32_t)r, k->nbuckets)];
	if (r >> 32 >= b->here)
		b = &k->buckets[b->other];
	if (b->n == 1)
		return b->first * NR_SCATTER % k->n;
	s = nr_random(state);
	return (b->first + nr_below((uint32_t)s, b->n)) * NR_SCATTER % k->n;
}

#endif /* BENCH_NR_KEYS_H */
