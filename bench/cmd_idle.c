/* SPDX-License-Identifier: MIT */
/*
 * A server with connected clients and nothing to do. What the kernel counted
 * for its threads says whether it slept: a thread that never ran was never
 * woken.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loops.h"
#include "report.h"

/* Spinning ends long before this after the last call. */
#define SETTLE_NS 300000000u

static int read_file(const char *path, char *buf, size_t len)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return -1;
	n = fread(buf, 1, len - 1, f);
	fclose(f);
	buf[n] = 0;
	return n ? 0 : -1;
}

static uint64_t field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* Ticks of utime and stime: behind the command name, which may hold anything.
 */
static uint64_t stat_cpu_ns(const char *text)
{
	const char *at = strrchr(text, ')');
	uint64_t ticks = 0;

	for (int i = 0; at && i < 13; i++) {
		at = strchr(at + 1, ' ');
		if (at && i >= 11)
			ticks += strtoull(at + 1, NULL, 10);
	}
	return ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void count_thread(const char *dir, const char *tid,
			 struct idle_counts *c)
{
	char path[320], text[8192];

	snprintf(path, sizeof(path), "%s/%s/status", dir, tid);
	if (read_file(path, text, sizeof(text)))
		return;
	c->threads++;
	/* The first name is the tail of the second. */
	c->voluntary += field(text, "\nvoluntary_ctxt_switches:");
	c->involuntary += field(text, "\nnonvoluntary_ctxt_switches:");
	snprintf(path, sizeof(path), "%s/%s/schedstat", dir, tid);
	if (!read_file(path, text, sizeof(text))) {
		c->cpu_ns += strtoull(text, NULL, 10);
		return;
	}
	snprintf(path, sizeof(path), "%s/%s/stat", dir, tid);
	if (!read_file(path, text, sizeof(text)))
		c->cpu_ns += stat_cpu_ns(text);
}

static int count(struct run *run, struct idle_counts *c)
{
	char dir[64];
	struct dirent *e;
	DIR *d;

	memset(c, 0, sizeof(*c));
	snprintf(dir, sizeof(dir), "/proc/%d/task", (int)run->server);
	d = opendir(dir);
	if (!d)
		return run_fail(run, "cannot read %s", dir);
	while ((e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]))
			count_thread(dir, e->d_name, c);
	closedir(d);
	return 0;
}

static uint64_t watch_ns;

/* What a thread had counted goes with it when it ends. */
static uint64_t gain(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static int watch(struct run *run, void *arg)
{
	struct row *r = arg;
	struct idle_counts a, b;

	if (run_pause(run, SETTLE_NS) || count(run, &a) ||
	    run_pause(run, watch_ns) || count(run, &b))
		return PEER_FAILED;
	r->idle.threads = b.threads;
	r->idle.voluntary += gain(b.voluntary, a.voluntary);
	r->idle.involuntary += gain(b.involuntary, a.involuntary);
	r->idle.cpu_ns += gain(b.cpu_ns, a.cpu_ns);
	return 0;
}

static int report(struct group *g)
{
	struct table *t = table_new();
	size_t n = 0;

	report_group(g);
	table_text(t, "name");
	table_text(t, "waits");
	table_cell(t, "threads");
	table_cell(t, "wake-ups");
	table_cell(t, "preempted");
	table_cell(t, "CPU time");
	table_cell(t, "of a CPU");
	table_row(t);
	for (size_t i = 0; i < g->n; i++) {
		const struct row *r = &g->rows[i];

		if (!row_measured(r))
			continue;
		table_text(t, r->name);
		table_text(t, r->mode);
		table_cell(t, "%u", r->idle.threads);
		table_cell(t, "%llu", (unsigned long long)r->idle.voluntary);
		table_cell(t, "%llu", (unsigned long long)r->idle.involuntary);
		table_ns(t, (double)r->idle.cpu_ns);
		table_cell(t, "%.1f%%",
			   (double)r->idle.cpu_ns / row_idle_seconds(g, r) /
				   1e7);
		table_row(t);
		n++;
	}
	table_print(t, report_out());
	return report_end(g, n);
}

int cmd_idle(const struct options *o)
{
	int bad = 0;

	report_head(o, "what the server's threads do while nobody calls: times "
		       "they slept and were woken, times they lost the CPU, "
		       "CPU time");
	fprintf(report_out(), "            %.1f s for each row\n", o->seconds);
	watch_ns = (uint64_t)(o->seconds * 1e9 / o->rounds);
	for (size_t p = 0; p < o->placements.n && !run_interrupted(); p++) {
		for (size_t s = 0; s < o->sizes.n && !run_interrupted(); s++) {
			struct group g;

			group_init(&g, o, o->placements.v[p], o->sizes.v[s], 1);
			for (size_t i = 0; i < g.n; i++) {
				struct row *r = &g.rows[i];

				if (!(r->peer->flags & PEER_LOCAL))
					continue;
				r->out.state = PEER_SKIPPED;
				snprintf(r->out.why, sizeof(r->out.why),
					 "has no server");
			}
			g.work.client = loop_idle;
			g.work.watch = watch;
			group_run(&g);
			bad |= report(&g);
			group_free(&g);
		}
	}
	return bad;
}
