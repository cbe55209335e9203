/* SPDX-License-Identifier: MIT */
/* Pictures, drawn by gnuplot. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include "bench.h"

/** Is there a gnuplot, and a folder to write to? Ends the program if not. */
void plot_check(const char *dir);

/**
 * plot_group - latency by percentile, cumulative distribution, and a bar chart
 *
 * The numbers behind them are left in the folder, with the gnuplot scripts.
 *
 * Return: 0, or -1 after an error message.
 */
int plot_group(const struct group *g);

#endif /* BENCH_PLOT_H */
