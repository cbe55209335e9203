// SPDX-License-Identifier: GPL-2.0-only
/*
 * CR4.VMXE, as one who uses VMX sets it; CR4.PKE, on a machine whose kernel does
 * without.
 */
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/smp.h>
#include <asm/tlbflush.h>

#include "test.h"

struct change {
	unsigned long set, clear;
};

static void change(void *arg)
{
	const struct change *c = arg;

	cr4_update_irqsoff(c->set, c->clear);
}

int test_cr4_set(int cpu, unsigned long bit, bool on)
{
	struct change c = { .set = on ? bit : 0, .clear = on ? 0 : bit };

	if (cpu < 0 || cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -EINVAL;
	return smp_call_function_single(cpu, change, &c, 1);
}
