/* SPDX-License-Identifier: MIT */
/*
 * nr_stats - what nr_stats() tells, for people and for programs
 *
 * Errors are negative errno values, as in nr.h.
 */
#ifndef NR_STATS_H
#define NR_STATS_H

#include <stdio.h>

#include <nr.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Flags of nr_stats_print(). */
enum nr_print_flags {
	NR_PRINT_JSON = 1, /* one object, on one line; without it: text */
};

/**
 * nr_stats_print - write statistics
 * @to:       where.
 * @stats, @replicas, @n: as nr_stats() filled them, on whatever machine and by
 *            whatever version of the library: of what is missing there, nothing
 *            is said. @n is what it returned.
 * @flags:    0, or of enum nr_print_flags. The names of JSON are those of the
 *            fields; the log's are in "log", without "log_", the replicas' in
 *            the array "replicas", batch_sizes up to the last that is not 0.
 *
 * Needs no memory beside what @to takes.
 *
 * Return: 0; -EINVAL: a size is not set, or @flags; -EIO: @to says that not all
 * could be written.
 */
int nr_stats_print(FILE *to, const struct nr_stats *stats,
		   const struct nr_replica_stats *replicas, unsigned n,
		   unsigned flags);

#ifdef __cplusplus
}
#endif

#endif /* NR_STATS_H */
