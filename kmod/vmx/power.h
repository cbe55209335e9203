/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways a machine goes down, or sleeps: suspend, reboot, kexec, a crash.
 * docs/root.md has what happens to root in each.
 */
#ifndef SKYIPC_VMX_POWER_H
#define SKYIPC_VMX_POWER_H

#include <linux/types.h>

/* Restart, halt or kexec has begun: no CPU goes in any more. */
extern bool vmx_going_down;

/* Before the first CPU goes in, and after the last is out */
void vmx_power_register(void);
void vmx_power_unregister(void);

#endif
