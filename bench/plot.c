/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "plot.h"
#include "run_priv.h"
#include "util.h"

/* What the names of the files take, generously. */
#define NAMES_MAX 256

static char gnuplot[PATH_MAX];

void plot_check(const char *dir)
{
	struct stat st;

	if (find_program("gnuplot", gnuplot, sizeof(gnuplot)))
		dief(1, "--plot: there is no gnuplot: install gnuplot-nox");
	if (strlen(dir) >= PATH_MAX - NAMES_MAX)
		dief(1, "--plot: %s: %s", dir, strerror(ENAMETOOLONG));
	if (mkdir(dir, 0777) && errno != EEXIST)
		dief(1, "--plot: %s: %s", dir, strerror(errno));
	if (!stat(dir, &st) && !S_ISDIR(st.st_mode))
		dief(1, "--plot: %s: %s", dir, strerror(ENOTDIR));
	if (access(dir, W_OK | X_OK))
		dief(1, "--plot: %s: %s", dir, strerror(errno));
}

/* What the files of a group begin with. */
static void stem(const struct group *g, char *buf, size_t len)
{
	char more[64] = "";

	if (g->gap_us > 0)
		snprintf(more, sizeof(more), "-gap%.0f", g->gap_us);
	if (g->rate > 0)
		snprintf(more, sizeof(more), "-rate%.0f", g->rate);
	snprintf(buf, len, "%s/%s%s%s-%s-%zu%s", g->o->plot, g->o->bench,
		 g->what ? "-" : "", g->what ? g->what : "", g->place.name,
		 g->size, more);
}

struct points {
	FILE *f;
	const struct row *r;
};

static void point(uint64_t value, uint64_t upto, void *arg)
{
	struct points *p = arg;
	double share = (double)upto / (double)p->r->out.hist.count;
	double ns = (double)value * clock_tick_ns / p->r->batch;

	/* The x axis of nines; the last point would lie at infinity. */
	if (upto == p->r->out.hist.count)
		fprintf(p->f, "%.1f %.9f %.1f\n", ns, share,
			(double)p->r->out.hist.count);
	else
		fprintf(p->f, "%.1f %.9f %.6f\n", ns, share, 1 / (1 - share));
}

FILE *plot_create(const char *base, const char *suffix)
{
	char path[PATH_MAX + 16];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", base, suffix);
	f = fopen(path, "we");
	if (!f)
		warnf("%s: %s", path, strerror(errno));
	return f;
}

int plot_finish(FILE *f, const char *base, const char *suffix)
{
	int err = flush_error(f);

	if (!err)
		return fclose(f) ? -1 : 0;
	warnf("%s%s: %s", base, suffix, strerror(err));
	fclose(f);
	return -1;
}

static void put_data(const struct group *g, FILE *f, FILE *bars)
{
	fputs("# value in ns, cumulative share, 1 / (1 - share); a block for "
	      "each row\n",
	      f);
	for (size_t i = 0; i < g->n; i++) {
		const struct row *r = &g->rows[i];
		struct points p = { f, r };

		if (!row_measured(r))
			continue;
		fprintf(f, "\"%s %s\"\n", r->name,
			*r->mode == '-' ? "" : r->mode);
		lat_each(&r->out.hist, point, &p);
		fputs("\n\n", f);
		fprintf(bars, "\"%s %s\" %.1f %.1f\n", r->name,
			*r->mode == '-' ? "" : r->mode, row_ns(r, 0.5),
			row_ns(r, 0.99));
	}
}

static int write_data(const struct group *g, const char *base)
{
	FILE *f = plot_create(base, ".dat"), *bars = plot_create(base, ".bars");
	int bad = !f || !bars;

	if (!bad)
		put_data(g, f, bars);
	if (f)
		bad |= plot_finish(f, base, ".dat");
	if (bars)
		bad |= plot_finish(bars, base, ".bars");
	return bad ? -1 : 0;
}

static size_t measured(const struct group *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += (size_t)row_measured(&g->rows[i]);
	return n;
}

void plot_quoted(FILE *f, const char *base, const char *suffix)
{
	fputc('\'', f);
	for (; *base; base++)
		fprintf(f, *base == '\'' ? "''" : "%c", *base);
	fprintf(f, "%s'", suffix);
}

static void put_plots(FILE *f, const struct group *g, const char *base,
		      const char *picture, const char *suffix)
{
	char file[64];
	size_t n = measured(g);

	snprintf(file, sizeof(file), "-%s.%s", picture, suffix);
	fputs("set output ", f);
	plot_quoted(f, base, file);
	fputs("\ndata = ", f);
	plot_quoted(f, base, ".dat");
	fputs("\nbars = ", f);
	plot_quoted(f, base, ".bars");
	fputs("\nunset logscale; unset yrange; unset xrange\n"
	      "set grid; set key outside right; set xtics auto norotate\n",
	      f);
	if (!strcmp(picture, "percentiles"))
		fprintf(f,
			"set logscale xy; set xlabel 'percentile'; set ylabel "
			"'latency in ns'\n"
			"set xtics ('0' 1, '90' 10, '99' 100, '99.9' 1e3, "
			"'99.99' 1e4, '99.999' 1e5, '99.9999' 1e6)\n"
			"plot for [i=0:%zu] data index i using 3:1 with steps "
			"lw 2 title columnheader(1)\n",
			n - 1);
	else if (!strcmp(picture, "cdf"))
		fprintf(f,
			"set logscale x; set xlabel 'latency in ns'; set "
			"ylabel 'share of calls'\n"
			"set yrange [0:1]\n"
			"plot for [i=0:%zu] data index i using 1:2 with steps "
			"lw 2 title columnheader(1)\n",
			n - 1);
	else
		fputs("set logscale y; set xlabel ''; set ylabel 'latency in "
		      "ns'\n"
		      "set style data histograms; set style histogram "
		      "clustered\n"
		      "set style fill solid 0.8; set xtics rotate by -50\n"
		      "plot bars using 2:xtic(1) title 'p50', '' using 3 "
		      "title 'p99'\n",
		      f);
	fputs("set output\n", f);
}

static int write_script(const struct group *g, const char *base)
{
	static const char *const pictures[] = { "percentiles", "cdf", "bars" };
	FILE *f = plot_create(base, ".gnuplot");

	if (!f)
		return -1;
	fprintf(f, "set title '%s, %s, %zu bytes each way'\n", g->o->bench,
		g->place.name, g->size);
	for (int i = 0; i < 3; i++) {
		fputs("set terminal svg size 1200,700 dynamic background "
		      "'white'\n",
		      f);
		put_plots(f, g, base, pictures[i], "svg");
		fputs("set terminal pngcairo size 1200,700\n", f);
		put_plots(f, g, base, pictures[i], "png");
	}
	return plot_finish(f, base, ".gnuplot");
}

int plot_draw(const char *base)
{
	char script[PATH_MAX + 16];
	int status = -1;
	pid_t pid;

	snprintf(script, sizeof(script), "%s.gnuplot", base);
	pid = fork();
	if (!pid) {
		/* ^C is for it, too. */
		sigprocmask(SIG_SETMASK, &run_unblocked, NULL);
		signal(SIGPIPE, SIG_DFL);
		execl(gnuplot, "gnuplot", script, (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		warnf("gnuplot could not draw %s", script);
	return status;
}

int plot_group(const struct group *g)
{
	char base[PATH_MAX];

	stem(g, base, sizeof(base));
	if (write_data(g, base) || write_script(g, base) || plot_draw(base))
		return -1;
	return 0;
}
