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

/*
 * The @n-th call from now on that skyipc.ko makes in @thread (0: in any) and that may
 * be out of memory is; 0: none from now on. It has to be loaded after this module.
 */
int test_fail_arm(unsigned int n, pid_t thread);
/* How many there have been since, and which has failed */
void test_fail_show(struct seq_file *m);
/* All that can be made to */
int test_failing_show(struct seq_file *m);
int test_fail_init(void);
void test_fail_exit(void);

/* A bit of CR4 on @cpu: 0 or -EINVAL */
int test_cr4_set(int cpu, unsigned long bit, bool on);

#endif
