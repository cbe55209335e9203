/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers that assembly and C must agree on; cpu.h asserts them.
 */
#ifndef SKYIPC_VMX_LAYOUT_H
#define SKYIPC_VMX_LAYOUT_H

/*
 * struct vmx_regs: the guest's general registers in the order root_entry.S
 * pushes them. RSP is not among them: the VMCS holds it.
 */
#define VMX_REGS_R15	0
#define VMX_REGS_R14	8
#define VMX_REGS_R13	16
#define VMX_REGS_R12	24
#define VMX_REGS_R11	32
#define VMX_REGS_R10	40
#define VMX_REGS_R9	48
#define VMX_REGS_R8	56
#define VMX_REGS_RDI	64
#define VMX_REGS_RSI	72
#define VMX_REGS_RBP	80
#define VMX_REGS_RBX	88
#define VMX_REGS_RDX	96
#define VMX_REGS_RCX	104
#define VMX_REGS_RAX	112
#define VMX_REGS_SIZE	120

/* struct vmx_trap: what a trap in root leaves on its IST stack */
#define VMX_TRAP_RIP	(VMX_REGS_SIZE + 16)
#define VMX_TRAP_CS	(VMX_REGS_SIZE + 24)
#define VMX_TRAP_RFLAGS	(VMX_REGS_SIZE + 32)
#define VMX_TRAP_RSP	(VMX_REGS_SIZE + 40)
#define VMX_TRAP_SS	(VMX_REGS_SIZE + 48)
#define VMX_TRAP_SIZE	(VMX_REGS_SIZE + 56)

/* struct vmx_cpu: in root, GS points to it */
#define VMX_CPU_SELF	0
#define VMX_CPU_REGS	8
#define VMX_CPU_ATTENTION 16
#define VMX_CPU_NATIVE	24

/* struct vmx_native: what vmx_native_return() needs at the very end */
#define VMX_NATIVE_FS_BASE	0
#define VMX_NATIVE_GS_BASE	8
#define VMX_NATIVE_FRAME	16	/* RIP, CS, RFLAGS, RSP, SS: for IRETQ */
#define VMX_NATIVE_NMI_BLOCKED	56

/* Fields of the VMCS, as in vmcs.h */
#define VMX_FIELD_GUEST_RSP	0x681c
#define VMX_FIELD_GUEST_RIP	0x681e
#define VMX_FIELD_GUEST_RFLAGS	0x6820

/* Exceptions; the root's IDT knows no other vectors. */
#define VMX_ROOT_VECTORS	32

/* Interrupt stacks of the root's TSS (1 is the first, as in a gate) */
#define VMX_IST_NMI	1
#define VMX_IST_DF	2
#define VMX_IST_MC	3
#define VMX_IST_OTHER	4
#define VMX_ISTS	4

#endif
