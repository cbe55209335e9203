/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which MSRs exit. One bitmap for all CPUs: a page of bits, 1 exits, in four
 * parts: reads of low and high MSRs, writes of both (SDM 25.6.9).
 */
#ifndef SKYIPC_VMX_MSR_BITMAP_H
#define SKYIPC_VMX_MSR_BITMAP_H

#include "types.h"

/* 0x480..0x4ff are set aside for VMX; 0x492 is the last there is (A.1-A.12). */
static inline bool vmx_msr_is_vmx(u32 msr)
{
	return msr >= 0x480 && msr <= 0x4ff;
}

struct vmx_mtrrs;

void vmx_msr_bitmap_fill(u8 *page, const struct vmx_mtrrs *mtrrs);

#endif
