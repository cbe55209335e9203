// SPDX-License-Identifier: GPL-2.0-only
/* Root's side of the log of exits. */
#include <linux/compiler.h>
#include <asm/barrier.h>

#include "cpu.h"
#include "exit_log.h"
#include "vmx_insn.h"

void vmx_exit_log_add(struct vmx_cpu *c, u32 reason)
{
	struct vmx_exit_log *log = &c->exit_log;
	struct vmx_exit_entry *e;
	u32 low, high;

	/* Pairs with the release in vmx_exit_log_drain(). */
	if (log->head - smp_load_acquire(&log->tail) >= VMX_EXIT_LOG_SIZE) {
		WRITE_ONCE(log->lost, log->lost + 1);
		return;
	}
	e = &log->entries[log->head % VMX_EXIT_LOG_SIZE];
	asm volatile("rdtsc" : "=a" (low), "=d" (high));
	e->tsc = (u64)high << 32 | low;
	e->rip = vmcs_read(VMCS_GUEST_RIP);
	e->reason = reason;
	/* Pairs with the acquire in vmx_exit_log_drain(). */
	smp_store_release(&log->head, log->head + 1);
}
