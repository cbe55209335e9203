/* SPDX-License-Identifier: MIT */
/*
 * nr_watch.h - what is true of a log and its replicas at any moment
 *
 * Between any two accesses to shared memory, by a schedule (sched_watch()); the
 * proof with IronSync has the same (Hance et al., OSDI'23).
 */
#ifndef NR_WATCH_H
#define NR_WATCH_H

struct nr;

/* sched_fail(), if it is not. @name: of the log */
void watch_log(const struct nr *nr, const char *name);

#endif
