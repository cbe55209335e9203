/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PKRU: which keys of its pages a program has closed. There is one, the running
 * program's, in the kernel and in root, too; neither goes by it. (asm/pkru.h asks
 * what Linux knows of, and tells its copy; here it is the processor that is asked.)
 */
#ifndef SKYIPC_PKRU_H
#define SKYIPC_PKRU_H

#include <linux/types.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>

static inline bool sky_has_keys(void)
{
	return native_read_cr4() & X86_CR4_PKE;
}

/* 0, which is all open, if there are no keys */
static inline u32 sky_read_pkru(void)
{
	u32 value = 0, zero;

	if (sky_has_keys())
		asm volatile("rdpkru" : "=a" (value), "=d" (zero) : "c" (0));
	return value;
}

/* Nothing if there are none. WRPKRU is slow, and RDPKRU is not. */
static inline void sky_write_pkru(u32 value)
{
	if (sky_has_keys() && sky_read_pkru() != value)
		asm volatile("wrpkru" : : "a" (value), "c" (0), "d" (0));
}

#endif
