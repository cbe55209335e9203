// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traps in root: NMIs and machine checks are the guest's, faults of tried
 * instructions are expected, and the rest are bugs.
 */
#include <linux/compiler.h>
#include <asm/trapnr.h>

#include "cpu.h"
#include "leave.h"
#include "report.h"
#include "root_asm.h"

/*
 * Remember it. Where the entry is being made already, make it anew: the
 * registers at c->regs are whole until then. Once the host state is Linux's
 * there is no way back, and vmx_native_land() takes it from there.
 */
static void keep_for_guest(struct vmx_trap *t, struct vmx_cpu *c, u8 *pending)
{
	WRITE_ONCE(*pending, 1);
	WRITE_ONCE(c->attention, 1);
	if (t->rip < (u64)vmx_root_resume || t->rip > (u64)vmx_root_vmresume)
		return;
	t->rip = (u64)vmx_root_resume;
	/*
	 * RSP goes up through c->regs there, and the way back is written below
	 * it: over registers that were popped already, and are needed again.
	 */
	t->rsp = (u64)c->regs;
}

static bool expected(struct vmx_trap *t)
{
	if (t->rip != (u64)vmx_root_rdmsr_insn &&
	    t->rip != (u64)vmx_root_wrmsr_insn &&
	    t->rip != (u64)vmx_root_xsetbv_insn)
		return false;
	t->rip = (u64)vmx_root_insn_fault;
	return true;
}

void vmx_root_trap(struct vmx_trap *t, struct vmx_cpu *c)
{
	switch (t->vector) {
	case X86_TRAP_NMI:
		c->count.nmis_in_root++;
		keep_for_guest(t, c, &c->nmi_pending);
		return;
	case X86_TRAP_MC:
		c->count.machine_checks_in_root++;
		keep_for_guest(t, c, &c->mc_pending);
		return;
	case X86_TRAP_GP:
	case X86_TRAP_UD:
		if (expected(t))
			return;
	}
	/* A bug of ours. Go once, the second time give up. */
	if (c->trapped++ || c->leaving) {
		vmx_root_stuck(c);
		vmx_never();
	}
	vmx_report_trap(c, t);
	vmx_leave(c, VMX_REPORT);
	vmx_never();
}
