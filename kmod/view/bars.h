/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bars a thread from views, for as long as it has it: what would go along into
 * a server although nobody passes it, and is a right of the client's, or tells the
 * client what the server does.
 *
 * Threads get and lose such things in system calls, faults and interrupts, so we
 * look on each way back to user space: Linux's user return notifiers, on which KVM
 * rests, too.
 */
#ifndef SKYIPC_VIEW_BARS_H
#define SKYIPC_VIEW_BARS_H

#include <linux/types.h>

/* Which of those this machine has. May sleep. */
void view_bars_init(void);

/* Is the calling thread barred, here and now? IRQs are off. */
bool view_is_barred(void);

/*
 * From now on @returns is called whenever this CPU goes back to user space, with
 * IRQs off; until view_returns_end(). Not preempted
 */
void view_returns_begin(void (*returns)(void));
void view_returns_end(void);

#endif
