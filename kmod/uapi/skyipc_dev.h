/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/skyipc, as programs and skyipc.ko agree on it.
 *
 * Every structure begins with its size, as the program knows it: a newer
 * program may talk to an older module and the other way round. What the other
 * side does not know must be zero, or the call fails with -E2BIG
 * (copy_struct_from_user()).
 */
#ifndef SKYIPC_DEV_H
#define SKYIPC_DEV_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SKYIPC_DEV "/dev/skyipc"

/* The interface; grows with what is added. */
#define SKYIPC_DEV_VERSION 1

enum skyipc_dev_feature {
	SKYIPC_DEV_VIEWS = 1 << 0,	/* the root is on: VT-x, EPT, VMFUNC */
};

struct skyipc_dev_info {
	__u32 size;
	__u32 version;		/* SKYIPC_DEV_VERSION of the module */
	__u64 features;		/* enum skyipc_dev_feature */
	char views[160];	/* why there are none; empty if there are */
};

/*
 * The size is in the structure and not in the number, or the number would
 * change with it. Numbers 1 and 2 of every type belong to the VFS (FIBMAP,
 * FIGETBSZ). @arg: struct skyipc_dev_info
 */
#define SKYIPC_DEV_INFO _IO(0xB5, 0x10)

#endif
