/* SPDX-License-Identifier: MIT */
/*
 * view_spy.S - what a server has where calls come out, instead of the trampoline:
 * view_spy.h
 */
#include "../../../kmod/view/layout.h"
#include "view_spy.h"

	.section .rodata

/*
 * In the view: no stack, nothing in registers that it could lose. Goes back by the
 * gate at once.
 */
	.globl	view_spy
view_spy:
	xchg	%rax, ax(%rip)
	movabs	$VIEW_SPY_AT, %rax
	mov	%rsp, 0(%rax)
	mov	%rcx, 32(%rax)
	rdfsbase %rcx
	mov	%rcx, 8(%rax)
	rdgsbase %rcx
	mov	%rcx, 16(%rax)
	mov	%rdx, 40(%rax)
	mov	%rbx, 48(%rax)
	mov	%rbp, 56(%rax)
	mov	%rsi, 64(%rax)
	mov	%rdi, 72(%rax)
	mov	%r8, 80(%rax)
	mov	%r9, 88(%rax)
	mov	%r10, 96(%rax)
	mov	%r11, 104(%rax)
	mov	%r12, 112(%rax)
	mov	%r13, 120(%rax)
	mov	%r14, 128(%rax)
	mov	%r15, 136(%rax)
	incq	144(%rax)
	mov	ax(%rip), %rcx
	mov	%rcx, 24(%rax)
	movabs	$VIEW_AT + GATE_RET_AT - 3, %rsi
	xor	%ecx, %ecx
	xor	%edx, %edx
	cmpl	$0, 152(%rax)
	je	1f
	mov	156(%rax), %eax
	wrpkru
1:	xor	%eax, %eax
	mov	$VIEW_SLOT_GATE, %ecx
	jmp	*%rsi
ax:	.quad	0
	.globl	view_spy_end
view_spy_end:

	.section .note.GNU-stack, "", @progbits
