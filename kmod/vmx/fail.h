/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault injection: make one step of a launch fail on one CPU, so that tests
 * see every step unwound. Set through debugfs, see docs/root.md.
 */
#ifndef SKYIPC_VMX_FAIL_H
#define SKYIPC_VMX_FAIL_H

#include <linux/types.h>

enum vmx_fail_step {
	VMX_FAIL_NONE,
	VMX_FAIL_BEYOND,
	VMX_FAIL_CAPS,
	VMX_FAIL_ROOT_MM,
	VMX_FAIL_EPT,
	VMX_FAIL_MSR_BITMAP,
	VMX_FAIL_HOTPLUG,
	VMX_FAIL_CPU,
	VMX_FAIL_ROOT_TABLES,
	VMX_FAIL_AGREE,
	VMX_FAIL_CR4,
	VMX_FAIL_VMXON,
	VMX_FAIL_VMCLEAR,
	VMX_FAIL_VMPTRLD,
	VMX_FAIL_CONTROLS,
	VMX_FAIL_HOST_STATE,
	VMX_FAIL_GUEST_STATE,
	VMX_FAIL_VMLAUNCH,
	VMX_FAIL_ENTRY,
	VMX_FAIL_HELLO,
	VMX_FAIL_TRIAL_VIEW,
	VMX_FAIL_TRIAL,
	VMX_FAIL_STEPS
};

extern const char *const vmx_fail_names[VMX_FAIL_STEPS];

/* The next time @step is reached on @cpu (-1: on any) it fails, once. */
void vmx_fail_set(enum vmx_fail_step step, int cpu);
void vmx_fail_get(enum vmx_fail_step *step, int *cpu);

/* Does @step fail here and now? Called on the CPU it is about. */
bool vmx_fails(enum vmx_fail_step step);

#endif
