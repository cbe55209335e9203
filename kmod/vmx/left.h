/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A CPU has left VMX by itself.
 */
#ifndef SKYIPC_VMX_LEFT_H
#define SKYIPC_VMX_LEFT_H

#include <linux/workqueue.h>

struct irq_work;

/* Queued on that CPU by native.c, once it is out. */
void vmx_left(struct irq_work *work);

/* All others leave, too, or all start anew: in vmx.c. */
extern struct work_struct vmx_left_work;
extern bool vmx_somebody_left;

static inline void vmx_left_queue(void)
{
	WRITE_ONCE(vmx_somebody_left, true);
	/* Not while a suspend is under way: it starts and stops CPUs. */
	queue_work(system_freezable_wq, &vmx_left_work);
}

#endif
