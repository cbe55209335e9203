/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A CPU has left VMX by itself.
 */
#ifndef SKYIPC_VMX_LEFT_H
#define SKYIPC_VMX_LEFT_H

struct irq_work;
struct work_struct;

/* Queued on that CPU by native.c, once it is out. */
void vmx_left(struct irq_work *work);

/* Start root anew, in vmx.c. */
extern struct work_struct vmx_again_work;

#endif
