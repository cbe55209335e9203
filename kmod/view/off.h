/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls where there is no root: it has been turned off, or a CPU has left it, or the
 * thread has no views of the one that there is. What its program executes in the
 * trampoline is undefined there. It shall not hear of that by a signal: the call has
 * not begun, or goes on in the worker.
 */
#ifndef SKYIPC_VIEW_OFF_H
#define SKYIPC_VIEW_OFF_H

void view_off_init(void);
/* Nobody is in the middle of it when this returns. */
void view_off_exit(void);

#endif
