/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * This CPU into VMX and out, for those who come by other ways than hotplug.
 * IRQs off.
 */
#ifndef SKYIPC_VMX_THIS_CPU_H
#define SKYIPC_VMX_THIS_CPU_H

#include <linux/mutex.h>
#include <linux/percpu.h>

struct vmx_cpu;

/*
 * NULL while it is offline or views are off. Its own CPU reads it with
 * preemption off; whoever looks at another's holds vmx_cpus_lock, and so do
 * those who set it.
 */
DECLARE_PER_CPU(struct vmx_cpu *, vmx_this_cpu);
extern struct mutex vmx_cpus_lock;

int vmx_this_launch(const char **step);
void vmx_this_stop(void);

#endif
