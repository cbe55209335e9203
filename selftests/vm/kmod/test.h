/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SKYIPC_TEST_H
#define SKYIPC_TEST_H

#include <linux/types.h>

struct seq_file;

/* The state of this CPU, a line "NAME VALUE" for each register. */
void test_state_show(struct seq_file *m);

/* @count NMIs to @cpu, one after the other, at moments that @seed gives. */
int test_nmi_send(int cpu, unsigned int count, unsigned int seed);
void test_nmi_show(struct seq_file *m);
int test_nmi_init(void);
void test_nmi_exit(void);

/* CR4.VMXE on @cpu, as another hypervisor sets it: 0 or -EINVAL */
int test_vmxe_set(int cpu, bool on);

#endif
