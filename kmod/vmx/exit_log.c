// SPDX-License-Identifier: GPL-2.0-only
/* Linux's side of the log of exits. */
#include <linux/cpumask.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "cpu.h"
#include "exit_log.h"
#include "this_cpu.h"
#include "trace_vmx.h"

/* Often enough for people, and for a few ten thousand exits a second. */
#define PERIOD msecs_to_jiffies(10)

bool vmx_exit_log_on;

void vmx_exit_log_drain(struct vmx_cpu *c)
{
	struct vmx_exit_log *log = &c->exit_log;
	u64 lost;
	u32 head;

	lockdep_assert_held(&vmx_cpus_lock);
	/* Pairs with the release in vmx_exit_log_add(): entries before head */
	head = smp_load_acquire(&log->head);
	while (log->tail != head) {
		const struct vmx_exit_entry *e =
			&log->entries[log->tail % VMX_EXIT_LOG_SIZE];

		trace_skyipc_vmx_exit(c->cpu, e->reason, e->rip, e->tsc);
		/* Pairs with the acquire there: read before it is reused */
		smp_store_release(&log->tail, log->tail + 1);
	}
	lost = READ_ONCE(log->lost);
	if (lost != log->lost_told) {
		trace_skyipc_vmx_exits_lost(c->cpu, lost - log->lost_told);
		log->lost_told = lost;
	}
}

static void drain_all(struct work_struct *work)
{
	int cpu;

	mutex_lock(&vmx_cpus_lock);
	for_each_possible_cpu(cpu)
		if (per_cpu(vmx_this_cpu, cpu))
			vmx_exit_log_drain(per_cpu(vmx_this_cpu, cpu));
	mutex_unlock(&vmx_cpus_lock);
	schedule_delayed_work(to_delayed_work(work), PERIOD);
}

static DECLARE_DELAYED_WORK(drain_work, drain_all);

int vmx_exit_log_start(void)
{
	WRITE_ONCE(vmx_exit_log_on, true);
	schedule_delayed_work(&drain_work, PERIOD);
	return 0;
}

void vmx_exit_log_stop(void)
{
	WRITE_ONCE(vmx_exit_log_on, false);
	cancel_delayed_work_sync(&drain_work);
}
