/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the root knows of one CPU, and where it is kept.
 *
 * Made before the CPU is launched and freed after it has left VMX; in between
 * only root and its own CPU write to it, except where a field says otherwise.
 */
#ifndef SKYIPC_VMX_CPU_H
#define SKYIPC_VMX_CPU_H

#include <linux/build_bug.h>
#include <linux/irq_work.h>
#include <linux/stddef.h>
#include <linux/types.h>

#include "exit_log.h"
#include "layout.h"
#include "report.h"
#include "vmcs.h"
#include "vmx_arch.h"

struct vmx_mtrrs;
struct vmx_resume;
struct vmx_tables;

struct vmx_regs {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rdi, rsi, rbp, rbx, rdx, rcx, rax;
};

/* A trap in root: our registers, not the guest's. */
struct vmx_trap {
	struct vmx_regs regs;
	u64 vector;
	u64 error;
	u64 rip, cs, rflags, rsp, ss;
};

/* The state a CPU has after leaving VMX; vmx_native_return loads it. */
struct vmx_native {
	u64 fs_base;
	u64 gs_base;
	u64 rip, cs, rflags, rsp, ss;
	u8 nmi_blocked;
};

enum vmx_cpu_state {
	VMX_CPU_NEVER,	/* not launched yet */
	VMX_CPU_OFF,	/* it has left on request */
	VMX_CPU_ON,	/* a guest */
	VMX_CPU_LEFT,	/* left by itself: see the report */
};

/* Read by others without a lock, each word by itself. */
struct vmx_counters {
	u64 exits[REASONS];
	u64 exits_other;
	u64 nmis_in_root;	/* taken by root */
	u64 nmis_given;		/* injected; the rest went with leaving VMX */
	u64 machine_checks_in_root;
	u64 deferred;		/* injections that had to wait an instruction */
	u64 root_calls;
};

/* Where a stack begins and how large it is; vmalloc guards both ends. */
struct vmx_stack {
	void *base;
	size_t size;
};

struct vmx_cpu {
	struct vmx_cpu *self;
	struct vmx_regs *regs;	/* of the guest, on the exit stack */
	/*
	 * Set by root's traps, looked at with the last instructions before
	 * VMRESUME. Only this CPU touches it, so plain accesses that the
	 * compiler may not move are enough.
	 */
	u8 attention;
	u8 nmi_pending;
	u8 mc_pending;
	u8 timer_on;		/* the guest comes back at once */
	u8 leaving;		/* the host state is Linux's by now */
	u8 nmi_held;		/* NMIs are blocked while one of ours waits */
	u8 trapped;		/* in a fatal trap: a second one is the end */
	struct vmx_native native;

	int cpu;
	enum vmx_cpu_state state;
	int launch_error;	/* RAX after a launch that failed late */
	u64 left_for;		/* enum vmx_verdict */
	u64 fail_reason;	/* ... for this */
	u64 spec_ctrl;		/* the guest's, while root runs */
	u64 cr4_allowed;	/* bits the guest may set */
	bool can_wait_for_sipi;
	bool below;		/* a hypervisor is below us */
	bool resuming;		/* vmx_exit_resume() was last, and no entry since */
	bool fails;		/* VMX_CALL_FAIL, ... */
	const struct vmx_mtrrs *mtrrs;	/* that home was made from */

	struct vmx_resume *resume;	/* of the thread that runs; or NULL */
	void *vmxon;		/* one page each */
	void *vmcs;
	void *eptp_list;
	struct vmx_tables *tables;	/* GDT, TSS and IDT */
	struct vmx_stack exit_stack;
	struct vmx_stack ist[VMX_ISTS];

	u64 linux_gs_base;	/* its per-CPU area */
	u64 linux_gdt;		/* the writable one, for LTR */
	struct vmx_report report;
	struct irq_work left_work;
	struct vmx_counters count;
	struct vmx_exit_log exit_log;
};

static_assert(offsetof(struct vmx_regs, r15) == VMX_REGS_R15);
static_assert(offsetof(struct vmx_regs, rdi) == VMX_REGS_RDI);
static_assert(offsetof(struct vmx_regs, rax) == VMX_REGS_RAX);
static_assert(sizeof(struct vmx_regs) == VMX_REGS_SIZE);
static_assert(offsetof(struct vmx_trap, rip) == VMX_TRAP_RIP);
static_assert(offsetof(struct vmx_trap, cs) == VMX_TRAP_CS);
static_assert(offsetof(struct vmx_trap, rflags) == VMX_TRAP_RFLAGS);
static_assert(offsetof(struct vmx_trap, rsp) == VMX_TRAP_RSP);
static_assert(offsetof(struct vmx_trap, ss) == VMX_TRAP_SS);
static_assert(VMCS_GUEST_RSP == VMX_FIELD_GUEST_RSP);
static_assert(VMCS_GUEST_RIP == VMX_FIELD_GUEST_RIP);
static_assert(VMCS_GUEST_RFLAGS == VMX_FIELD_GUEST_RFLAGS);
static_assert(sizeof(struct vmx_trap) == VMX_TRAP_SIZE);
static_assert(offsetof(struct vmx_cpu, self) == VMX_CPU_SELF);
static_assert(offsetof(struct vmx_cpu, regs) == VMX_CPU_REGS);
static_assert(offsetof(struct vmx_cpu, attention) == VMX_CPU_ATTENTION);
static_assert(offsetof(struct vmx_cpu, native) == VMX_CPU_NATIVE);
static_assert(offsetof(struct vmx_native, fs_base) == VMX_NATIVE_FS_BASE);
static_assert(offsetof(struct vmx_native, gs_base) == VMX_NATIVE_GS_BASE);
static_assert(offsetof(struct vmx_native, rip) == VMX_NATIVE_FRAME);
static_assert(offsetof(struct vmx_native, nmi_blocked) ==
	      VMX_NATIVE_NMI_BLOCKED);

struct vmx_cpu *vmx_cpu_alloc(int cpu);
void vmx_cpu_free(struct vmx_cpu *c);

#endif
