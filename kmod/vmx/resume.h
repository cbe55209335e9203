/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMCALL by a program: where, if at all, and what it leads to. Whoever runs a
 * thread that may do so says that of the CPU (vmx_resume_set()); what comes of it
 * is vmx_exit_resume()'s to do, in root, which is not the root's own.
 */
#ifndef SKYIPC_VMX_RESUME_H
#define SKYIPC_VMX_RESUME_H

#include "exit.h"

struct vmx_resume {
	u64 rip;	/* of the VMCALL; any other is #UD */
};

/* On this CPU, not preempted. NULL: none */
void vmx_resume_set(struct vmx_resume *resume);

enum vmx_verdict vmx_exit_resume(struct vmx_resume *resume, struct vmx_regs *r,
				 struct vmx_cpu *c);
/*
 * This CPU leaves VMX, and nobody has asked for it: the guest goes on at home. @was_resumed:
 * the last exit was vmx_exit_resume()'s, and the guest has not been entered since.
 */
void vmx_exit_stops(struct vmx_resume *resume, struct vmx_regs *r,
		    bool was_resumed);
/* Is the guest elsewhere than at home? */
bool vmx_exit_in_view(const struct vmx_resume *resume);

#endif
