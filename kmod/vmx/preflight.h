/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Before anything is changed: can every CPU, and can all the same?
 */
#ifndef SKYIPC_VMX_PREFLIGHT_H
#define SKYIPC_VMX_PREFLIGHT_H

#include "facts.h"

/* Of this CPU, with preemption off. */
void vmx_this_facts(struct vmx_facts *f);

/*
 * What CPU @cpu lacks, also compared with @first, another CPU's facts: 0, or
 * -errno with @why a line for people (VMX_WHY_MAX).
 */
int vmx_facts_check(const struct vmx_facts *f, int cpu,
		    const struct vmx_facts *first, char *why);

/*
 * All online CPUs; the facts of one of them are left in @f. -EOPNOTSUPP,
 * -EBUSY or -ENOMEM.
 */
int vmx_preflight(struct vmx_facts *f, char *why);

#endif
