/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"
#include "plot.h"
#include "util.h"

void lines_add(struct lines *l, const char *series, double x, double y)
{
	struct line_point *more =
		realloc(l->points, (l->n + 1) * sizeof(*more));

	if (!more)
		dief(1, "out of memory");
	l->points = more;
	more += l->n++;
	snprintf(more->series, sizeof(more->series), "%s", series);
	more->x = x;
	more->y = y;
}

static int is_first(const struct lines *l, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(l->points[k].series, l->points[i].series))
			return 0;
	return 1;
}

/* A block for each series; how many. */
static size_t put_data(const struct lines *l, FILE *f)
{
	size_t n = 0;

	fprintf(f, "# %s, %s; a block for each row\n", l->x, l->y);
	for (size_t i = 0; i < l->n; i++) {
		if (!is_first(l, i))
			continue;
		fprintf(f, "\"%s\"\n", l->points[i].series);
		for (size_t k = i; k < l->n; k++)
			if (!strcmp(l->points[k].series, l->points[i].series))
				fprintf(f, "%g %g\n", l->points[k].x,
					l->points[k].y);
		fputs("\n\n", f);
		n++;
	}
	return n;
}

static void put_script(const struct lines *l, const char *base, size_t n,
		       FILE *f)
{
	static const char *const terminals[][2] = {
		{ "svg size 1200,700 dynamic background 'white'", ".svg" },
		{ "pngcairo size 1200,700", ".png" },
	};

	double from = l->points[0].x, to = from;

	fprintf(f, "set title '%s'\nset xlabel '%s'\nset ylabel '%s'\n",
		l->title, l->x, l->y);
	for (size_t i = 0; i < l->n; i++) {
		from = l->points[i].x < from ? l->points[i].x : from;
		to = l->points[i].x > to ? l->points[i].x : to;
	}
	/* Also where there is but one. */
	fprintf(f, "set xrange [%g:%g]\n", from / 1.1, to * 1.1);
	fputs("set grid; set key outside right; set logscale x 2\n"
	      "set yrange [0:*]; set format y '%.0s%c'\ndata = ",
	      f);
	plot_quoted(f, base, ".dat");
	fputc('\n', f);
	for (int t = 0; t < 2; t++) {
		fprintf(f, "set terminal %s\nset output ", terminals[t][0]);
		plot_quoted(f, base, terminals[t][1]);
		fprintf(f,
			"\nplot for [i=0:%zu] data index i using 1:2 with "
			"linespoints lw 2 title columnheader(1)\nset output\n",
			n - 1);
	}
}

int lines_plot(struct lines *l, const char *dir, const char *stem)
{
	char base[PATH_MAX];
	size_t n = 0;
	FILE *f;
	int bad = 0;

	if (!l->n)
		return 0; /* nothing was measured, and that has been said */
	snprintf(base, sizeof(base), "%s/%s", dir, stem);
	f = plot_create(base, ".dat");
	if (f) {
		n = put_data(l, f);
		bad = plot_finish(f, base, ".dat");
	}
	f = f && !bad ? plot_create(base, ".gnuplot") : NULL;
	if (f) {
		put_script(l, base, n, f);
		bad = plot_finish(f, base, ".gnuplot") || plot_draw(base);
	}
	free(l->points);
	l->points = NULL;
	l->n = 0;
	return !f || bad;
}
