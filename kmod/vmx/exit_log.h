/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exits for the tracepoint skyipc_vmx_exit. Root cannot trace, so it notes
 * them in a ring of its CPU while somebody listens, and Linux tells them a
 * moment later. What finds no room is counted and told as lost.
 */
#ifndef SKYIPC_VMX_EXIT_LOG_H
#define SKYIPC_VMX_EXIT_LOG_H

#include <linux/build_bug.h>
#include <linux/types.h>

struct vmx_cpu;

#define VMX_EXIT_LOG_SIZE 256

static_assert(!(VMX_EXIT_LOG_SIZE & (VMX_EXIT_LOG_SIZE - 1)),
	      "a power of two: positions only grow, and overflow");

struct vmx_exit_log {
	u32 head;	/* root writes */
	u32 tail;	/* Linux reads, one reader at a time */
	u64 lost;	/* root's */
	u64 lost_told;	/* Linux's */
	struct vmx_exit_entry {
		u64 tsc;
		u64 rip;
		u32 reason;
	} entries[VMX_EXIT_LOG_SIZE];
};

extern bool vmx_exit_log_on;

/* In root */
void vmx_exit_log_add(struct vmx_cpu *c, u32 reason);

/* In Linux, with vmx_cpus_lock */
void vmx_exit_log_drain(struct vmx_cpu *c);

/* The tracepoint's: the first listener has come, the last has gone. */
int vmx_exit_log_start(void);
void vmx_exit_log_stop(void);

#endif
