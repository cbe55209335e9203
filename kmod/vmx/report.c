// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>

#include "cpu.h"
#include "report.h"

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
		return "MTRRs have changed";
	case VMX_REPORT_WAKE:
		return "no launch after a suspend";
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
