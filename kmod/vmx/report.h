/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What root found that it cannot handle, written in root and printed by Linux
 * once the CPU is out of VMX.
 */
#ifndef SKYIPC_VMX_REPORT_H
#define SKYIPC_VMX_REPORT_H

#include <linux/types.h>

struct vmx_cpu;
struct vmx_regs;
struct vmx_trap;

enum vmx_report_kind {
	VMX_REPORT_NONE,
	VMX_REPORT_EXIT,	/* an exit root does not know, or a dead guest */
	VMX_REPORT_TRAP,	/* a fault in root's own code */
	VMX_REPORT_RESUME,	/* VMRESUME says VMfail */
	VMX_REPORT_MTRR,	/* no fault: memory types have changed */
	VMX_REPORT_WAKE,	/* it did not go in again */
};

struct vmx_report {
	enum vmx_report_kind kind;
	u32 code;		/* exit reason, vector or instruction error */
	u64 qualification;	/* or the error code of a trap */
	u64 physical, linear;	/* of an EPT violation; CR2 of a trap */
	u64 idt_event;		/* an event whose delivery was cut short */
	u64 root_rip, root_rsp;
	u64 rip, rsp, rflags, cs, cr0, cr3, cr4;
	u64 rax, rbx, rcx, rdx, rsi, rdi;
};

/* In root */
void vmx_report_exit(struct vmx_cpu *c, const struct vmx_regs *r, u32 reason);
void vmx_report_trap(struct vmx_cpu *c, const struct vmx_trap *t);
void vmx_report_resume(struct vmx_cpu *c, u32 error);

/* In Linux: in a word, and all of it to the log */
const char *vmx_report_what(const struct vmx_report *p);
void vmx_report_print(int cpu, const struct vmx_report *p);

/* Names, for this and for the counters. NULL for a number without one. */
const char *vmx_reason_name(u32 reason);

#endif
