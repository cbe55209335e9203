/* SPDX-License-Identifier: MIT */
/* A picture of lines: something, of several, by a number. */
#ifndef BENCH_LINES_H
#define BENCH_LINES_H

#include <stddef.h>

struct line_point {
	char series[64];
	double x, y;
};

struct lines {
	const char *title, *x, *y; /* words */
	struct line_point *points;
	size_t n;
};

/** One more point; those of a series in the order in which it goes through
 * them. */
void lines_add(struct lines *l, const char *series, double x, double y);

/**
 * lines_plot - draw, and forget the points
 * @dir, @stem: the folder, and what the names of files there begin with.
 *
 * Return: 0, or non-zero after an error message.
 */
int lines_plot(struct lines *l, const char *dir, const char *stem);

#endif /* BENCH_LINES_H */
