/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stub.S - how a view is left for Linux
 *
 * In a view, the IDT and the SYSCALL and SYSENTER entries lead here instead of to
 * Linux: each to a stub of its own, which knows nothing but the save page of the
 * view it is in. It saves three registers, makes home valid in the CPU's EPTP
 * list, and goes there: the same address, as the kernel is mapped alike
 * everywhere. The rest is done at home, by view_left(), on the stack in the save
 * page.
 *
 * In between (the window) only NMIs, machine checks and debug exceptions can
 * come. Their stubs use other places of the save page, and roll the window
 * forward: what it would have done by its end they do, from how far it has come
 * (save.h), and let it continue there, at home.
 *
 * objtool leaves this file alone: nothing here is a function, and what is jumped
 * to begins with ENDBR.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>
#include "layout.h"
#include "save.h"

#define SAVE(what) view_save_page + (what)(%rip)

	.section .text, "ax"

.macro leave_view set
.Lbegin\@:
	endbr64
	movq	%rax, SAVE(VIEW_SAVE_SETS + VIEW_SAVE_SET * \set)
	movq	%rcx, SAVE(VIEW_SAVE_SETS + VIEW_SAVE_SET * \set + 8)
	movq	%rdx, SAVE(VIEW_SAVE_SETS + VIEW_SAVE_SET * \set + 16)
	movq	SAVE(VIEW_SAVE_SELF), %rdx
	movq	SAVE(VIEW_SAVE_LISTP), %rcx
	movq	(%rcx), %rcx
	movq	(%rcx), %rax
	movq	%rax, SAVE(VIEW_SAVE_SETS + VIEW_SAVE_SET * \set + 24)
.if . - .Lbegin\@ - VIEW_STUB_HOME
	.error "VIEW_STUB_HOME"
.endif
	movb	$VIEW_ENABLE, (%rcx)	/* VIEW_SLOT_HOME */
	xorl	%eax, %eax
	xorl	%ecx, %ecx
	.byte	0x0f, 0x01, 0xd4	/* vmfunc */
.if . - .Lbegin\@ - VIEW_STUB_OUT
	.error "VIEW_STUB_OUT"
.endif
.endm

	.balign 64
	.globl view_stubs
view_stubs:
vector = 0
.rept 256
	.if vector == 1
	leave_view VIEW_SET_DB
	.elseif vector == 2
	leave_view VIEW_SET_NMI
	.elseif vector == 8
	leave_view VIEW_SET_DF
	.elseif vector == 18
	leave_view VIEW_SET_MC
	.else
	leave_view VIEW_SET_USUAL
	.endif
	movb	$vector, %al
	jmp	left_with_frame
	.skip	view_stubs + VIEW_STUB_SIZE * (vector + 1) - ., 0xcc
vector = vector + 1
.endr
.rept 2
	leave_view VIEW_SET_USUAL
	movw	$vector, %ax
	jmp	left_without
	.skip	view_stubs + VIEW_STUB_SIZE * (vector + 1) - ., 0xcc
vector = vector + 1
.endr
	.globl view_stubs_end
view_stubs_end:

/*
 * At home. RAX: vector, RDX: the save page, RSP: what the processor has pushed;
 * GS is the program's. IRQs are off.
 */
left_without:
	/* RSP is the program's (or whatever SYSENTER loads). */
	movq	%rsp, VIEW_SAVE_FRAME + 24(%rdx)
	leaq	VIEW_SAVE_FRAME(%rdx), %rsp
left_with_frame:
	movq	%r15, VIEW_SAVE_REGS(%rdx)
	movq	%r14, VIEW_SAVE_REGS + 8(%rdx)
	movq	%r13, VIEW_SAVE_REGS + 16(%rdx)
	movq	%r12, VIEW_SAVE_REGS + 24(%rdx)
	movq	%rbp, VIEW_SAVE_REGS + 32(%rdx)
	movq	%rbx, VIEW_SAVE_REGS + 40(%rdx)
	movq	%r11, VIEW_SAVE_REGS + 48(%rdx)
	movq	%r10, VIEW_SAVE_REGS + 56(%rdx)
	movq	%r9, VIEW_SAVE_REGS + 64(%rdx)
	movq	%r8, VIEW_SAVE_REGS + 72(%rdx)
	movq	%rsi, VIEW_SAVE_REGS + 104(%rdx)
	movq	%rdi, VIEW_SAVE_REGS + 112(%rdx)
	movq	%rdx, %rbx
	movq	%rdx, %rdi
	movq	%rsp, %rsi
	movl	%eax, %edx
	leaq	VIEW_SAVE_SIZE - 16(%rbx), %rcx
	movq	%rcx, %rsp
	/* Nothing that speculates may find what a program has put there. */
	xorl	%ebp, %ebp
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	/* SYSENTER leaves NT and AC as the program has them; IRET faults with NT. */
	pushq	$2
	popfq
	call	view_left
	movq	(%rsp), %rsp
	/*
	 * An NMI's stack has words below its frame that mean something to Linux:
	 * what is written there is two addresses, and none of them.
	 */
	pushq	%rax
	testq	%rax, %rax
	movq	VIEW_SAVE_REGS(%rbx), %r15
	movq	VIEW_SAVE_REGS + 8(%rbx), %r14
	movq	VIEW_SAVE_REGS + 16(%rbx), %r13
	movq	VIEW_SAVE_REGS + 24(%rbx), %r12
	movq	VIEW_SAVE_REGS + 32(%rbx), %rbp
	movq	VIEW_SAVE_REGS + 48(%rbx), %r11
	movq	VIEW_SAVE_REGS + 56(%rbx), %r10
	movq	VIEW_SAVE_REGS + 64(%rbx), %r9
	movq	VIEW_SAVE_REGS + 72(%rbx), %r8
	movq	VIEW_SAVE_REGS + 80(%rbx), %rax
	movq	VIEW_SAVE_REGS + 88(%rbx), %rcx
	movq	VIEW_SAVE_REGS + 96(%rbx), %rdx
	movq	VIEW_SAVE_REGS + 104(%rbx), %rsi
	movq	VIEW_SAVE_REGS + 112(%rbx), %rdi
	movq	VIEW_SAVE_REGS + 40(%rbx), %rbx
	jz	to_program
	/* A jump that no program has trained: what RET expects goes nowhere. */
	ANNOTATE_INTRA_FUNCTION_CALL
	call	2f
1:	pause
	lfence
	jmp	1b
2:	addq	$8, %rsp
	ANNOTATE_UNRET_SAFE
	ret
	int3
to_program:
	addq	$8, %rsp
	/* What we have had in buffers is not for it (MDS and its kin). */
	verw	verw_selector(%rip)
	iretq

	.bss
	.globl view_save_page
	.balign 4096
view_save_page:
	.skip	4096

	.section .rodata, "a"
verw_selector:
	.word	__KERNEL_DS

	.section .note.GNU-stack, "", @progbits
