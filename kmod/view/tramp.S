/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * tramp.S - the trampoline page: the same for everybody, and for ever; and with
 * VIEW_PKRU, that of machines with protection keys (tramp_pkru.S)
 *
 * Each side clears what is its own before it leaves, and sets what it relies on
 * when it has arrived: neither believes the other. XRSTOR, of an image in which
 * everything is in its initial state, clears all of the vector and x87 registers
 * that the machine has.
 *
 * PKRU is saved here for the gate to load it again. A server's is, as a rule, the
 * client's: nobody has closed anything. WRPKRU, which waits for all that is under
 * way, is for the others. A client that has closed what a view's own page is in
 * faults at ENTRY, and its call begins in the worker.
 *
 * The two VMFUNCs are where the gates begin behind them (gate.h).
 */
#include "layout.h"

#define VMFUNC .byte 0x0f, 0x01, 0xd4
#define PAGE(what) VIEW_PAGE_AT - VIEW_AT + (what) + page(%rip)

/* HLT between all that is to be reached */
.macro at offset
	.org	page + \offset, 0xf4
.endm

.macro clear_vectors
	movl	PAGE(VIEW_PAGE_MASK), %eax
	xorl	%edx, %edx
	xrstor64 initial(%rip)
.endm

/* As long in both pages: CS prefixes, of which 64-bit code takes no notice */
.macro no_pkru
#ifndef VIEW_PKRU
	.rept	7
	.byte	0x2e
	.endr
#endif
.endm

#ifdef VIEW_PKRU
#define NAME skyipc_tramp_page_pkru
#else
#define NAME skyipc_tramp_page
#endif

	.section .rodata.tramp, "a", @progbits
	.globl NAME
	.balign 4096
NAME:
page:
	at VIEW_RESUME
	vmcall			/* root sets rip */
	ud2

	at VIEW_CALL
	movq	%rsp, VIEW_THREAD_SP(%rdx)
#ifdef VIEW_PKRU
	movq	%rdx, %rsi
	xorl	%ecx, %ecx
	rdpkru			/* edx is 0 */
	movl	%eax, VIEW_THREAD_PKRU(%rsi)
#endif
	clear_vectors
	no_pkru
	xorl	%esi, %esi	/* for the gate, as edx is 0 */
	no_pkru
	xorl	%eax, %eax	/* EPTP switching; edx is 0, home */
	movl	$VIEW_SLOT_GATE, %ecx
	at (GATE_CALL_AT - 3)
	VMFUNC

	at GATE_CALL_LAND
	cmpq	PAGE(VIEW_PAGE_KEY), %r11
	jne	stranger
#ifdef VIEW_PKRU
	xorl	%ecx, %ecx
	rdpkru
	cmpl	PAGE(VIEW_PAGE_PKRU), %eax
	jne	set_pkru
has_pkru:
#endif
	leaq	PAGE(VIEW_PAGE_FLAGS), %rsp
	popfq			/* no TF, DF, AC, NT, ID */
	movq	PAGE(VIEW_PAGE_SP), %rsp
	movq	PAGE(VIEW_PAGE_FS), %rax
	wrfsbase %rax
	movq	PAGE(VIEW_PAGE_GS), %rax
	wrgsbase %rax
	fninit
	ldmxcsr	initial+24(%rip)
	jmp	*PAGE(VIEW_PAGE_ENTRY)
#ifdef VIEW_PKRU
set_pkru:
	movl	PAGE(VIEW_PAGE_PKRU), %eax
	wrpkru
	jmp	has_pkru
#endif
	/* Not the client itself: a server that this one has called, or another one */
stranger:
	movq	PAGE(VIEW_PAGE_NEST), %rsi
	movq	16(%rsi), %rax
	xorq	%r11, %rax
	shrq	%rax		/* a reply may show it with another lowest bit */
	jz	nest_back
	ud2

	at VIEW_RETURN
	movl	PAGE(VIEW_PAGE_SLOT), %r8d
	testl	%r8d, %r8d
	jz	no_home
	clear_vectors
	xorl	%eax, %eax
	movl	$VIEW_SLOT_GATE, %ecx
	at (GATE_RET_AT - 3)
	VMFUNC

	at GATE_RET_LAND
	ret

	.balign 64, 0xf4
initial:
	.skip	24, 0
	.long	0x1f80		/* MXCSR: loaded from here in any case */
	.skip	512 + 64 - 28, 0

	/*
	 * A handler calls another server, and stays where it is: by the call gate,
	 * from one link's view to another one's. Where its stack is, it leaves in
	 * its own memory.
	 */
	at VIEW_NEST
	movl	PAGE(VIEW_PAGE_SELF), %eax
	testl	%eax, %eax
	jz	at_home
	at VIEW_NEST_SAVES
	movq	%rsp, (%rdx)
	movq	%r11, 16(%rdx)
#ifdef VIEW_PKRU
	movq	%rdx, %rsi
	xorl	%ecx, %ecx
	rdpkru
	movl	%eax, 8(%rsi)
#endif
	clear_vectors
	xorl	%esi, %esi
	movl	PAGE(VIEW_PAGE_SELF), %edx
go:
	xorl	%eax, %eax
	movl	$VIEW_SLOT_GATE, %ecx
	jmp	page + GATE_CALL_AT - 3

	/*
	 * RETURN, but not to home: into the view of the one who has called, or, as
	 * the call has moved to the worker, who is at home, where that says.
	 */
	at VIEW_NEST_RETURN
no_home:
	movl	PAGE(VIEW_PAGE_PARENT), %r8d
	testl	%r8d, %r8d
	jz	moved
	clear_vectors
	xorl	%esi, %esi
	movl	PAGE(VIEW_PAGE_SELF), %edx
	jmp	go
moved:
	jmp	*%rax
at_home:
	movq	$-11, %rax	/* -EAGAIN */
	ret

	/* A server that was called so has replied: r8d is what comes of it. */
	at VIEW_NEST_BACK
nest_back:
	xorl	%r8d, %r8d
	at VIEW_NEST_FAILED
	movq	PAGE(VIEW_PAGE_NEST), %rsi
#ifdef VIEW_PKRU
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	movl	8(%rsi), %eax
	wrpkru
#endif
	cmpq	$0, (%rsi)	/* nobody has called? */
	je	nobody
	movq	PAGE(VIEW_PAGE_FS), %rax
	wrfsbase %rax
	movq	PAGE(VIEW_PAGE_GS), %rax
	wrgsbase %rax
	leaq	PAGE(VIEW_PAGE_FLAGS), %rsp
	popfq
	fninit
	ldmxcsr	initial+24(%rip)
	movslq	%r8d, %rax
	jmp	page + VIEW_NEST_TAIL
	/* From here on without the view page: the worker can go on with it. */
	at VIEW_NEST_TAIL
	movq	(%rsi), %rsp
	movq	$0, (%rsi)
	ret
nobody:
	ud2
	.skip	page + 4096 - ., 0xf4

	.section .note.GNU-stack, "", @progbits
