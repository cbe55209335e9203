/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * caps.h - what one CPU says that it can do: the capability MSRs of VMX, and
 * the features in CPUID that controls have to follow
 *
 * Read by vmx_caps_read() with the caller's RDMSR and CPUID: in the module on
 * each CPU, in user space through /dev/cpu, in tests from a table. See SDM
 * volume 3, appendix A.
 */
#ifndef VMX_CAPS_H
#define VMX_CAPS_H

#include "types.h"
#include "vmx_arch.h"

/* Registers that do not exist read as 0. CPUID: only the bits that we use. */
struct vmx_caps {
	u64 cpuid_1_ecx;
	u64 cpuid_7_ebx;
	u64 cpuid_7_ecx;
	u64 cpuid_7_edx;
	u64 cpuid_7_1_eax;
	u64 cpuid_d_1_eax;
	u64 cpuid_80000001_edx;
	u64 phys_bits; /* CPUID.80000008H:EAX[7:0] */
	u64 feature_control;
	u64 basic;
	u64 pin;
	u64 proc;
	u64 exit;
	u64 entry;
	u64 misc;
	u64 cr0_fixed0;
	u64 cr0_fixed1;
	u64 cr4_fixed0;
	u64 cr4_fixed1;
	u64 proc2;
	u64 ept_vpid;
	u64 true_pin;
	u64 true_proc;
	u64 true_exit;
	u64 true_entry;
	u64 vmfunc;
	u64 proc3;
	u64 exit2;
};

struct vmx_reader {
	/* 0, or an error if there is no such MSR */
	int (*rdmsr)(void *ctx, u32 msr, u64 *value);
	/* EAX, EBX, ECX, EDX */
	void (*cpuid)(void *ctx, u32 leaf, u32 subleaf, u32 regs[4]);
};

/*
 * Read all that exists of this CPU. Without VMX, only CPUID. -EIO if an MSR
 * that has to exist cannot be read, with its number in @bad.
 */
int vmx_caps_read(struct vmx_caps *c, const struct vmx_reader *r, void *ctx,
		  u32 *bad);

/* One of the registers above, to be named in messages and dumps */
struct vmx_cap_row {
	const char *name;
	u32 msr;    /* 0: it is from CPUID */
	u16 offset; /* in struct vmx_caps */
};

extern const struct vmx_cap_row vmx_cap_rows[];
extern const unsigned int vmx_cap_rows_count;

static inline u64 vmx_cap_value(const struct vmx_caps *c,
				const struct vmx_cap_row *row)
{
	return *(const u64 *)((const char *)c + row->offset);
}

/*
 * All CPUs must be able to do the same, as the root of one is the root of all.
 * The first register in which they differ, or NULL.
 */
const struct vmx_cap_row *vmx_caps_differ(const struct vmx_caps *a,
					  const struct vmx_caps *b);

/* Features that exist or not, whatever the register they are told in */
enum vmx_feature {
	FEATURE_ALWAYS,
	FEATURE_RDTSCP, /* or RDPID: one control for both */
	FEATURE_INVPCID,
	FEATURE_XSAVES,
	FEATURE_WAITPKG, /* TPAUSE, UMONITOR, UMWAIT */
	FEATURE_PCONFIG,
	FEATURE_MSRLIST, /* RDMSRLIST, WRMSRLIST */
	FEATURE_ARCH_LBR,
	FEATURE_PT,
};

bool vmx_has_feature(const struct vmx_caps *c, enum vmx_feature f);

/* The fields of controls */
enum vmx_ctl {
	VMX_CTL_PIN,
	VMX_CTL_PROC,
	VMX_CTL_PROC2,
	VMX_CTL_PROC3,
	VMX_CTL_EXIT,
	VMX_CTL_EXIT2,
	VMX_CTL_ENTRY,
	VMX_CTLS
};

/* Bits of a field that can be 1, and those that have to be */
struct vmx_allowed {
	u64 may;
	u64 must;
};

/*
 * From the TRUE MSRs where there are some (A.2 to A.5). Fields that are not
 * there at all allow nothing.
 */
struct vmx_allowed vmx_allowed(const struct vmx_caps *c, enum vmx_ctl ctl);

#endif
