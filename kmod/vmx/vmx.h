/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The root, as the rest of the module sees it: on or off on all CPUs, and
 * what it counts. It knows nothing of processes.
 */
#ifndef SKYIPC_VMX_H
#define SKYIPC_VMX_H

#include <linux/types.h>

struct cpumask;
struct seq_file;

#define VMX_WHY_MAX 160

/**
 * vmx_start() - make this machine a guest
 *
 * All online CPUs, and those that come online later. May sleep; from any
 * process context. Concurrent calls wait for each other.
 *
 * Return: 0, also if it was on; -EOPNOTSUPP if the machine lacks something,
 * -EBUSY if another hypervisor is there, -ENOMEM, -EIO, -ESHUTDOWN; then nothing
 * is changed, and vmx_why() says which CPU and which check.
 */
int vmx_start(void);

/* Back to native mode with all state as it is. May sleep. */
void vmx_stop(void);

/*
 * Is it on? If not, why, one line for people, empty otherwise; also when it
 * went off by itself. @text: VMX_WHY_MAX bytes. May sleep.
 */
bool vmx_why(char *text);

bool vmx_is_on(void);

struct ept;

/*
 * @started is called with home each time a root has been started on all CPUs, before
 * anybody is told that it is on; may sleep. If it does not return 0 but -errno, with the
 * reason in @why (VMX_WHY_MAX bytes), there is no root. Views of home may stay when it has
 * gone. NULL: nobody is called, from when this returns. May sleep.
 */
void vmx_at_start(int (*started)(struct ept *home, char *why));
/* How often it has been started, or tried: another one before any CPU is in. */
u64 vmx_epoch(void);

/*
 * The EPTP list of this CPU, of which nobody has been granted anything when it is
 * launched; NULL: it is no guest.
 * Not preempted, which keeps it so unless it leaves VMX by itself.
 */
u64 *vmx_list(void);
/* Nothing that EPTs have been is remembered: on this CPU, or on all */
void vmx_forget_here(void);
void vmx_forget(void);

/*
 * For tests, on the CPU that runs this: spend time in root, take a trap there
 * (NMI, #MC, #UD: a bug, #DF: a stack that overflows). 0, -ENODEV if off,
 * -EINVAL for another vector
 */
int vmx_test_stay(u64 loops);
int vmx_test_trap(u64 vector);
int vmx_test_fail(u64 reason);

/* One line for each CPU, for sysfs and debugfs. */
void vmx_show_cpus(struct seq_file *m);
void vmx_show_exits(struct seq_file *m);

#endif
