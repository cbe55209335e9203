// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host-state area: what an exit loads (SDM 25.5, 28.5). It is root's own
 * while we are in VMX, and Linux's for the last exit of all (leave.c).
 */
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>

#include "controls.h"
#include "cpu.h"
#include "fail.h"
#include "root_asm.h"
#include "root_tables.h"
#include "state.h"
#include "vmx_insn.h"

static bool write_msrs(void)
{
	bool failed = vmcs_write(VMCS_HOST_EFER, vmx_rdmsr(MSR_EFER));

	failed |= vmcs_write(VMCS_HOST_SYSENTER_CS,
			     vmx_rdmsr(MSR_IA32_SYSENTER_CS));
	failed |= vmcs_write(VMCS_HOST_SYSENTER_ESP,
			     vmx_rdmsr(MSR_IA32_SYSENTER_ESP));
	return failed | vmcs_write(VMCS_HOST_SYSENTER_EIP,
				   vmx_rdmsr(MSR_IA32_SYSENTER_EIP));
}

static bool write_selectors(void)
{
	bool failed = vmcs_write(VMCS_HOST_CS, __KERNEL_CS);

	failed |= vmcs_write(VMCS_HOST_SS, __KERNEL_DS);
	failed |= vmcs_write(VMCS_HOST_DS, __KERNEL_DS);
	failed |= vmcs_write(VMCS_HOST_ES, __KERNEL_DS);
	failed |= vmcs_write(VMCS_HOST_FS, 0);
	failed |= vmcs_write(VMCS_HOST_GS, 0);
	return failed | vmcs_write(VMCS_HOST_TR, GDT_ENTRY_TSS * 8);
}

bool vmx_host_state_write(struct vmx_cpu *c)
{
	struct vmx_tables *t = c->tables;
	bool failed = write_selectors();

	failed |= vmcs_write(VMCS_HOST_CR0, read_cr0());
	failed |= vmcs_write(VMCS_HOST_CR3, vmx_root_cr3());
	failed |= vmcs_write(VMCS_HOST_CR4, vmx_root_cr4(__read_cr4()));
	failed |= vmcs_write(VMCS_HOST_GDTR_BASE, (u64)t->gdt);
	failed |= vmcs_write(VMCS_HOST_IDTR_BASE, (u64)t->idt);
	failed |= vmcs_write(VMCS_HOST_TR_BASE, (u64)&t->tss);
	failed |= vmcs_write(VMCS_HOST_FS_BASE, 0);
	failed |= vmcs_write(VMCS_HOST_GS_BASE, (u64)c);
	failed |= vmcs_write(VMCS_HOST_RSP, vmx_root_exit_sp(c));
	failed |= vmcs_write(VMCS_HOST_RIP, (u64)vmx_root_entry);
	failed |= write_msrs();
	return failed || vmx_fails(VMX_FAIL_HOST_STATE);
}
