/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What exit handlers do to the guest: go past an instruction, give it an
 * event. In root, on the VMCS of this CPU.
 */
#ifndef SKYIPC_VMX_GUEST_H
#define SKYIPC_VMX_GUEST_H

#include <linux/types.h>
#include <asm/trapnr.h>

struct vmx_cpu;

/* SS.DPL is the CPL (SDM 25.4.1, access rights). */
/* Is it in 64-bit mode (CS.L; EFER.LMA goes with it)? */
bool vmx_guest_is_64bit(void);
unsigned int vmx_guest_cpl(void);

/*
 * The instruction that exited has been done: what the processor would have
 * done at its end (SDM 28.3.3, 7.7.3, 18.3.1.1): RIP, RF, the shadow of STI
 * and MOV SS, the single-step trap.
 */
void vmx_guest_skip(void);

/* A fault of the instruction that exited; it is not skipped. */
void vmx_guest_ud(void);
void vmx_guest_gp(void);
void vmx_guest_pf(u32 error); /* CR2 is set already */

/*
 * Before an entry: give the guest the NMI and #MC that root has taken, or see
 * to it that we come back when it can take them.
 */
void vmx_guest_events(struct vmx_cpu *c);

#endif
