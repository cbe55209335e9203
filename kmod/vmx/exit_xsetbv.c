// SPDX-License-Identifier: GPL-2.0-only
/*
 * XSETBV: done with the guest's operands, and faulting as it would. XCR0 is
 * the guest's and root's alike.
 */
#include "cpu.h"
#include "exit.h"
#include "guest.h"
#include "root_asm.h"

enum vmx_verdict vmx_exit_xsetbv(struct vmx_regs *r, struct vmx_cpu *c)
{
	/* At another CPL it has faulted before the exit (SDM 26.1.1). */
	if (vmx_root_xsetbv(r->rcx, (u32)r->rax | r->rdx << 32))
		vmx_guest_gp();
	else
		vmx_guest_skip();
	return VMX_DONE;
}
