// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each CPU does, for debugfs.
 */
#include <linux/cpumask.h>
#include <linux/seq_file.h>

#include "cpu.h"
#include "report.h"
#include "this_cpu.h"
#include "vmx.h"

static const char *state_name(enum vmx_cpu_state state)
{
	switch (state) {
	case VMX_CPU_NEVER:
		return "never";
	case VMX_CPU_ON:
		return "on";
	case VMX_CPU_OFF:
		return "off";
	case VMX_CPU_LEFT:
		return "left";
	}
	return "?";
}

void vmx_show_cpus(struct seq_file *m)
{
	int cpu;

	mutex_lock(&vmx_cpus_lock);
	for_each_online_cpu(cpu) {
		const struct vmx_cpu *c = per_cpu(vmx_this_cpu, cpu);

		if (!c) {
			seq_printf(m, "%d off\n", cpu);
			continue;
		}
		seq_printf(m, "%d %s calls %llu nmis %llu given %llu deferred %llu machine-checks %llu",
			   cpu, state_name(c->state), c->count.root_calls,
			   c->count.nmis_in_root, c->count.nmis_given,
			   c->count.deferred, c->count.machine_checks_in_root);
		if (c->state == VMX_CPU_LEFT)
			seq_printf(m, " for %s", vmx_report_what(&c->report));
		seq_putc(m, '\n');
	}
	mutex_unlock(&vmx_cpus_lock);
}

void vmx_show_exits(struct seq_file *m)
{
	int cpu;

	mutex_lock(&vmx_cpus_lock);
	for_each_online_cpu(cpu) {
		const struct vmx_cpu *c = per_cpu(vmx_this_cpu, cpu);

		if (!c)
			continue;
		for (u32 r = 0; r < REASONS; r++) {
			u64 n = READ_ONCE(c->count.exits[r]);

			if (n)
				seq_printf(m, "%d %u %s %llu\n", cpu, r,
					   vmx_reason_name(r) ?: "?", n);
		}
		if (c->count.exits_other)
			seq_printf(m, "%d - other %llu\n", cpu,
				   c->count.exits_other);
	}
	mutex_unlock(&vmx_cpus_lock);
}
