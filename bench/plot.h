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

/*
 * Pieces, for what draws something else. @base: what all files of a picture
 * begin with.
 */

/** A file; NULL after an error message. */
FILE *plot_create(const char *base, const char *suffix);

/** Close it; -1 after an error message if not all of it could be written. */
int plot_finish(FILE *f, const char *base, const char *suffix);

/** A single-quoted gnuplot string, which has no escapes but '' itself. */
void plot_quoted(FILE *f, const char *base, const char *suffix);

/** Let gnuplot run the script @base.gnuplot; non-zero after an error message.
 */
int plot_draw(const char *base);

#endif /* BENCH_PLOT_H */
