/* SPDX-License-Identifier: MIT */
/*
 * vmx_cpus.h - what real CPUs say of VMX
 */
#ifndef VMX_CPUS_H
#define VMX_CPUS_H

#include "caps.h"
#include "needs.h"

struct vmx_cpu {
	const char *name;
	const char *source;
	/* CPUID as it is, with all that we don't look at */
	u32 max_leaf, leaf_1_ecx, leaf_7[4], leaf_7_1_eax, leaf_d_1_eax,
		leaf_80000001_edx, leaf_80000008_eax;
	/* MSRs 0x480 to 0x485, 0x489 to 0x491 without 0x48a */
	u64 basic, pin, proc, exit, entry, misc, cr4_fixed1, proc2, ept_vpid,
		true_pin, true_proc, true_exit, true_entry, vmfunc;
	u64 missing; /* what the root has to find */
};

extern const struct vmx_cpu vmx_cpus[];
extern const unsigned int vmx_cpus_count;

const struct vmx_cpu *vmx_cpu_named(const char *name);
/* One with all that we ask for: to take things away from */
const struct vmx_cpu *vmx_cpu_good(void);

/* CR0 and CR4 as Linux has them */
extern const struct vmx_now vmx_linux_now;

/* For a test that is about to fail */
void vmx_show_needs(const char *who, u64 needs);

/* Reads such a CPU: MSRs that it does not have are errors. */
extern const struct vmx_reader vmx_cpu_reader;

/* The same after vmx_caps_read(), for all that must work */
struct vmx_caps vmx_cpu_caps(const struct vmx_cpu *cpu);

#endif
