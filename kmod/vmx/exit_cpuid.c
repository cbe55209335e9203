// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID: what the processor says, less VMX.
 */
#include <asm/cpufeatures.h>
#include <asm/processor-flags.h>

#include "cpu.h"
#include "exit.h"
#include "guest.h"
#include "root_asm.h"
#include "vmx_insn.h"

/* Bits by which CPUID mirrors CR4. CR4 is root's here, so ask the guest's. */
static u32 mirror(u32 word, u32 bit, u64 cr4, u64 enable)
{
	return cr4 & enable ? word | bit : word & ~bit;
}

/*
 * CPUID faulting (arch_prctl(ARCH_CPUID), SDM 2.2 of "Intel 64 and IA-32
 * Architectures, Flexibility in Virtualization"): the exit comes first, so
 * the fault is ours to give.
 */
static bool faults(void)
{
	u64 info, enables;

	if (!vmx_guest_cpl())
		return false;
	if (vmx_root_rdmsr(MSR_PLATFORM_INFO, &info) ||
	    !(info & MSR_PLATFORM_INFO_CPUID_FAULT))
		return false;
	return !vmx_root_rdmsr(MSR_MISC_FEATURES_ENABLES, &enables) &&
	       enables & MSR_MISC_FEATURES_ENABLES_CPUID_FAULT;
}

enum vmx_verdict vmx_exit_cpuid(struct vmx_regs *r, struct vmx_cpu *c)
{
	u32 leaf = r->rax, subleaf = r->rcx;
	u32 a = leaf, b, cx = subleaf, d;

	if (faults()) {
		vmx_guest_gp();
		return VMX_DONE;
	}
	asm volatile("cpuid" : "+a" (a), "=b" (b), "+c" (cx), "=d" (d));
	if (leaf == 1) {
		cx &= ~BIT(X86_FEATURE_VMX & 31);
		cx = mirror(cx, BIT(X86_FEATURE_OSXSAVE & 31),
			    vmcs_read(VMCS_GUEST_CR4), X86_CR4_OSXSAVE);
	} else if (leaf == 7 && !subleaf) {
		cx = mirror(cx, BIT(X86_FEATURE_OSPKE & 31),
			    vmcs_read(VMCS_GUEST_CR4), X86_CR4_PKE);
	} else if (leaf == 0x80000001 && !vmx_guest_is_64bit()) {
		/* Intel's: SYSCALL is there in 64-bit mode only. */
		d &= ~BIT(X86_FEATURE_SYSCALL & 31);
	}
	r->rax = a;
	r->rbx = b;
	r->rcx = cx;
	r->rdx = d;
	vmx_guest_skip();
	return VMX_DONE;
}
