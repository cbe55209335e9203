/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SKYIPC_DEBUGFS_H
#define SKYIPC_DEBUGFS_H

/* /sys/kernel/debug/skyipc; without debugfs nothing is there, and no error. */
void skyipc_debugfs_init(void);
void skyipc_debugfs_exit(void);

#endif
