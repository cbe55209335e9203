/* SPDX-License-Identifier: MIT */
/* Small things every file needs. */
#ifndef SKY_UTIL_H
#define SKY_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Exported from the shared library (see libskyipc.map, too). */
#define SKY_PUBLIC __attribute__((visibility("default")))

#define container_of(ptr, type, member)                                        \
	((type *)((char *)(ptr)-offsetof(type, member)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Smallest power of two that is at least @v; @v at most 2^31. */
static inline uint32_t roundup_pow2(uint32_t v)
{
	return v <= 1 ? 1 : 1u << (32 - __builtin_clz(v - 1));
}

static inline uint64_t align_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) & ~(to - 1);
}

/*
 * A structure that starts with its size, for a program that may know it longer
 * or shorter than we do: the program's size stays, what we lack becomes zero.
 */
static inline void sized_copy(void *to, size_t size, const void *from,
			      size_t have)
{
	memset(to, 0, size);
	memcpy(to, from, size < have ? size : have);
	*(size_t *)to = size;
}

/*
 * A counter that one thread writes and others read: no atomic read-modify-write
 * is needed, but the accesses must not tear. Pairs with stat_read().
 */
#define stat_add(counter, n)                                                   \
	__atomic_store_n(&(counter),                                           \
			 __atomic_load_n(&(counter), __ATOMIC_RELAXED) + (n),  \
			 __ATOMIC_RELAXED)
#define stat_read(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

#endif
