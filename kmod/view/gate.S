/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * gate.S - the gate page: the same for everybody, and for ever; and with
 * VIEW_PKRU, that of machines with protection keys (gate_pkru.S)
 *
 * Each VMFUNC that leads here comes with 0 in eax (EPTP switching) and 1 in ecx
 * (VIEW_SLOT_GATE). Both gates rest on that: whoever skips their first
 * instruction has 1 in ecx still, and does not get out.
 *
 * The call gate:
 *
 *	rdx	the slot to disable: where we come from
 *	r8d	the slot to enable and to go to; not home
 *	rsi	0, and rdx is, too, if it is home that is left: what rsp, and the bases
 *		of fs and gs, are on the way
 *
 * The return gate, which goes home, and only there:
 *
 *	r8	the slot to disable
 *	-	rsi, rdx, rcx are lost
 *
 * Where a client has its stack and its thread's data is nothing that a server needs
 * to know. It is cleared here, and no earlier: at home Linux would deliver signals
 * there.
 *
 * At home Linux can interrupt at once and deliver a signal: it writes to where
 * rsp points, its handler uses %fs, and flags stay as they are. None of that may
 * be what the server has left, so it is the client's before home is enabled, and
 * nobody gets there by another way. Nor may PKRU, with which a server would open
 * what its client has closed, or close what it needs. WRPKRU faults if edx is not 0,
 * as the trampoline leaves it, so eax is 0 then.
 *
 * No register is believed. Whose slot to disable is not where he comes from
 * leaves his own view open to those he has called, or the other way round, and
 * harms nobody else. No index is wrong: list + 8 * ecx is in the list's page only
 * if ecx, which VMFUNC goes by, is that entry's number, as all 32-bit operations
 * clear the upper half; one that is wrong there is none of the list, and faults.
 *
 * Between enabling a slot and going there nothing can come, but for an
 * interrupt; the stub that takes it in this view disables all slots.
 *
 * selftests/gate_check.c proves this for a start at any byte, which is why the
 * encodings are as they are: of two that do the same, one has a store in it if
 * one begins at its second byte.
 */
#include "gate.h"

#ifdef VIEW_PKRU
#define NAME skyipc_gate_page_pkru
#else
#define NAME skyipc_gate_page
#endif

	.section .rodata.gate, "a", @progbits
	.globl NAME
	.balign 4096
NAME:
page:
	/* HLT: faults in user mode, and has one byte */
	.skip GATE_CALL_AT, 0xf4
call_gate:
	movl	%r8d, %ecx
	.byte	0xe3, 0x21		/* jrcxz to a HLT */
	/* wrfsbase first: behind 21, which is and, its f3 is two registers */
	wrfsbase %rsi
	movl	%esi, %esp
	wrgsbase %rdx
	cld
	movb	$VIEW_DISABLE, VIEW_LIST_AT(, %rdx, 8)
	movb	$VIEW_ENABLE, VIEW_LIST_AT(, %rcx, 8)
	.byte	0x0f, 0x01, 0xd4	/* vmfunc */
.if . - call_gate - (GATE_CALL_LAND - GATE_CALL_AT)
	.error "GATE_CALL_LAND"
.endif

	.skip GATE_RET_AT - GATE_CALL_LAND, 0xf4
#define THREAD(what) VIEW_THREAD_FROM_GATE + (what) + page(%rip)
ret_gate:
	xorl	%ecx, %ecx
	leaq	THREAD(VIEW_THREAD_FLAGS), %rsp
	popfq
	movq	THREAD(VIEW_THREAD_SP), %rsp
	/* rsi: behind the last byte but one, scasb, there is d6, which is none */
	movq	THREAD(VIEW_THREAD_FS), %rsi
#ifdef VIEW_PKRU
	wrfsbase %rsi
	movl	THREAD(VIEW_THREAD_PKRU), %eax
	/* ef is out: a thread with I/O ports has no views */
	wrpkru
	/* 0; behind 8b, c2 is ret */
	.byte	0x8b, 0xc2		/* movl %edx, %eax */
#else
	/* The same place without: CS prefixes, of which 64-bit code takes no notice */
	.rept	10
	.byte	0x2e
	.endr
	wrfsbase %rsi
	.byte	0x2e
#endif
	/* rdx and cld: likewise da fc */
	movq	THREAD(VIEW_THREAD_GS), %rdx
	wrgsbase %rdx
	cld
	movb	$VIEW_DISABLE, VIEW_LIST_AT(, %r8, 8)
	movb	$VIEW_ENABLE, VIEW_LIST_AT(, %rcx, 8)
	.byte	0x0f, 0x01, 0xd4	/* vmfunc */
.if . - ret_gate - (GATE_RET_LAND - GATE_RET_AT)
	.error "GATE_RET_LAND"
.endif
	.skip 4096 - GATE_RET_LAND, 0xf4

	.section .note.GNU-stack, "", @progbits
