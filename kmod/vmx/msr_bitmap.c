// SPDX-License-Identifier: GPL-2.0-only
#include "home.h"
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
void vmx_msr_bitmap_fill(u8 *page, const struct vmx_mtrrs *mtrrs)
{
	memset(page, 0, 4096);
	for (u32 msr = 0; msr < 0x2000; msr++) {
		if (vmx_msr_is_vmx(msr) || msr == VMX_MSR_FEATURE_CONTROL) {
			set(page + READS_LOW, msr);
			set(page + WRITES_LOW, msr);
		}
	}
	/*
	 * Microcode is not to be loaded in VMX non-root operation, and the
	 * write does nothing there (SDM 26.3); root does it.
	 */
	set(page + WRITES_LOW, VMX_MSR_BIOS_UPDT_TRIG);
	for (u32 i = 0; i < mtrrs->count; i++)
		set(page + WRITES_LOW, mtrrs->regs[i].msr);
}
