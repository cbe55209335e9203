/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What root_entry.S defines, and what it calls.
 */
#ifndef SKYIPC_VMX_ROOT_ASM_H
#define SKYIPC_VMX_ROOT_ASM_H

#include <linux/compiler.h>
#include <linux/types.h>

struct vmx_cpu;
struct vmx_native;
struct vmx_regs;
struct vmx_trap;

/* Labels */
extern const char vmx_root_entry[], vmx_root_resume[], vmx_root_vmresume[];
extern const char vmx_native_landing[], vmx_root_trap_stubs[];
extern const char vmx_root_rdmsr_insn[], vmx_root_wrmsr_insn[];
extern const char vmx_root_xsetbv_insn[], vmx_root_insn_fault[];

/* Functions: 0, or 1 where the instruction faulted */
int vmx_root_rdmsr(u32 msr, u64 *value);
int vmx_root_wrmsr(u32 msr, u64 value);
int vmx_root_xsetbv(u32 index, u64 value);

/* VMCALL with all these registers, which become what the call makes of them */
void vmx_root_vmcall(struct vmx_regs *r);

/*
 * Become a guest: 0 as the guest. 1 or 2 if VMLAUNCH said VMfailInvalid or
 * VMfailValid; VMX_LAUNCH_REFUSED if it failed later, and VMX has been left.
 */
#define VMX_LAUNCH_REFUSED 3
int vmx_launch_here(void);

/* For tests: a bug, and a stack that overflows. None of these returns. */
void vmx_root_bug(void);
void vmx_root_overflow(void);
void vmx_root_last_entry(struct vmx_cpu *c);

/*
 * After what does not return. Not __noreturn: objtool has a list of the
 * functions that may be, and knows this.
 */
static __always_inline void vmx_never(void)
{
	for (;;)
		asm volatile("ud2");
}

/* Called from there. The last two do not return. */
void vmx_root_exit(struct vmx_regs *regs, struct vmx_cpu *c);
void vmx_root_attend(struct vmx_regs *regs, struct vmx_cpu *c);
void vmx_root_trap(struct vmx_trap *t, struct vmx_cpu *c);
struct vmx_native *vmx_native_land(struct vmx_cpu *c);
void vmx_root_resume_failed(struct vmx_cpu *c);
void vmx_root_stuck(struct vmx_cpu *c);

#endif
