/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A server may hold a lock in a call that is parked, so that is not for long: what
 * has been parked for VIEW_LATE_MS goes on in the worker, whatever its client does
 * meanwhile: waits for a CPU, is stopped, or is in a signal's handler.
 */
#ifndef SKYIPC_VIEW_LATE_H
#define SKYIPC_VIEW_LATE_H

#include <asm/tsc.h>

#include "vlink.h"

struct view_thread;

#define VIEW_LATE_MS 10

/* A link that is parked says since when in cycles: there is no clock there. */
static inline bool view_is_late(const struct view_link *link)
{
	return rdtsc() - READ_ONCE(link->since) >= (u64)tsc_khz * VIEW_LATE_MS;
}

void view_late_init(struct view_thread *t);
/* Something is parked, and does not go on at once. In any context */
void view_late_watch(struct view_thread *t);
/* It has no links any more. May sleep. */
void view_late_end(struct view_thread *t);

#endif
