// SPDX-License-Identifier: GPL-2.0-only
/*
 * Root, entered: what was it, and what now. docs/root.md lists the reasons.
 */
#include <linux/compiler.h>

#include "cpu.h"
#include "ept.h"
#include "exit.h"
#include "exit_log.h"
#include "guest.h"
#include "leave.h"
#include "report.h"
#include "resume.h"
#include "root_asm.h"
#include "shield.h"
#include "vmcs.h"
#include "vmx_insn.h"

static void count(struct vmx_cpu *c, u32 reason)
{
	if (reason < REASONS)
		c->count.exits[reason]++;
	else
		c->count.exits_other++;
	if (READ_ONCE(vmx_exit_log_on))
		vmx_exit_log_add(c, reason);
}

/* INVD would lose what the caches hold of others; KVM does the same. */
static enum vmx_verdict exit_invd(void)
{
	asm volatile("wbinvd" : : : "memory");
	vmx_guest_skip();
	return VMX_DONE;
}

static enum vmx_verdict exit_ud(void)
{
	vmx_guest_ud();
	return VMX_DONE;
}

static enum vmx_verdict handle(u32 reason, struct vmx_regs *r,
			       struct vmx_cpu *c)
{
	switch (reason) {
	case REASON_CPUID:
		return vmx_exit_cpuid(r, c);
	case REASON_VMCALL:
		return vmx_exit_vmcall(r, c);
	case REASON_RDMSR:
		return vmx_exit_rdmsr(r, c);
	case REASON_WRMSR:
		return vmx_exit_wrmsr(r, c);
	case REASON_CR_ACCESS:
		return vmx_exit_cr(r, c);
	case REASON_XSETBV:
		return vmx_exit_xsetbv(r, c);
	case REASON_INVD:
		return exit_invd();
	case REASON_PREEMPTION_TIMER:
		return VMX_DONE;	/* what waited for it is given below */
	case REASON_INIT:
		return vmx_exit_init(r, c);
	case REASON_SIPI:
		return vmx_exit_sipi(r, c);
	case REASON_VMXOFF:
		return vmx_exit_vmxoff(r, c);
	case REASON_VMCLEAR:
	case REASON_VMLAUNCH:
	case REASON_VMPTRLD:
	case REASON_VMPTRST:
	case REASON_VMREAD:
	case REASON_VMRESUME:
	case REASON_VMWRITE:
	case REASON_VMXON:
	case REASON_INVEPT:
	case REASON_INVVPID:
	case REASON_VMFUNC:
	case REASON_GETSEC:
	case REASON_SEAMCALL:
	case REASON_TDCALL:
		return exit_ud();
	case REASON_EXCEPTION_NMI:
		return vmx_exit_exception();
	case REASON_EPT_VIOLATION:
		/* It was not there when the root was started: preflight.c */
		if (vmcs_read(VMCS_GUEST_PHYSICAL) >> EPT_ADDR_BITS)
			return VMX_REPORT;
		fallthrough;
	case REASON_EPT_MISCONFIG:
		/* A program, in a view, by what it has no right to there */
		if (!vmx_guest_cpl())
			return VMX_REPORT;
		vmx_guest_gp();
		return VMX_DONE;
	case REASON_TRIPLE_FAULT:
		return VMX_DEAD;
	default:
		return VMX_REPORT;
	}
}

/* For tests of what becomes of a call when root goes in the middle of it */
static bool is_to_fail(struct vmx_cpu *c, u32 reason)
{
	if (reason != c->fail_reason || !c->resume ||
	    !vmx_exit_in_view(c->resume))
		return false;
	c->fails = false;
	return true;
}

void vmx_root_exit(struct vmx_regs *r, struct vmx_cpu *c)
{
	u32 reason = vmcs_read(VMCS_EXIT_REASON);
	enum vmx_verdict v;

	vmx_shield_up(c);
	count(c, reason & 0xffff);
	if (reason & EXIT_REASON_ENTRY_FAILED) {
		if (c->state != VMX_CPU_ON)
			r->rax = VMX_LAUNCH_REFUSED; /* of vmx_launch_here() */
		/* Linux has to hear of it all the same (SDM 27.9). */
		if ((reason & 0xffff) == REASON_MACHINE_CHECK)
			c->mc_pending = 1;
		v = VMX_REPORT;
	} else {
		c->resuming = false;
		v = handle(reason & 0xffff, r, c);
		if (unlikely(c->fails) && is_to_fail(c, reason & 0xffff))
			v = VMX_REPORT;
	}
	if (v == VMX_REPORT || v == VMX_DEAD)
		vmx_report_exit(c, r, reason);
	if (v != VMX_DONE) {
		vmx_leave(c, v);
		vmx_never();
	}
	vmx_guest_events(c);
	vmx_shield_down(c);
}

/* An NMI or #MC came while the entry was already being made. */
void vmx_root_attend(struct vmx_regs *r, struct vmx_cpu *c)
{
	vmx_guest_events(c);
}

void vmx_root_resume_failed(struct vmx_cpu *c)
{
	vmx_report_resume(c, vmcs_read(VMCS_INSTRUCTION_ERROR));
	vmx_leave(c, VMX_REPORT);
	vmx_never();
}
