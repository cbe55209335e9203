/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread's whole user state, taken from where it ran to be continued by
 * another thread: a call that has begun in the client's thread goes on in the
 * server's worker, from the very next instruction.
 *
 * A park page has room for the largest XSAVE area of this machine. What is in
 * it comes from hardware or a test; it is checked as a signal frame would be.
 */
#ifndef SKYIPC_PARK_H
#define SKYIPC_PARK_H

#include <linux/types.h>

struct pt_regs;
struct skyipc_dev_park;

struct sky_park {
	/* As in pt_regs; cs and ss are user space's 64-bit ones. */
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	u64 ip, flags, sp;
	u64 fs_base, gs_base;
	u32 pkru;
	u8 xsave[] __aligned(64);
};

/* XSAVE components that are parked */
u64 sky_park_features(void);
/* How many pages one takes */
unsigned int sky_park_pages(void);
/* All zeros, which is no state; NULL: no memory */
struct sky_park *sky_park_new(void);
void sky_park_free(struct sky_park *park);
void sky_park_copy(struct sky_park *to, const struct sky_park *from);

/* From a test's memory. 0, -EFAULT, or -EINVAL: that state cannot be. */
int sky_park_get(struct sky_park *park,
		 const struct skyipc_dev_park __user *user);

/*
 * The calling thread, on its way out of the kernel, goes on there. 0; -EINVAL:
 * that state cannot be; -EAGAIN: its FPU registers are in memory, so it has to
 * go to user space and come back first.
 */
int sky_park_continue(const struct sky_park *park);

#endif
