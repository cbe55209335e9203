/* SPDX-License-Identifier: MIT */
/*
 * hash.h - a hash of bytes
 *
 * Words are mixed by multiplying to 128 bits and folding both halves, as in
 * wyhash (Wang Yi) and its relatives. Seeded, so that what collides in one
 * table does not in another; but who sees the order of entries can find keys
 * that collide, so it is no protection from keys that an enemy chooses.
 */
#ifndef NR_HASH_H
#define NR_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util.h"

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
#else
	uint64_t lo = (a & 0xffffffff) * (b & 0xffffffff);
	uint64_t m1 = (a >> 32) * (b & 0xffffffff) + (lo >> 32);
	uint64_t m2 = (a & 0xffffffff) * (b >> 32) + (uint32_t)m1;
	uint64_t hi = (a >> 32) * (b >> 32) + (m1 >> 32) + (m2 >> 32);

	return (m2 << 32 | (uint32_t)lo) ^ hi;
#endif
}

/* What hash_bytes() returns for a word's bytes */
static inline uint64_t hash_word(uint64_t word, uint64_t seed)
{
	uint64_t h = seed ^ UINT64_C(0xa0761d6478bd642f);

	h = hash_mix(h ^ word, UINT64_C(0xe7037ed1a0b428db));
	return hash_mix(h ^ sizeof(word), UINT64_C(0x589965cc75374cc3));
}

static inline uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed)
{
	const unsigned char *at = bytes;
	uint64_t h = seed ^ UINT64_C(0xa0761d6478bd642f), word, n = len;

	if (likely(len == sizeof(word))) {
		memcpy(&word, at, sizeof(word));
		return hash_word(word, seed);
	}
	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		h = hash_mix(h ^ word, UINT64_C(0xe7037ed1a0b428db));
	}
	if (len) {
		word = 0;
		memcpy(&word, at, len);
		h = hash_mix(h ^ word, UINT64_C(0x8ebc6af09c88c6e3));
	}
	/* The length, so that a zero byte more is another key. */
	return hash_mix(h ^ n, UINT64_C(0x589965cc75374cc3));
}

/* A seed that nobody knows before. */
uint64_t hash_seed(void);

#endif
