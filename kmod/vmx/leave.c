// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaving VMX from root.
 *
 * GDT, IDT, TSS, page table and GS base must become Linux's together: an NMI
 * may come after any instruction, and it must find either all of root's or all
 * of Linux's. No sequence of loads can do that, but an exit does. So the host
 * state is made Linux's, and the guest state invalid: the entry then fails
 * after the checks of the host state (SDM 27.8), and the processor loads that
 * as it would for an exit. Nothing of the guest runs in between.
 */
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>

#include "cpu.h"
#include "leave.h"
#include "resume.h"
#include "root_asm.h"
#include "shield.h"
#include "vmx_insn.h"

/* What the last entry overwrites, and what comes after VMXOFF. */
static void remember_guest(struct vmx_cpu *c)
{
	struct vmx_native *n = &c->native;

	n->fs_base = vmcs_read(VMCS_GUEST_FS_BASE);
	n->gs_base = vmcs_read(VMCS_GUEST_GS_BASE);
	n->rip = vmcs_read(VMCS_GUEST_RIP);
	n->cs = vmcs_read(VMCS_GUEST_CS);
	n->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
	n->rsp = vmcs_read(VMCS_GUEST_RSP);
	n->ss = vmcs_read(VMCS_GUEST_SS);
	n->nmi_blocked = !c->nmi_held &&
			 (vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) &
			  BLOCKED_BY_NMI);
}

static void copy_field(u64 to, u64 from)
{
	vmcs_write(to, vmcs_read(from));
}

static void host_becomes_linux(struct vmx_cpu *c)
{
	copy_field(VMCS_HOST_CR0, VMCS_GUEST_CR0);
	/* The kernel half is the same, for there is no PTI. */
	copy_field(VMCS_HOST_CR3, VMCS_GUEST_CR3);
	copy_field(VMCS_HOST_CR4, VMCS_GUEST_CR4);
	copy_field(VMCS_HOST_GDTR_BASE, VMCS_GUEST_GDTR_BASE);
	copy_field(VMCS_HOST_IDTR_BASE, VMCS_GUEST_IDTR_BASE);
	copy_field(VMCS_HOST_TR, VMCS_GUEST_TR);
	copy_field(VMCS_HOST_TR_BASE, VMCS_GUEST_TR_BASE);
	copy_field(VMCS_HOST_FS_BASE, VMCS_GUEST_FS_BASE);
	copy_field(VMCS_HOST_EFER, VMCS_GUEST_EFER);
	copy_field(VMCS_HOST_SYSENTER_CS, VMCS_GUEST_SYSENTER_CS);
	copy_field(VMCS_HOST_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP);
	copy_field(VMCS_HOST_SYSENTER_EIP, VMCS_GUEST_SYSENTER_EIP);
	vmcs_write(VMCS_HOST_GS_BASE, c->linux_gs_base);
	vmcs_write(VMCS_HOST_RSP, (u64)c->regs);
	vmcs_write(VMCS_HOST_RIP, (u64)vmx_native_landing);
}

void vmx_leave(struct vmx_cpu *c, enum vmx_verdict why)
{
	vmx_shield_down(c);
	c->left_for = why;
	if (c->resume)
		vmx_exit_stops(c->resume, c->regs, c->resuming);
	remember_guest(c);
	host_becomes_linux(c);
	vmcs_write(VMCS_ENTRY_EVENT, 0);
	vmcs_write(VMCS_GUEST_RFLAGS, 0); /* bit 1 must be set */
	c->leaving = 1;
	vmx_root_last_entry(c);
	vmx_never();
}

/*
 * Not even the failing entry fails as it should. There is nothing left that
 * this CPU can do; the others run on, and their watchdogs will tell.
 */
void vmx_root_stuck(struct vmx_cpu *c)
{
	c->state = VMX_CPU_LEFT;
	for (;;)
		asm volatile("cli; hlt");
}
