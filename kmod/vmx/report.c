// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>

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

const char *vmx_report_what(const struct vmx_report *p)
{
	switch (p->kind) {
	case VMX_REPORT_EXIT:
		if (p->code & EXIT_REASON_ENTRY_FAILED)
			return "the guest state was refused at an entry";
		return vmx_reason_name(p->code & EXIT_REASON_MASK) ?:
		       "an exit of unknown reason";
	case VMX_REPORT_TRAP:
		return "a trap in root";
	case VMX_REPORT_RESUME:
		return "VMRESUME failed";
	case VMX_REPORT_MTRR:
		return "MTRRs are written";
	case VMX_REPORT_NONE:
		break;
	}
	return "nothing";
}

void vmx_report_print(int cpu, const struct vmx_report *p)
{
	pr_err("CPU %d has left VMX and goes on without: %s (%#x), qualification %#llx\n",
	       cpu, vmx_report_what(p), p->code, p->qualification);
	pr_err("CPU %d: guest-physical %#llx, linear %#llx, event under delivery %#llx\n",
	       cpu, p->physical, p->linear, p->idt_event);
	pr_err("CPU %d: guest RIP %04llx:%016llx RSP %016llx RFLAGS %08llx\n",
	       cpu, p->cs, p->rip, p->rsp, p->rflags);
	pr_err("CPU %d: CR0 %016llx CR3 %016llx CR4 %016llx\n",
	       cpu, p->cr0, p->cr3, p->cr4);
	pr_err("CPU %d: RAX %016llx RBX %016llx RCX %016llx RDX %016llx\n",
	       cpu, p->rax, p->rbx, p->rcx, p->rdx);
	pr_err("CPU %d: RSI %016llx RDI %016llx\n", cpu, p->rsi, p->rdi);
	if (p->kind == VMX_REPORT_TRAP)
		pr_err("CPU %d: root RIP %pS RSP %016llx\n", cpu,
		       (void *)p->root_rip, p->root_rsp);
}
