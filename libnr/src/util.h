/* SPDX-License-Identifier: MIT */
/*
 * Small things every file needs. Some libskyipc has, too: neither includes the
 * other's files, so that each can be taken alone.
 */
#ifndef NR_UTIL_H
#define NR_UTIL_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* A function that the path of an uncontended operation goes past. */
#define cold __attribute__((cold))

/* Exported from the shared library (see libnr.map, too). */
#define NR_PUBLIC __attribute__((visibility("default")))

/*
 * Words that different threads write are kept apart by two cache lines: the
 * adjacent-line prefetcher of x86 fetches lines in pairs.
 */
#define NR_LINE 64
#define NR_APART 128
#define apart _Alignas(NR_APART)

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Smallest power of two that is at least @v; @v at most 2^63. */
static inline uint64_t roundup_pow2(uint64_t v)
{
	return v <= 1 ? 1 : UINT64_C(1) << (64 - __builtin_clzll(v - 1));
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

/* No structure of attributes is longer: a size that is was never set. */
#define SIZED_MAX 4096u

/*
 * The other way: what a program asks for. Where it knows more than we do it may
 * ask for nothing there (as copy_struct_from_user() of Linux has it). 0;
 * -EINVAL: no size; -E2BIG.
 */
static inline int sized_read(void *to, size_t size, const void *from)
{
	size_t have = *(const size_t *)from;

	if (have < sizeof(size_t))
		return -EINVAL;
	if (have > SIZED_MAX)
		return -E2BIG;
	for (size_t i = size; i < have; i++)
		if (((const unsigned char *)from)[i])
			return -E2BIG;
	sized_copy(to, size, from, have);
	return 0;
}

/*
 * A counter that one thread at a time writes and others read: no atomic
 * read-modify-write is needed, but the accesses must not tear. Pairs with
 * stat_read().
 */
#define stat_add(counter, n)                                                   \
	__atomic_store_n(&(counter),                                           \
			 __atomic_load_n(&(counter), __ATOMIC_RELAXED) + (n),  \
			 __ATOMIC_RELAXED)
#define stat_read(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

#endif
