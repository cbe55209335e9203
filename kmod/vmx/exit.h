/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One handler for each reason to exit. In root: no locks, no allocation, no
 * call into Linux.
 *
 * Each returns VMX_DONE, or why this CPU must leave VMX; the guest then goes
 * on natively where the VMCS says.
 */
#ifndef SKYIPC_VMX_EXIT_H
#define SKYIPC_VMX_EXIT_H

#include <linux/types.h>

struct vmx_cpu;
struct vmx_regs;

enum vmx_verdict {
	VMX_DONE,
	VMX_LEAVE,	/* asked to */
	VMX_REPORT,	/* root cannot handle it: leave, and say so */
	VMX_AGAIN,	/* leave, and Linux starts root anew */
	VMX_DEAD,	/* the guest cannot go on either: leave, and panic */
};

enum vmx_verdict vmx_exit_cpuid(struct vmx_regs *r, struct vmx_cpu *c);
enum vmx_verdict vmx_exit_rdmsr(struct vmx_regs *r, struct vmx_cpu *c);
enum vmx_verdict vmx_exit_wrmsr(struct vmx_regs *r, struct vmx_cpu *c);
bool vmx_is_mtrr(const struct vmx_cpu *c, u32 msr);
enum vmx_verdict vmx_exit_mtrr(struct vmx_cpu *c, u32 msr, u64 value);
enum vmx_verdict vmx_exit_cr(struct vmx_regs *r, struct vmx_cpu *c);
enum vmx_verdict vmx_exit_xsetbv(struct vmx_regs *r, struct vmx_cpu *c);
enum vmx_verdict vmx_exit_vmcall(struct vmx_regs *r, struct vmx_cpu *c);
enum vmx_verdict vmx_exit_vmxoff(struct vmx_regs *r, struct vmx_cpu *c);
enum vmx_verdict vmx_exit_exception(void);
enum vmx_verdict vmx_exit_init(struct vmx_regs *r, struct vmx_cpu *c);
enum vmx_verdict vmx_exit_sipi(struct vmx_regs *r, struct vmx_cpu *c);

#endif
