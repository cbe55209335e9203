// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/container_of.h>
#include <linux/irq_work.h>
#include <linux/printk.h>

#include "cpu.h"
#include "exit.h"
#include "left.h"
#include "report.h"
#include "this_cpu.h"

void vmx_left(struct irq_work *work)
{
	struct vmx_cpu *c = container_of(work, struct vmx_cpu, left_work);

	/* One that did not come online was never one of them. */
	if (__this_cpu_read(vmx_this_cpu) == c)
		vmx_left_queue();
	if (c->left_for == VMX_AGAIN)
		pr_info("CPU %d has left VMX: %s; views start anew\n", c->cpu,
			vmx_report_what(&c->report));
	else
		vmx_report_print(c->cpu, &c->report);
}
