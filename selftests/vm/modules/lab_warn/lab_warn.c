// SPDX-License-Identifier: MIT
/*
 * A module that the kernel complains of, in a way chosen when it is loaded: the
 * lab must notice. It also shows that modules build and load.
 */
#include <linux/module.h>
#include <linux/preempt.h>
#include <asm/msr.h>

static char *how = "quiet";
module_param(how, charp, 0);
MODULE_PARM_DESC(how, "quiet, warn, bug, msr, or fault: a triple fault");

static void triple_fault(void)
{
	struct desc_ptr none = {};

	/* no interrupt descriptor table: nothing can be handled any more */
	asm volatile("cli; lidt %0; int3" : : "m"(none));
}

static int __init lab_warn_init(void)
{
	pr_info("lab_warn: %s\n", how);
	if (!strcmp(how, "warn"))
		WARN(1, "as asked\n");
	else if (!strcmp(how, "bug"))
		BUG();
	else if (!strcmp(how, "msr"))
		wrmsr(0xdead, 0, 0); /* no such register */
	else if (!strcmp(how, "fault"))
		triple_fault();
	return 0;
}

static void __exit lab_warn_exit(void)
{
}

module_init(lab_warn_init);
module_exit(lab_warn_exit);
MODULE_DESCRIPTION("What the VM lab must notice");
MODULE_LICENSE("Dual MIT/GPL");
