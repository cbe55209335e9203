// SPDX-License-Identifier: GPL-2.0-only
/*
 * INIT and SIPI. CPUs leave VMX before Linux takes them down, so these are for
 * a kernel that was booted under us, by kexec after a crash for one, and
 * starts the CPUs that the old one has left halted in the guest.
 */
#include <asm/processor-flags.h>

#include "cpu.h"
#include "exit.h"
#include "segment.h"
#include "vmx_insn.h"

/* Access rights as an entry to real mode wants them (SDM 27.3.1.2) */
#define PRESENT (SEGMENT_P | SEGMENT_S)
#define DATA (PRESENT | 3)	/* read/write, accessed */
#define CODE (PRESENT | 11)	/* execute/read, accessed */
#define LDT (SEGMENT_P | 2)
#define TSS (SEGMENT_P | 11)	/* 32 bits, busy */

static void segment(u32 field, u16 selector, u64 base, u32 rights)
{
	vmcs_write_segment(field, selector, base, 0xffff, rights);
}

/* SDM table 10-1, column INIT */
static void reset_segments(void)
{
	for (u32 f = VMCS_GUEST_ES; f <= VMCS_GUEST_GS; f += 2)
		segment(f, 0, 0, DATA);
	segment(VMCS_GUEST_CS, 0xf000, 0xffff0000, CODE);
	segment(VMCS_GUEST_LDTR, 0, 0, LDT);
	segment(VMCS_GUEST_TR, 0, 0, TSS);
	vmcs_write(VMCS_GUEST_GDTR_BASE, 0);
	vmcs_write(VMCS_GUEST_GDTR_LIMIT, 0xffff);
	vmcs_write(VMCS_GUEST_IDTR_BASE, 0);
	vmcs_write(VMCS_GUEST_IDTR_LIMIT, 0xffff);
}

enum vmx_verdict vmx_exit_init(struct vmx_regs *r, struct vmx_cpu *c)
{
	u64 family, entry = vmcs_read(VMCS_ENTRY);
	u32 ebx, ecx = 0, edx, eax = 1;

	if (!c->can_wait_for_sipi)
		return VMX_DEAD;
	asm volatile("cpuid" : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx));
	family = eax;
	memset(r, 0, sizeof(*r));
	r->rdx = family;
	reset_segments();
	/* CD and NW keep their values. */
	vmcs_write(VMCS_GUEST_CR0, (vmcs_read(VMCS_GUEST_CR0) &
				    (X86_CR0_CD | X86_CR0_NW)) |
				   X86_CR0_ET | X86_CR0_NE);
	vmcs_write(VMCS_GUEST_CR3, 0);
	vmcs_write(VMCS_GUEST_CR4, X86_CR4_VMXE);
	vmcs_write(VMCS_CR4_SHADOW, 0);
	vmcs_write(VMCS_GUEST_EFER, 0);
	vmcs_write(VMCS_ENTRY, entry & ~ENTRY_IA32E_GUEST);
	vmcs_write(VMCS_GUEST_DR7, 0x400);
	vmcs_write(VMCS_GUEST_DEBUGCTL, 0);
	vmcs_write(VMCS_GUEST_RIP, 0xfff0);
	vmcs_write(VMCS_GUEST_RSP, 0);
	vmcs_write(VMCS_GUEST_RFLAGS, 2);
	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmcs_write(VMCS_GUEST_PENDING_DEBUG, 0);
	vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_WAIT_SIPI);
	c->nmi_pending = 0;
	c->mc_pending = 0;
	return VMX_DONE;
}

enum vmx_verdict vmx_exit_sipi(struct vmx_regs *r, struct vmx_cpu *c)
{
	u64 vector = vmcs_read(VMCS_EXIT_QUALIFICATION) & 0xff;

	segment(VMCS_GUEST_CS, vector << 8, vector << 12, CODE);
	vmcs_write(VMCS_GUEST_RIP, 0);
	vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	return VMX_DONE;
}
