/* SPDX-License-Identifier: MIT */
/*
 * view_enter.S - into the trampoline, and where it comes out: view.h
 */
#include "../../../kmod/view/layout.h"

	.text

	/* What a function preserves; and where the message is, for its end */
	.macro save_regs
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	.endm

	/* From what both are called with to what the trampoline takes */
	.macro load_message
	mov	%esi, %r8d
	mov	%rdx, %r11
	mov	%rcx, %rdx
	xor	%esi, %esi
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	mov	8(%rdi), %r9
	mov	16(%rdi), %r10
	mov	24(%rdi), %r12
	mov	32(%rdi), %r13
	mov	40(%rdi), %r14
	mov	48(%rdi), %r15
	mov	(%rdi), %rdi
	.endm

	.macro store_message_and_return
	pop	%rcx
	mov	%rdi, (%rcx)
	mov	%r9, 8(%rcx)
	mov	%r10, 16(%rcx)
	mov	%r12, 24(%rcx)
	mov	%r13, 32(%rcx)
	mov	%r14, 40(%rcx)
	mov	%r15, 48(%rcx)
	mov	%r11, 56(%rcx)
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.endm

/* int view_enter(struct view_msg *m, uint32_t slot, uint64_t key, void *page) */
	.globl	view_enter
view_enter:
	save_regs
	/* Handlers of signals call, too: layout.h. PKRU has nothing behind it. */
	push	VIEW_THREAD_SP(%rcx)
	push	VIEW_THREAD_PKRU(%rcx)
	push	%rcx
	load_message
	movabs	$VIEW_AT + VIEW_CALL, %rax
	call	*%rax
	pop	%rcx
	pop	VIEW_THREAD_PKRU(%rcx)
	pop	VIEW_THREAD_SP(%rcx)
	store_message_and_return

/*
 * int view_nest(struct view_msg *m, uint32_t slot, uint64_t key, uint64_t nest[3]):
 * in a handler, in a view
 */
	.globl	view_nest
view_nest:
	save_regs
	load_message
	movabs	$VIEW_AT + VIEW_NEST, %rax
	call	*%rax
	store_message_and_return

/* Where the worker goes on with a handler that has made a nested call */
	.globl	view_nested
view_nested:
	mov	(%rdx), %rcx
	test	%rcx, %rcx
	jz	1f
	movq	$0, (%rdx)
	mov	%rcx, %rsp
	ret
	/* It has made none: its client says so, and it is not true. */
1:	mov	$-71, %edi	/* -EPROTO */
	jmp	view_moved

/* The message, as a struct view_msg on the stack */
	.macro	push_message
	push	%r11
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%r10
	push	%r9
	push	%rdi
	mov	%rsp, %rdi
	.endm

/* Where VIEW_ENTRY jumps to, in the server */
	.globl	view_entered
view_entered:
	push_message
	call	*view_handler(%rip)
	pop	%rdi
	pop	%r9
	pop	%r10
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%r11		/* it shows the key, and so does the reply */
	lea	view_moved(%rip), %rax
	movabs	$VIEW_AT + VIEW_RETURN, %rcx
	jmp	*%rcx

/* ... and the trampoline, if the handler has ended in the worker */
view_moved:
	push_message
	call	view_reply

	.section .note.GNU-stack, "", @progbits
