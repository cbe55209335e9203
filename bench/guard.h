/* SPDX-License-Identifier: MIT */
/*
 * Everybody cleans up behind himself, but nobody can who is killed. The guard
 * is a process that sleeps until the program and all its children are gone, and
 * removes what is then still there.
 */
#ifndef BENCH_GUARD_H
#define BENCH_GUARD_H

#include <sys/types.h>

/** Start it; before the first run. */
void guard_start(void);

/** Tell which server is running now: some libraries name things by its pid. */
void guard_server(pid_t pid);

/** Let it look, and wait until it has. */
void guard_end(void);

/** Remove what in @dir begins with @prefix: files, and folders of files. */
void guard_sweep(const char *dir, const char *prefix);

#endif /* BENCH_GUARD_H */
