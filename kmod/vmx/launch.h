/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One CPU into VMX, and out again. On that CPU, IRQs off.
 */
#ifndef SKYIPC_VMX_LAUNCH_H
#define SKYIPC_VMX_LAUNCH_H

#include <linux/types.h>

struct vmx_cpu;
struct vmx_controls;
struct vmx_mtrrs;

/* What is the same for all CPUs. */
struct vmx_common {
	const struct vmx_controls *controls;
	u32 revision;		/* of VMXON regions and VMCSs */
	u64 eptp;		/* home */
	u64 trial;		/* an EPTP, too: trial.h */
	u64 msr_bitmap;		/* physical */
	u64 cr4_allowed;
	bool can_wait_for_sipi;
	const struct vmx_mtrrs *mtrrs;
};

/**
 * vmx_cpu_launch() - make this CPU a guest
 * @c: its memory
 * @common: what it shares with the others
 * @step: where it failed, in words
 *
 * Return: 0, or -errno with everything as it was
 */
int vmx_cpu_launch(struct vmx_cpu *c, const struct vmx_common *common,
		   const char **step);

/* Out again; nothing happens on a CPU that is not in. */
void vmx_cpu_stop(struct vmx_cpu *c);

#endif
