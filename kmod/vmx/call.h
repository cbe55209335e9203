/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linux asks root: VMCALL at CPL 0 with the key of this load in RAX, a number
 * in RCX and arguments in RDX and RBX. The result is in RAX. Anything else
 * gets #UD, as VMCALL does where there is no VMX.
 */
#ifndef SKYIPC_VMX_CALL_H
#define SKYIPC_VMX_CALL_H

#include <linux/types.h>
#include <asm/asm.h>

enum vmx_call_number {
	VMX_CALL_HELLO,	/* the number of this CPU: root is there */
	VMX_CALL_STOP,	/* leave VMX; goes on natively */
	VMX_CALL_STAY,	/* test: stay in root for RDX loops */
	VMX_CALL_TRAP,	/* test: take the trap RDX in root */
	VMX_CALL_FAIL,	/* test: the next exit for RDX that ends in a view is a bug */
	VMX_CALL_INVEPT, /* nothing that EPTs have been is remembered */
};

extern u64 vmx_call_key;	/* made anew when the module is loaded */

/* The key comes back where nobody answers: a CPU that has left by itself. */
static inline u64 vmx_call(enum vmx_call_number number, u64 arg)
{
	u64 result;

	asm volatile("1: vmcall\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "=a" (result)
		     : "a" (vmx_call_key), "c" ((u64)number), "d" (arg)
		     : "memory");
	return result;
}

#endif
