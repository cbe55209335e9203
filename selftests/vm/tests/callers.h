/* SPDX-License-Identifier: MIT */
/*
 * Threads that call by VMFUNC all the time, one for each CPU, while something
 * is done to the machine: each reply is looked at.
 */
#ifndef SKYIPC_CALLERS_H
#define SKYIPC_CALLERS_H

#include <stdbool.h>

/* With the module, and the trampoline mapped */
void callers_start(void);
/* Each is bound to its own CPU; again, if that has been away. */
void callers_bind(void);
/*
 * Until each has had @n more replies; within views, and on its own CPU, if that
 * is asked for. False: one has not, within a minute.
 */
bool callers_reply(unsigned n);
bool callers_reply_within(unsigned n);
/*
 * There are no views: until each has been told so @n times more, and none has
 * been in one. False likewise
 */
bool callers_refused(unsigned n);
/* They end, and their servers: whether all replies were right. */
bool callers_stop(void);

#endif
