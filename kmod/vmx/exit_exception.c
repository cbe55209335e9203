// SPDX-License-Identifier: GPL-2.0-only
/*
 * No exception of the guest's exits. What comes here all the same is made up by
 * a hypervisor below: KVM tells a nested one in this way that a page is not
 * there yet ("async page faults"). It means the Linux that asked for it, which
 * takes it as a page fault with a token in CR2.
 */
#include <asm/trapnr.h>

#include "exit.h"
#include "guest.h"
#include "vmx_arch.h"
#include "vmx_insn.h"

enum vmx_verdict vmx_exit_exception(void)
{
	u32 info = vmcs_read(VMCS_EXIT_EVENT);
	u64 token = vmcs_read(VMCS_EXIT_QUALIFICATION);

	if ((info & EVENT_VECTOR) != X86_TRAP_PF ||
	    (info >> EVENT_TYPE_SHIFT & EVENT_TYPE_MASK) != EVENT_HW_EXCEPTION)
		return VMX_REPORT;
	asm volatile("mov %0, %%cr2" : : "r" (token));
	vmx_guest_pf(vmcs_read(VMCS_EXIT_ERROR_CODE));
	return VMX_DONE;
}
