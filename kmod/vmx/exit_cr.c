// SPDX-License-Identifier: GPL-2.0-only
/*
 * CR accesses that exit: MOV to CR4 with VMXE other than the guest sees it.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "cpu.h"
#include "exit.h"
#include "guest.h"
#include "vmx_insn.h"

/* The registers by number, as instructions encode them. */
static u64 operand(const struct vmx_regs *r, unsigned int number)
{
	switch (number) {
	case 0:
		return r->rax;
	case 1:
		return r->rcx;
	case 2:
		return r->rdx;
	case 3:
		return r->rbx;
	case 4:
		return vmcs_read(VMCS_GUEST_RSP);
	case 5:
		return r->rbp;
	case 6:
		return r->rsi;
	case 7:
		return r->rdi;
	default:
		/* r8 is 8 places before rdi, and so on down to r15 */
		return (&r->r15)[15 - number];
	}
}

/*
 * What MOV to CR4 would fault for (SDM 4.1.1, 4.10.1). The entry would fail
 * instead, so look before.
 */
static bool legal(u64 value, u64 old, const struct vmx_cpu *c)
{
	u64 changed = value ^ old;

	if (value & ~c->cr4_allowed)
		return false;
	if (!(vmcs_read(VMCS_GUEST_EFER) & EFER_LMA))
		return !(value & X86_CR4_PCIDE);
	if (changed & (X86_CR4_PAE | X86_CR4_LA57))
		return false;
	return !(changed & value & X86_CR4_PCIDE) ||
	       !(vmcs_read(VMCS_GUEST_CR3) & 0xfff);
}

/*
 * SDM 28.2.1, table 28-3: bits 3:0 which register, 5:4 how (0: MOV to),
 * 11:8 from where.
 *
 * Without VMXE the other bits go to the real register, which keeps its VMXE,
 * and the guest reads what it wrote: Linux does this on its way to kexec.
 */
enum vmx_verdict vmx_exit_cr(struct vmx_regs *r, struct vmx_cpu *c)
{
	u64 how = vmcs_read(VMCS_EXIT_QUALIFICATION);
	u64 value, old = vmcs_read(VMCS_GUEST_CR4);

	if ((how & 0x3f) != 4)
		return VMX_REPORT;
	value = operand(r, how >> 8 & 15);
	if (!legal(value, old, c)) {
		vmx_guest_gp();
		return VMX_DONE;
	}
	vmcs_write(VMCS_GUEST_CR4, value | X86_CR4_VMXE);
	vmcs_write(VMCS_CR4_SHADOW, value);
	/* Some changes flush (SDM 4.10.4.1); the entry flushes everything. */
	vmx_guest_skip();
	return VMX_DONE;
}
