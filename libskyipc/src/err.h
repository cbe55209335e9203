/* SPDX-License-Identifier: MIT */
/* What the library says: a line per thread about its last failure, and logs. */
#ifndef SKY_ERR_H
#define SKY_ERR_H

#include <stdarg.h>

#include "skyipc.h"

/* Remember why; returns @err (a negative errno) so that it can be returned. */
int fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forget: the thread's last failure has nothing to add. */
void fail_clear(void);

/* To the function of skyipc_set_log(). */
void say(enum skyipc_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
