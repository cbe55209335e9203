/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lean entry (skyipc_dev.h): fadvise64(2) is the one system call that hands a
 * word to a file and asks no security module first. They have been asked for
 * everything that made the file; an ioctl() asks them each time, which is a
 * tenth of a call's time.
 */
#ifndef SKYIPC_ENTER_H
#define SKYIPC_ENTER_H

#include <linux/fadvise.h>
#include <linux/ptrace.h>
#include <linux/sched/task_stack.h>
#include <linux/types.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

struct file;

/* Not io_uring's, which would wait within another system call. */
static __always_inline bool sky_is_enter(loff_t len, int advice)
{
	return !len && advice == POSIX_FADV_NORMAL &&
	       syscall_get_nr(current, task_pt_regs(current)) ==
		       __NR_fadvise64;
}

/* Of files that have no such entry: Linux would call it good advice. */
int sky_no_enter(struct file *file, loff_t block, loff_t len, int advice);

#endif
