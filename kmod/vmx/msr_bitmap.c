// SPDX-License-Identifier: GPL-2.0-only
#include "msr_bitmap.h"
#include "vmx_arch.h"

#define READS_LOW 0
#define WRITES_LOW 2048

static void set(u8 *part, u32 msr)
{
	part[msr / 8] |= 1u << msr % 8;
}

/*
 * Reads exit where the guest is not to see what is there. Writes of MTRRs exit
 * because home's memory types come from them. No MSR that Linux touches in
 * steady state is here.
 */
void vmx_msr_bitmap_fill(u8 *page)
{
	memset(page, 0, 4096);
	for (u32 msr = 0; msr < 0x2000; msr++) {
		if (vmx_msr_is_vmx(msr) || msr == VMX_MSR_FEATURE_CONTROL) {
			set(page + READS_LOW, msr);
			set(page + WRITES_LOW, msr);
		} else if (vmx_msr_is_mtrr(msr)) {
			set(page + WRITES_LOW, msr);
		}
	}
}
