// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/container_of.h>
#include <linux/irq_work.h>
#include <linux/printk.h>
#include <linux/workqueue.h>

#include "cpu.h"
#include "exit.h"
#include "left.h"
#include "report.h"

void vmx_left(struct irq_work *work)
{
	struct vmx_cpu *c = container_of(work, struct vmx_cpu, left_work);

	if (c->left_for == VMX_AGAIN) {
		pr_info("CPU %d has left VMX: %s; views start anew\n", c->cpu,
			vmx_report_what(&c->report));
		schedule_work(&vmx_again_work);
		return;
	}
	vmx_report_print(c->cpu, &c->report);
	pr_err("reload the module to use views again\n");
}
