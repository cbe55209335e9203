/* SPDX-License-Identifier: MIT */
/*
 * Mixed load on all CPUs while something else is tested: system calls, page
 * faults, processes, timers, IPIs (mprotect in threads), CPUID.
 */
#ifndef SKYIPC_LOAD_H
#define SKYIPC_LOAD_H

void load_start(void);
/* Whether all of it is still well: a process that crashed says no. */
bool load_stop(void);

#endif
