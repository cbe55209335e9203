/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMX instructions that work on a VMCS.
 */
#ifndef SKYIPC_VMX_INSN_H
#define SKYIPC_VMX_INSN_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <asm/asm.h>

#include "vmcs.h"

/*
 * All say whether they failed: VMfailInvalid sets CF, VMfailValid sets ZF
 * (SDM 31.2). Operands in memory are physical addresses.
 */
#define VMX_FAILS(insn, ...)						\
({									\
	bool failed;							\
									\
	asm volatile(insn : "=@ccbe" (failed) : __VA_ARGS__ : "memory");\
	failed;								\
})

static __always_inline bool vmx_on(u64 region)
{
	asm goto("1: vmxon %0\n"
		 "jbe %l[failed]\n"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : "m" (region) : "cc", "memory" : failed);
	return false;
failed: /* also where it faults, as CR0, CR4 or FEATURE_CONTROL forbid it */
	return true;
}

static __always_inline bool vmx_off(void)
{
	return VMX_FAILS("vmxoff");
}

static __always_inline bool vmcs_clear(u64 vmcs)
{
	return VMX_FAILS("vmclear %1", "m" (vmcs));
}

static __always_inline bool vmcs_load(u64 vmcs)
{
	return VMX_FAILS("vmptrld %1", "m" (vmcs));
}

static __always_inline bool vmcs_write(u64 field, u64 value)
{
	return VMX_FAILS("vmwrite %1, %2", "rm" (value), "r" (field));
}

/*
 * MSRs that exist. (Linux's own change their names, and trace.)
 */
static __always_inline u64 vmx_rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
	return low | (u64)high << 32;
}

static __always_inline void vmx_wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)value),
		     "d" ((u32)(value >> 32)) : "memory");
}

/*
 * Of a field that every processor with our controls has. Were the VMCS not
 * loaded, this would read 0.
 */
static __always_inline u64 vmcs_read(u64 field)
{
	u64 value = 0;

	asm volatile("vmread %1, %0" : "+r" (value) : "r" (field) : "cc");
	return value;
}

/* SDM 31.3: root only, a guest gets #UD */
static __always_inline bool vmx_invept(u64 type, u64 eptp)
{
	struct { u64 eptp, zero; } d = { eptp, 0 };

	return VMX_FAILS("invept %1, %2", "m" (d), "r" (type));
}

#endif
