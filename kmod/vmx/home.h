/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The home EPT, in Linux's memory.
 */
#ifndef SKYIPC_VMX_HOME_H
#define SKYIPC_VMX_HOME_H

#include "ept.h"

struct vmx_facts;

/* All MTRRs that there are, with the values that home was made from */
struct vmx_mtrrs {
	u32 count;
	struct vmx_mtrr {
		u32 msr;
		u64 value;
	} regs[];
};

/* NULL without memory; kfree() it. */
struct vmx_mtrrs *vmx_home_mtrrs(const struct mtrr_state *m);

/* 0, -ENOMEM or -EOPNOTSUPP with @why a line for people */
int vmx_home_make(const struct vmx_facts *f, struct ept **home, char *why);

#endif
