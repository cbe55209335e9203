/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Speculation. CPUID lets any program enter root, which maps all that Linux's
 * kernel half does. root_entry.S clears the registers and fills the return
 * stack; root makes no indirect jumps. What is left is IBRS, for processors
 * where Linux clears it in user mode (retbleed) and returns may be predicted
 * from what the program trained. With enhanced IBRS it is always on, and this
 * is one RDMSR.
 */
#ifndef SKYIPC_VMX_SHIELD_H
#define SKYIPC_VMX_SHIELD_H

#include <linux/types.h>
#include <asm/msr-index.h>
#include <asm/segment.h>

#include "cpu.h"
#include "vmx_insn.h"

extern bool vmx_shield_ibrs; /* this kind of processor has it */
extern bool vmx_shield_verw; /* VERW clears buffers */

static inline void vmx_shield_up(struct vmx_cpu *c)
{
	if (!vmx_shield_ibrs)
		return;
	c->spec_ctrl = vmx_rdmsr(MSR_IA32_SPEC_CTRL);
	if (!(c->spec_ctrl & SPEC_CTRL_IBRS))
		vmx_wrmsr(MSR_IA32_SPEC_CTRL,
			  c->spec_ctrl | SPEC_CTRL_IBRS);
}

static inline void vmx_shield_down(struct vmx_cpu *c)
{
	static const u16 selector = __KERNEL_DS;

	/* What root had in buffers is not for the guest (MDS and its kin). */
	if (vmx_shield_verw)
		asm volatile("verw %0" : : "m" (selector) : "cc");
	if (vmx_shield_ibrs && !(c->spec_ctrl & SPEC_CTRL_IBRS))
		vmx_wrmsr(MSR_IA32_SPEC_CTRL, c->spec_ctrl);
}

#endif
