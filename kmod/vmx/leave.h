/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Out of VMX for good: the guest goes on natively where the VMCS says, with
 * the registers at cpu->regs.
 */
#ifndef SKYIPC_VMX_LEAVE_H
#define SKYIPC_VMX_LEAVE_H

#include "exit.h"

struct vmx_cpu;

/* Does not return. */
void vmx_leave(struct vmx_cpu *c, enum vmx_verdict why);

#endif
