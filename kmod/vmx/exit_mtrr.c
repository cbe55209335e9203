// SPDX-License-Identifier: GPL-2.0-only
/*
 * MTRRs. With EPT they have no say any more, home has (SDM 29.3.7.2): it was
 * made from them. Linux writes all of them at every resume, with the values
 * that they have; that is just done. Where they come out different, the CPU
 * leaves VMX, and Linux starts root again with a new home. X servers of old did
 * it once, through /proc/mtrr.
 */
#include "cpu.h"
#include "exit.h"
#include "guest.h"
#include "home.h"
#include "mtrr.h"
#include "root_asm.h"
#include "vmx_insn.h"

/* PAT and the MSRs of performance counters are among them, by number. */
bool vmx_is_mtrr(const struct vmx_cpu *c, u32 msr)
{
	for (u32 i = 0; i < c->mtrrs->count; i++)
		if (c->mtrrs->regs[i].msr == msr)
			return true;
	return false;
}

static bool as_in_home(const struct vmx_mtrrs *m)
{
	for (u32 i = 0; i < m->count; i++)
		if (vmx_rdmsr(m->regs[i].msr) != m->regs[i].value)
			return false;
	return true;
}

enum vmx_verdict vmx_exit_mtrr(struct vmx_cpu *c, u32 msr, u64 value)
{
	if (vmx_root_wrmsr(msr, value)) {
		vmx_guest_gp();
		return VMX_DONE;
	}
	vmx_guest_skip();
	/*
	 * Disabled while they are written one by one (SDM 12.11.7.2): caches
	 * are off then, and Linux does nothing else.
	 */
	if (!(vmx_rdmsr(MSR_MTRR_DEF_TYPE) & MTRR_DEF_ENABLED) ||
	    as_in_home(c->mtrrs))
		return VMX_DONE;
	c->report.kind = VMX_REPORT_MTRR;
	return VMX_AGAIN;
}
