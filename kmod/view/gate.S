/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * gate.S - the gate page: the same for everybody, and for ever
 *
 *	rax	0 (VMFUNC's function: EPTP switching)
 *	rdx	the slot to disable: where we come from
 *	r8	the slot to enable and to go to (rcx has brought us here)
 *
 * No register is believed: whose rdx is not where he comes from leaves his own
 * view open to those he has called, or the other way round, and harms nobody
 * else. No index is wrong: list + 8 * rcx is in the list's page only if the low
 * half of rcx, which VMFUNC goes by, is that entry's number (the sum wraps at
 * 2^64, so rcx is that modulo 2^61).
 *
 * Between enabling a slot and going there nothing can come, but for an
 * interrupt; the stub that takes it in this view disables all slots.
 *
 * selftests/gate_check.c proves this for a start at any byte.
 */
#include "gate.h"

	.section .rodata.gate, "a", @progbits
	.globl skyipc_gate_page
	.balign 4096
skyipc_gate_page:
	/* HLT: faults in user mode, and has one byte */
	.skip GATE_AT, 0xf4
gate:
	movq	%r8, %rcx
	movb	$VIEW_DISABLE, VIEW_LIST_AT(, %rdx, 8)
	movb	$VIEW_ENABLE, VIEW_LIST_AT(, %rcx, 8)
	.byte	0x0f, 0x01, 0xd4	/* vmfunc */
.if . - gate - (GATE_LAND - GATE_AT)
	.error "GATE_LAND"
.endif
	.skip 4096 - GATE_LAND, 0xf4

	.section .note.GNU-stack, "", @progbits
