/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where root is entered, and where it is left.
 *
 * The exit stack, from its top down (exit_stack() in root_tables.c):
 *
 *	padding, 8 bytes
 *	an IRET frame, 40	for the way out of VMX, see vmx_native_landing
 *	struct vmx_cpu *, 8	<- HOST_RSP
 *	struct vmx_regs, 120	the guest's registers while root runs
 *	frames of C
 *
 * Root's own code makes no indirect jumps, and the return stack buffer is
 * filled on entry: whoever was running may have trained both.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>
#include "layout.h"

	.section .text, "ax"

.macro push_regs
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
.endm

.macro pop_regs
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
.endm

/* What C may look at as "registers" must not be the guest's by speculation. */
.macro clear_regs
	xorl	%eax, %eax
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%esi, %esi
	xorl	%edi, %edi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
.endm

/* 32 entries: the deepest return stack buffer there is. Clobbers RCX. */
.macro stuff_return_stack
	movl	$16, %ecx
771:	ANNOTATE_INTRA_FUNCTION_CALL
	call	772f
	int3
772:	ANNOTATE_INTRA_FUNCTION_CALL
	call	773f
	int3
773:	decl	%ecx
	jnz	771b
	addq	$(32 * 8), %rsp
	lfence
.endm

/*
 * Not RET: objtool leaves this file alone, so nobody would patch what RET jumps
 * to. IBRS is set where it is needed (shield.h), and the return stack filled.
 */
.macro ret_raw
	ANNOTATE_UNRET_SAFE
	ret
	int3
.endm

/* For objtool: reached by an exit or the IDT, never by an indirect branch. */
.macro not_called
	ANNOTATE_NOENDBR
.endm

/* ... and with a stack that Linux's unwinder does not know. */
.macro root_stack
#ifdef UNWIND_HINT_TYPE_UNDEFINED
	UNWIND_HINT type=UNWIND_HINT_TYPE_UNDEFINED
#endif
.endm

/* HOST_RIP. RFLAGS is 2, GS points to our vmx_cpu, NMIs may come. */
SYM_CODE_START(vmx_root_entry)
	not_called
	root_stack
	push_regs
	clear_regs
	stuff_return_stack
	cld
	movq	%rsp, %rdi
	movq	%gs:VMX_CPU_SELF, %rsi
	call	vmx_root_exit
	jmp	vmx_root_resume
SYM_CODE_END(vmx_root_entry)

/*
 * Enter the guest with the registers at cpu->regs.
 *
 * An NMI or #MC that root takes asks for attention, and must be given to the
 * guest with this very entry. One that comes between the look at the flag and
 * VMRESUME finds the guest's registers half loaded, but still whole in memory:
 * vmx_root_trap() sends us back to vmx_root_resume. (A restartable sequence.)
 */
SYM_CODE_START(vmx_root_resume)
	not_called
	root_stack
	movq	%gs:VMX_CPU_REGS, %rsp
	cmpb	$0, %gs:VMX_CPU_ATTENTION
	jne	1f
	pop_regs
SYM_INNER_LABEL(vmx_root_vmresume, SYM_L_GLOBAL)
	not_called
	vmresume
	/* VMfail: the VMCS is not what it should be. Registers are untouched. */
	push_regs
	movq	%gs:VMX_CPU_SELF, %rdi
	jmp	vmx_root_resume_failed
1:	movq	%rsp, %rdi
	movq	%gs:VMX_CPU_SELF, %rsi
	call	vmx_root_attend
	jmp	vmx_root_resume
SYM_CODE_END(vmx_root_resume)

/*
 * Leave by an entry that must fail, see leave.c: the processor then loads the
 * host state, Linux's by now, and goes on at vmx_native_landing.
 * RDI: struct vmx_cpu
 */
SYM_CODE_START(vmx_root_last_entry)
	root_stack
	vmresume
	vmlaunch	/* where the first entry of all failed */
	jmp	vmx_root_stuck
SYM_CODE_END(vmx_root_last_entry)

/*
 * HOST_RIP of the last entry: Linux's page table, descriptor tables, TSS and
 * GS base, still in VMX root operation, RSP at the guest's registers.
 */
SYM_CODE_START(vmx_native_landing)
	root_stack
	endbr64
	cld
	movq	VMX_REGS_SIZE(%rsp), %rdi
	call	vmx_native_land
	movq	%rax, %rbx
	movl	$MSR_GS_BASE, %ecx
	movl	VMX_NATIVE_GS_BASE(%rbx), %eax
	movl	VMX_NATIVE_GS_BASE+4(%rbx), %edx
	wrmsr
	cmpb	$0, VMX_NATIVE_NMI_BLOCKED(%rbx)
	jne	1f
	pop_regs
	addq	$8, %rsp
	iretq
	/* Linux was in an NMI handler: IRET would let the next one in. */
1:	pop_regs
	movq	(8 + 24)(%rsp), %rsp
	popfq
	ret_raw
SYM_CODE_END(vmx_native_landing)

/*
 * int vmx_launch_here(void): become a guest. 0 as the guest; 1 or 2 where
 * VMLAUNCH says VMfailInvalid or VMfailValid; what leave.c puts into RAX where
 * the entry failed later than that. IRQs are off.
 */
SYM_FUNC_START(vmx_launch_here)
	pushfq
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movl	$VMX_FIELD_GUEST_RSP, %eax
	vmwrite	%rsp, %rax
	leaq	1f(%rip), %rcx
	movl	$VMX_FIELD_GUEST_RIP, %eax
	vmwrite	%rcx, %rax
	movl	$VMX_FIELD_GUEST_RFLAGS, %eax
	pushfq
	popq	%rcx
	vmwrite	%rcx, %rax
	xorl	%eax, %eax
	vmlaunch
	movl	$1, %eax
	movl	$2, %ecx
	cmovzl	%ecx, %eax
1:	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popfq
	ret_raw
SYM_FUNC_END(vmx_launch_here)

/*
 * Instructions root tries on the guest's behalf. Each may fault; the trap
 * goes on at its label ..._fault (vmx_root_trap()). 0, or 1 after a fault.
 */

/* int vmx_root_rdmsr(u32 msr, u64 *value) */
SYM_FUNC_START(vmx_root_rdmsr)
	movl	%edi, %ecx
SYM_INNER_LABEL(vmx_root_rdmsr_insn, SYM_L_GLOBAL)
	not_called
	rdmsr
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, (%rsi)
	xorl	%eax, %eax
	ret_raw
SYM_FUNC_END(vmx_root_rdmsr)

/* int vmx_root_wrmsr(u32 msr, u64 value) */
SYM_FUNC_START(vmx_root_wrmsr)
	movl	%edi, %ecx
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
SYM_INNER_LABEL(vmx_root_wrmsr_insn, SYM_L_GLOBAL)
	not_called
	wrmsr
	xorl	%eax, %eax
	ret_raw
SYM_FUNC_END(vmx_root_wrmsr)

/* int vmx_root_xsetbv(u32 index, u64 value) */
SYM_FUNC_START(vmx_root_xsetbv)
	movl	%edi, %ecx
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
SYM_INNER_LABEL(vmx_root_xsetbv_insn, SYM_L_GLOBAL)
	not_called
	xsetbv
	xorl	%eax, %eax
	ret_raw
SYM_FUNC_END(vmx_root_xsetbv)

/* void vmx_root_vmcall(struct vmx_regs *regs) */
SYM_FUNC_START(vmx_root_vmcall)
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi
	movq	VMX_REGS_R15(%rdi), %r15
	movq	VMX_REGS_R15+8(%rdi), %r14
	movq	VMX_REGS_R15+16(%rdi), %r13
	movq	VMX_REGS_R15+24(%rdi), %r12
	movq	VMX_REGS_R15+32(%rdi), %r11
	movq	VMX_REGS_R15+40(%rdi), %r10
	movq	VMX_REGS_R15+48(%rdi), %r9
	movq	VMX_REGS_R15+56(%rdi), %r8
	movq	VMX_REGS_RDI+8(%rdi), %rsi
	movq	VMX_REGS_RDI+16(%rdi), %rbp
	movq	VMX_REGS_RDI+24(%rdi), %rbx
	movq	VMX_REGS_RDI+32(%rdi), %rdx
	movq	VMX_REGS_RDI+40(%rdi), %rcx
	movq	VMX_REGS_RAX(%rdi), %rax
	movq	VMX_REGS_RDI(%rdi), %rdi
	vmcall
	xchgq	%rdi, (%rsp)
	movq	%rax, VMX_REGS_RAX(%rdi)
	movq	%rcx, VMX_REGS_RDI+40(%rdi)
	movq	%rdx, VMX_REGS_RDI+32(%rdi)
	movq	%rbx, VMX_REGS_RDI+24(%rdi)
	movq	%rbp, VMX_REGS_RDI+16(%rdi)
	movq	%rsi, VMX_REGS_RDI+8(%rdi)
	popq	VMX_REGS_RDI(%rdi)
	movq	%r8, VMX_REGS_R15+56(%rdi)
	movq	%r9, VMX_REGS_R15+48(%rdi)
	movq	%r10, VMX_REGS_R15+40(%rdi)
	movq	%r11, VMX_REGS_R15+32(%rdi)
	movq	%r12, VMX_REGS_R15+24(%rdi)
	movq	%r13, VMX_REGS_R15+16(%rdi)
	movq	%r14, VMX_REGS_R15+8(%rdi)
	movq	%r15, VMX_REGS_R15(%rdi)
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret_raw
SYM_FUNC_END(vmx_root_vmcall)

SYM_CODE_START(vmx_root_insn_fault)
	not_called
	root_stack
	movl	$1, %eax
	ret_raw
SYM_CODE_END(vmx_root_insn_fault)

SYM_CODE_START(vmx_root_bug)
	root_stack
	ud2
SYM_CODE_END(vmx_root_bug)

SYM_CODE_START(vmx_root_overflow)
	root_stack
1:	pushq	%rax
	jmp	1b
SYM_CODE_END(vmx_root_overflow)

/*
 * Traps in root. Every vector has an interrupt stack, so that an overflow of
 * the exit stack is taken well (root_tables.c says which).
 *
 * They do not return by IRET: that would end the blocking of NMIs. An NMI in
 * root is given to the guest by injection, whose handler's IRET then unblocks:
 * what comes meanwhile stays latched in the processor, as without us.
 * Nothing is lost by writing below the interrupted RSP: root has no red zone.
 */
	.balign 16
SYM_CODE_START_NOALIGN(vmx_root_trap_stubs)
	not_called
	root_stack
vector = 0
.rept VMX_ROOT_VECTORS
	.balign 16
	root_stack
	/* Those that push an error code: SDM 6.15 */
	.if !((vector == 8) || (vector >= 10 && vector <= 14) || \
	      (vector == 17) || (vector == 21) || (vector == 29) || \
	      (vector == 30))
	pushq	$0
	.endif
	pushq	$vector
	jmp	root_trap_common
	vector = vector + 1
.endr
SYM_CODE_END(vmx_root_trap_stubs)

SYM_CODE_START_LOCAL(root_trap_common)
	root_stack
	push_regs
	cld
	movq	%rsp, %rdi
	movq	%gs:VMX_CPU_SELF, %rsi
	call	vmx_root_trap
	movq	VMX_TRAP_RSP(%rsp), %rax
	movq	VMX_TRAP_RIP(%rsp), %rcx
	movq	%rcx, -8(%rax)
	movq	VMX_TRAP_RFLAGS(%rsp), %rcx
	movq	%rcx, -16(%rax)
	subq	$16, VMX_TRAP_RSP(%rsp)
	pop_regs
	movq	(VMX_TRAP_RSP - VMX_REGS_SIZE)(%rsp), %rsp
	popfq
	ret_raw
SYM_CODE_END(root_trap_common)
