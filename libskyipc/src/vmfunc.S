/* SPDX-License-Identifier: MIT */
/*
 * vmfunc.S - calls by VMFUNC: what has to be said in registers, and what every
 * call goes through
 *
 * Which registers, and what becomes of all others, says kmod/view/layout.h. The
 * side that is gone to is not trusted: what a function has to preserve is on the
 * stack or in memory of its own meanwhile.
 */
#ifdef __x86_64__
#include "view/layout.h"
#include "vmfunc_asm.h"

	/* For debuggers and profilers, too, which unwind by .eh_frame */
	.macro function name
	.globl	\name
	.hidden	\name
	.type	\name, @function
	.balign	16
\name:
	.cfi_startproc
	.endm

	.macro end name
	.cfi_endproc
	.size	\name, . - \name
	.endm

	.macro push reg
	pushq	%\reg
	.cfi_adjust_cfa_offset 8
	.endm

	.macro pop reg
	popq	%\reg
	.cfi_adjust_cfa_offset -8
	.endm

	.macro save reg
	push	\reg
	.cfi_rel_offset \reg, 0
	.endm

	.macro restore reg
	pop	\reg
	.cfi_restore \reg
	.endm

	.macro load_words from, at
	movq	\at(\from), %r9
	movq	\at + 8(\from), %r10
	movq	\at + 16(\from), %r12
	movq	\at + 24(\from), %r13
	movq	\at + 32(\from), %r14
	movq	\at + 40(\from), %r15
	.endm

	.macro store_words to, at
	movq	%r9, \at(\to)
	movq	%r10, \at + 8(\to)
	movq	%r12, \at + 16(\to)
	movq	%r13, \at + 24(\to)
	movq	%r14, \at + 32(\to)
	movq	%r15, \at + 40(\to)
	.endm

	/* A struct skyipc_dev_msg */
	.macro load_msg from, at
	load_words \from, \at + VMFUNC_WORDS
	movq	\at + VMFUNC_EXT(\from), %rbx
	movq	\at + VMFUNC_EXT + 8(\from), %rbp
	.endm

	.macro store_msg to, at
	store_words \to, \at + VMFUNC_WORDS
	movq	%rbx, \at + VMFUNC_EXT(\to)
	movq	%rbp, \at + VMFUNC_EXT + 8(\to)
	.endm

	.macro save_regs
	save	rbp
	save	rbx
	save	r12
	save	r13
	save	r14
	save	r15
	.endm

	.macro restore_regs
	restore	r15
	restore	r14
	restore	r13
	restore	r12
	restore	rbx
	restore	rbp
	.endm

	.section .rodata
	.balign	8
tramp_call:
	.quad	VIEW_AT + VIEW_CALL
tramp_return:
	.quad	VIEW_AT + VIEW_RETURN
tramp_nest:
	.quad	VIEW_AT + VIEW_NEST
view_key:
	.quad	VIEW_PAGE_AT + VIEW_PAGE_KEY

	.text

/* ---- the client ------------------------------------------------------------- */

/*
 * int vmfunc_call(struct chan *chan, uint32_t op, const uint64_t *in,
 *		   uint64_t *out, int32_t *status, skyipc_time t)
 */
	function vmfunc_call
	testq	%r9, %r9	/* SKYIPC_DEFAULT? */
	jnz	vmfunc_call_slow
	testq	%rdx, %rdx
	jz	vmfunc_call_slow
	/* Of this thread's, and of a handler of its signals, one is first. */
	btsl	$VMFUNC_FAST_BUSY, VMFUNC_FAST_LEFT(%rdi)
	jc	vmfunc_call_slow
	save_regs
	push	rdi
	push	rcx
	push	r8
	load_words %rdx, 0
	movq	VMFUNC_FAST_PAGE(%rdi), %rdx
	movq	VMFUNC_FAST_TIMEOUT(%rdi), %rax
	movq	%rax, VIEW_THREAD_TIMEOUT(%rdx)
	/* A function preserves these two, but no trampoline does. */
	stmxcsr	VMFUNC_FAST_MXCSR(%rdi)
	fnstcw	VMFUNC_FAST_FCW(%rdi)
	movq	VMFUNC_FAST_KEY(%rdi), %r11
	movl	VMFUNC_FAST_SLOT(%rdi), %r8d
	movq	VMFUNC_FAST_EXT(%rdi), %rbp
	xorl	%ebx, %ebx
	movl	%esi, %edi
	call	*tramp_call(%rip)
	pop	r8
	pop	rcx
	pop	rdx
	ldmxcsr	VMFUNC_FAST_MXCSR(%rdx)
	fninit			/* nor is it known what the server has left */
	fldcw	VMFUNC_FAST_FCW(%rdx)
	.cfi_remember_state
	/*
	 * No reply, or one that has more than its words? The usual one shows the
	 * link's key, others show it with another lowest bit. (Without that it is
	 * some server's that ours has called, and has gone home in its place.)
	 */
	subq	VMFUNC_FAST_KEY(%rdx), %r11
	jnz	3f
	testq	%rcx, %rcx
	jz	4f
	store_words %rcx, 0
4:	testq	%r8, %r8
	jz	5f
	movl	%edi, (%r8)
6:	subl	$VMFUNC_FAST_DONE, VMFUNC_FAST_LEFT(%rdx)
	restore_regs
	ret
	.cfi_restore_state
5:	testl	%edi, %edi
	jz	6b
	jmp	7f
	/* (What is above eax may be a server's that has gone home in place of ours.) */
3:	movslq	%eax, %rax
	testl	%eax, %eax
	jnz	7f
	addq	VMFUNC_FAST_KEY(%rdx), %r11
	xorq	VMFUNC_FAST_KEY(%rdx), %r11
	cmpq	$1, %r11
	je	7f
	movq	$-VMFUNC_EINPROGRESS, %rax
7:	movq	VMFUNC_FAST_MSG(%rdx), %rsi
	store_msg %rsi, 0
	movl	%edi, VMFUNC_STATUS(%rsi)
	restore_regs
	movq	%rdx, %rdi
	movq	%rcx, %rsi
	movq	%r8, %rdx
	movq	%rax, %rcx
	jmp	vmfunc_call_rest
	end vmfunc_call

/*
 * int vmfunc_go(struct skyipc_dev_msg *msg, uint32_t slot, uint64_t key,
 *		 void *page)
 * int vmfunc_nest(struct skyipc_dev_msg *msg, uint32_t slot, uint64_t key,
 *		   uint64_t nest[3])
 */
	function vmfunc_go
	leaq	tramp_call(%rip), %rax
	jmp	go
	end vmfunc_go

	function vmfunc_nest
	leaq	tramp_nest(%rip), %rax
go:
	save_regs
	push	rdi
	push	rdx
	subq	$16, %rsp
	.cfi_adjust_cfa_offset 16
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	movl	%esi, %r8d
	movq	%rdx, %r11
	movq	%rcx, %rdx
	load_msg %rdi, 0
	/* The server knows by that, too, that this link is still the same. */
	xorq	%r11, %rbp
	movl	VMFUNC_OP(%rdi), %edi
	call	*(%rax)
	ldmxcsr	(%rsp)
	fninit
	fldcw	4(%rsp)
	addq	$16, %rsp
	.cfi_adjust_cfa_offset -16
	pop	rdx
	pop	rcx
	testl	%eax, %eax
	jnz	1f
	xorq	%rdx, %r11
	shrq	$1, %r11
	jz	2f
	movl	$-VMFUNC_EINPROGRESS, %eax
	jmp	1f
2:	store_msg %rcx, 0
	movl	%edi, VMFUNC_STATUS(%rcx)
1:	restore_regs
	ret
	end vmfunc_nest

/* ---- the server --------------------------------------------------------------- */

/*
 * Where a call comes out: its stack begins at the frame. It ends there, too; but
 * if it has moved to the worker meanwhile, vmfunc_wait() returns with it.
 *
 * Registers may hold whatever the client likes, vector registers, too.
 */
	function vmfunc_landing
	.cfi_undefined rip	/* this is where the stack begins */
	cmpq	%rbp, VMFUNC_FRAME_EXT(%rsp)
	jne	1f
	cmpl	%edi, VMFUNC_CALL_OP(%rsp)
	jne	1f
	movq	VMFUNC_FRAME_PERMITS(%rsp), %rax
	lock subl $1, (%rax)	/* acquire: pairs with permit_put() */
	js	3f
	/* After that: what is counted is a call, for whoever looks. */
	subl	$1, VMFUNC_FRAME_LEFT(%rsp)
	jb	2f
	store_words %rsp, VMFUNC_CALL_IN
	pxor	%xmm0, %xmm0
	movups	%xmm0, VMFUNC_CALL_OUT(%rsp)
	movups	%xmm0, VMFUNC_CALL_OUT + 16(%rsp)
	movups	%xmm0, VMFUNC_CALL_OUT + 32(%rsp)
	movq	VMFUNC_FRAME_ARG(%rsp), %rsi
	movq	%rsp, %rdi
	call	*VMFUNC_FRAME_FN(%rsp)
	/* (Who has descriptors has a number of them.) */
	movq	VMFUNC_CALL_REPLY_LEN(%rsp), %rcx
	orq	VMFUNC_CALL_REPLY_NFDS(%rsp), %rcx
	jnz	4f
	movq	VMFUNC_FRAME_PERMITS(%rsp), %rcx
	lock addl $1, (%rcx)	/* release: pairs with who takes it */
	jle	5f
	load_words %rsp, VMFUNC_CALL_OUT
	movl	%eax, %edi
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	movq	VMFUNC_FRAME_KEY(%rsp), %r11
	leaq	moved(%rip), %rax
	jmp	*tramp_return(%rip)

	/* Its stack is in use: a handler is there that has made a nested call. */
9:	movq	$VMFUNC_CALL_BUSY << 32, %rbp
	jmp	10f

2:	addl	$1, VMFUNC_FRAME_LEFT(%rsp)
	leaq	vmfunc_due(%rip), %rax
	jmp	6f
3:	leaq	vmfunc_busy(%rip), %rax
	jmp	6f
	/* (Nothing is usual then, so all come here.) */
1:	cmpq	$0, VMFUNC_FRAME_NEST(%rsp)
	jne	9b
	leaq	vmfunc_serve(%rip), %rax
6:	xorq	%r11, %rbp	/* the key, from the way in */
	store_msg %rsp, VMFUNC_FRAME_MSG
	movl	%edi, VMFUNC_FRAME_MSG + VMFUNC_OP(%rsp)
	movq	%rsp, %rdi
	call	*%rax
	jmp	7f
	/* Somebody waits: he has not been told. */
5:	movl	$1, %edx
	jmp	8f
4:	xorl	%edx, %edx
8:	movl	%eax, %esi
	movq	%rsp, %rdi
	call	vmfunc_served
7:	load_msg %rsp, VMFUNC_FRAME_MSG
	movl	VMFUNC_FRAME_MSG + VMFUNC_STATUS(%rsp), %edi
10:	movq	view_key(%rip), %rax
	movq	(%rax), %r11
	xorq	$1, %r11
	leaq	moved(%rip), %rax
	jmp	*tramp_return(%rip)

	/*
	 * In the worker: a handler that has made a nested call goes on with what is
	 * in eax, and the reply's registers.
	 */
	.globl	vmfunc_nested
	.hidden	vmfunc_nested
vmfunc_nested:
	cmpq	$0, VMFUNC_FRAME_NEST(%rsp)
	je	11f
	cmpq	$0, VMFUNC_FRAME_HAS_PKRU(%rsp)
	je	12f
	movl	%eax, %esi
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	movl	VMFUNC_FRAME_NEST + 8(%rsp), %eax
	wrpkru
	movl	%esi, %eax
12:	xorl	%ecx, %ecx
	xchgq	%rcx, VMFUNC_FRAME_NEST(%rsp)
	movq	%rcx, %rsp
	ret
	/* Its client says so, and it is not true. */
11:	movq	%rsp, %rdi
	call	vmfunc_nobody
	jmp	7b

moved:
	store_msg %rsp, VMFUNC_FRAME_MSG
	movl	%edi, VMFUNC_FRAME_MSG + VMFUNC_STATUS(%rsp)
	movl	$1, %eax
	movq	VMFUNC_FRAME_SP(%rsp), %rsp
	.cfi_restore rip
	.cfi_def_cfa_offset 56
	.cfi_rel_offset r15, 0
	.cfi_rel_offset r14, 8
	.cfi_rel_offset r13, 16
	.cfi_rel_offset r12, 24
	.cfi_rel_offset rbx, 32
	.cfi_rel_offset rbp, 40
	restore_regs
	ret
	end vmfunc_landing

/* int vmfunc_wait(struct vmfunc_frame *frame, int (*wait)(void *), void *arg) */
	function vmfunc_wait
	save_regs
	movq	%rsp, VMFUNC_FRAME_SP(%rdi)
	movq	%rdx, %rdi
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	*%rsi
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	restore_regs
	ret
	end vmfunc_wait

#endif
	.section .note.GNU-stack, "", @progbits
