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

/*
 * For tests, on the CPU that runs this: spend time in root, take a trap there
 * (NMI, #MC, #UD: a bug, #DF: a stack that overflows). 0, -ENODEV if off,
 * -EINVAL for another vector
 */
int vmx_test_stay(u64 loops);
int vmx_test_trap(u64 vector);

/* One line for each CPU, for sysfs and debugfs. */
void vmx_show_cpus(struct seq_file *m);
void vmx_show_exits(struct seq_file *m);

#endif
