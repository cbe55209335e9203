// SPDX-License-Identifier: GPL-2.0-only
/* CR4.VMXE, as one who uses VMX sets it. */
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/smp.h>
#include <asm/tlbflush.h>

#include "test.h"

static void set(void *on)
{
	cr4_update_irqsoff(on ? X86_CR4_VMXE : 0, on ? 0 : X86_CR4_VMXE);
}

int test_vmxe_set(int cpu, bool on)
{
	if (cpu < 0 || cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -EINVAL;
	return smp_call_function_single(cpu, set, on ? (void *)1 : NULL, 1);
}
