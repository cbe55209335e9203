/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Filling a loaded VMCS on the CPU it is for, IRQs off.
 */
#ifndef SKYIPC_VMX_STATE_H
#define SKYIPC_VMX_STATE_H

#include <linux/types.h>

struct vmx_cpu;
struct vmx_common;

/* Each returns whether it failed (a field that this processor has not). */
bool vmx_guest_state_write(struct vmx_cpu *c);
bool vmx_host_state_write(struct vmx_cpu *c);
bool vmx_controls_load(struct vmx_cpu *c, const struct vmx_common *common);

#endif
