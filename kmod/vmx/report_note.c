// SPDX-License-Identifier: GPL-2.0-only
/* Root's side of the report: what it writes down before the CPU leaves. */
#include "cpu.h"
#include "report.h"
#include "vmx_insn.h"

static void guest(struct vmx_report *p, const struct vmx_regs *r)
{
	p->rip = vmcs_read(VMCS_GUEST_RIP);
	p->rsp = vmcs_read(VMCS_GUEST_RSP);
	p->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
	p->cs = vmcs_read(VMCS_GUEST_CS);
	p->cr0 = vmcs_read(VMCS_GUEST_CR0);
	p->cr3 = vmcs_read(VMCS_GUEST_CR3);
	p->cr4 = vmcs_read(VMCS_GUEST_CR4);
	p->idt_event = vmcs_read(VMCS_IDT_EVENT);
	p->rax = r->rax;
	p->rbx = r->rbx;
	p->rcx = r->rcx;
	p->rdx = r->rdx;
	p->rsi = r->rsi;
	p->rdi = r->rdi;
}

void vmx_report_exit(struct vmx_cpu *c, const struct vmx_regs *r, u32 reason)
{
	struct vmx_report *p = &c->report;

	p->kind = VMX_REPORT_EXIT;
	p->code = reason;
	p->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
	p->physical = vmcs_read(VMCS_GUEST_PHYSICAL);
	p->linear = vmcs_read(VMCS_GUEST_LINEAR);
	guest(p, r);
}

void vmx_report_trap(struct vmx_cpu *c, const struct vmx_trap *t)
{
	struct vmx_report *p = &c->report;

	p->kind = VMX_REPORT_TRAP;
	p->code = t->vector;
	p->qualification = t->error;
	asm volatile("mov %%cr2, %0" : "=r" (p->linear));
	p->root_rip = t->rip;
	p->root_rsp = t->rsp;
	guest(p, c->regs);
}

void vmx_report_resume(struct vmx_cpu *c, u32 error)
{
	c->report.kind = VMX_REPORT_RESUME;
	c->report.code = error;
	guest(&c->report, c->regs);
}
