/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trial_page.S - one round of the trial, in two pages: home's, and the one that is in
 * its place in the view. They differ in what they say has been seen.
 *
 *	unsigned int vmx_trial_home(u64 *entry, u32 slot): @entry is that slot's
 *
 * objtool leaves this file alone: it knows of nothing that goes from page to page.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include "trial.h"

	/* A macro has no other way to say it twice. */
.macro vmfunc_or_end name, n
.L\name\()_\n:
	.byte	0x0f, 0x01, 0xd4	/* vmfunc */
	_ASM_EXTABLE(.L\name\()_\n, .L\name\()_end)
.endm

.macro trial_page name, there, back
	.balign 4096
	.globl \name
\name:
	endbr64				/* for objtool: its address is taken */
	xorl	%r8d, %r8d
	/* It is enabled: one goes there. */
	movb	$VMX_TRIAL_ENABLE, (%rdi)
	movl	%esi, %ecx
	xorl	%eax, %eax
	vmfunc_or_end \name, 1
	orl	$\there, %r8d
	/* As from everywhere, one goes home. */
	movb	$VMX_TRIAL_DISABLE, (%rdi)
	xorl	%ecx, %ecx
	xorl	%eax, %eax
	vmfunc_or_end \name, 2
	orl	$\back, %r8d
	/* It is disabled: a fault */
	movl	%esi, %ecx
	xorl	%eax, %eax
	vmfunc_or_end \name, 3
	orl	$VMX_TRIAL_WRONG, %r8d
	xorl	%ecx, %ecx
	xorl	%eax, %eax
	vmfunc_or_end \name, 4
.L\name\()_end:
	movl	%r8d, %eax
	RET
	.balign 4096
.endm

	.section .text, "ax"
	trial_page vmx_trial_home, VMX_TRIAL_STALE, VMX_TRIAL_BACK
	trial_page vmx_trial_there, VMX_TRIAL_THERE, VMX_TRIAL_STALE

	.section .note.GNU-stack, "", @progbits
