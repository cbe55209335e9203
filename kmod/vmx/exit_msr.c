// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSRs that exit: those the bitmap names, and those it cannot (outside
 * 0..0x1fff and 0xc0000000..0xc0001fff, SDM 25.6.9).
 */
#include <asm/msr-index.h>

#include "cpu.h"
#include "exit.h"
#include "guest.h"
#include "msr_bitmap.h"
#include "root_asm.h"

static void set(struct vmx_regs *r, u64 value)
{
	r->rax = (u32)value;
	r->rdx = value >> 32;
}

/* The capability MSRs are not there where CPUID says there is no VMX. */
enum vmx_verdict vmx_exit_rdmsr(struct vmx_regs *r, struct vmx_cpu *c)
{
	u32 msr = r->rcx;
	u64 value;

	if (vmx_msr_is_vmx(msr) || vmx_root_rdmsr(msr, &value)) {
		vmx_guest_gp();
		return VMX_DONE;
	}
	if (msr == MSR_IA32_FEAT_CTL)
		value &= ~(FEAT_CTL_VMX_ENABLED_INSIDE_SMX |
			   FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX);
	set(r, value);
	vmx_guest_skip();
	return VMX_DONE;
}

/*
 * FEATURE_CONTROL is locked (VMXON demands it), so a write faults; and so do
 * writes to the capability MSRs. Both fault by themselves.
 */
enum vmx_verdict vmx_exit_wrmsr(struct vmx_regs *r, struct vmx_cpu *c)
{
	u32 msr = r->rcx;
	u64 value = (u32)r->rax | r->rdx << 32;

	if (vmx_is_mtrr(c, msr))
		return vmx_exit_mtrr(c, msr, value);
	if (vmx_root_wrmsr(msr, value))
		vmx_guest_gp();
	else
		vmx_guest_skip();
	return VMX_DONE;
}
