/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * types.h - the few words of the kernel that the pure parts of kmod/vmx use
 *
 * mtrr.c, ept.c, ept_view.c, caps.c, needs.c, facts.c and controls.c know nothing
 * but numbers. They are compiled unchanged into the module, into programs of user
 * space and into the unit tests; this file is all that differs.
 */
#ifndef VMX_TYPES_H
#define VMX_TYPES_H

#ifdef __KERNEL__

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>

#else

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1ul << (n))
#define BIT_ULL(n) (1ull << (n))
#define GENMASK_ULL(h, l) ((~0ull << (l)) & (~0ull >> (63 - (h))))

#define min(a, b)                                                              \
	({                                                                     \
		__typeof__(a) min_a_ = (a);                                    \
		__typeof__(b) min_b_ = (b);                                    \
		min_a_ < min_b_ ? min_a_ : min_b_;                             \
	})

#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
/* A release, as the kernel's: what was written before is seen before. */
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

#endif

#endif
