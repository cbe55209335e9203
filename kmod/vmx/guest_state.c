// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest-state area: this CPU as it is (SDM 25.4, 27.3.1).
 *
 * RIP, RSP and RFLAGS are written with the launch itself.
 */
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>

#include "../compat.h"
#include "cpu.h"
#include "fail.h"
#include "segment.h"
#include "state.h"
#include "vmx_insn.h"

/* Access rights in the form of the VMCS: LAR's, 8 bits to the right. */
static u32 access_rights(u16 selector)
{
	u32 ar = 0;

	asm("lar %1, %0" : "+r" (ar) : "rm" ((u32)selector) : "cc");
	return ar >> 8 & 0xf0ff;
}

static u32 segment_limit(u16 selector)
{
	u32 limit = 0;

	asm("lsl %1, %0" : "+r" (limit) : "rm" ((u32)selector) : "cc");
	return limit;
}

/* Of a descriptor with 16 bytes: TSS or LDT. */
static u64 system_base(const struct desc_ptr *gdt, u16 selector)
{
	const struct ldttss_desc *d =
		(void *)(gdt->address + (selector & ~7));

	return d->base0 | d->base1 << 16 | (u64)d->base2 << 24 |
	       (u64)d->base3 << 32;
}

static bool write_segment(u32 field, u16 selector, u64 base)
{
	if (selector & ~3)
		return vmcs_write_segment(field, selector, base,
					  segment_limit(selector),
					  access_rights(selector));
	/* The bases of FS and GS count for null selectors, too. */
	return vmcs_write_segment(field, selector, base, 0, SEGMENT_UNUSABLE);
}

static bool write_segments(const struct desc_ptr *gdt)
{
	u16 es, cs, ss, ds, fs, gs, ldt, tr;
	bool failed;

	savesegment(es, es);
	savesegment(cs, cs);
	savesegment(ss, ss);
	savesegment(ds, ds);
	savesegment(fs, fs);
	savesegment(gs, gs);
	store_ldt(ldt);
	store_tr(tr);

	failed = write_segment(VMCS_GUEST_ES, es, 0);
	failed |= write_segment(VMCS_GUEST_CS, cs, 0);
	failed |= write_segment(VMCS_GUEST_SS, ss, 0);
	failed |= write_segment(VMCS_GUEST_DS, ds, 0);
	failed |= write_segment(VMCS_GUEST_FS, fs, vmx_rdmsr(MSR_FS_BASE));
	failed |= write_segment(VMCS_GUEST_GS, gs, vmx_rdmsr(MSR_GS_BASE));
	failed |= write_segment(VMCS_GUEST_LDTR, ldt,
				ldt & ~3 ? system_base(gdt, ldt) : 0);
	return failed | write_segment(VMCS_GUEST_TR, tr, system_base(gdt, tr));
}

/* Without it, as in some emulators, the field must be 0. */
static u64 debugctl(void)
{
	u64 value;

	return skyipc_rdmsr_safe(MSR_IA32_DEBUGCTLMSR, &value) ? 0 : value;
}

/* What has no segment: SDM 25.4.2 and the MSRs that entry and exit swap. */
static bool write_rest(void)
{
	bool failed = vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, 0);

	failed |= vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	failed |= vmcs_write(VMCS_GUEST_PENDING_DEBUG, 0);
	failed |= vmcs_write(VMCS_LINK, ~0ULL);
	failed |= vmcs_write(VMCS_GUEST_DEBUGCTL, debugctl());
	failed |= vmcs_write(VMCS_GUEST_EFER, vmx_rdmsr(MSR_EFER));
	failed |= vmcs_write(VMCS_GUEST_SYSENTER_CS,
			     vmx_rdmsr(MSR_IA32_SYSENTER_CS));
	failed |= vmcs_write(VMCS_GUEST_SYSENTER_ESP,
			     vmx_rdmsr(MSR_IA32_SYSENTER_ESP));
	return failed | vmcs_write(VMCS_GUEST_SYSENTER_EIP,
				   vmx_rdmsr(MSR_IA32_SYSENTER_EIP));
}

/*
 * The guest sees CR4.VMXE as Linux has it in its own copy (compat.h), so that
 * it writes CR4 without an exit. Set, if possible: KVM then finds VMX taken. A
 * write that changes it exits (exit_cr.c).
 */
static bool write_control_registers(void)
{
	u64 cr4 = __read_cr4();
	bool failed = vmcs_write(VMCS_GUEST_CR0, read_cr0());
	unsigned long dr7;

	failed |= vmcs_write(VMCS_GUEST_CR3, __read_cr3());
	failed |= vmcs_write(VMCS_GUEST_CR4, cr4);
	failed |= vmcs_write(VMCS_CR4_MASK, X86_CR4_VMXE);
	failed |= vmcs_write(VMCS_CR4_SHADOW, SKYIPC_VMXE_SHOWN ? cr4 :
				     cr4 & ~X86_CR4_VMXE);
	failed |= vmcs_write(VMCS_CR0_MASK, 0);
	failed |= vmcs_write(VMCS_CR0_SHADOW, read_cr0());
	get_debugreg(dr7, 7);
	return failed | vmcs_write(VMCS_GUEST_DR7, dr7);
}

bool vmx_guest_state_write(struct vmx_cpu *c)
{
	struct desc_ptr gdt, idt;
	bool failed;

	native_store_gdt(&gdt);
	store_idt(&idt);
	failed = vmcs_write(VMCS_GUEST_GDTR_BASE, gdt.address);
	failed |= vmcs_write(VMCS_GUEST_GDTR_LIMIT, gdt.size);
	failed |= vmcs_write(VMCS_GUEST_IDTR_BASE, idt.address);
	failed |= vmcs_write(VMCS_GUEST_IDTR_LIMIT, idt.size);
	failed |= write_segments(&gdt);
	failed |= write_control_registers();
	failed |= write_rest();
	return failed || vmx_fails(VMX_FAIL_GUEST_STATE);
}
