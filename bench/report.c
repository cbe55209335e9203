/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "env.h"
#include "plot.h"
#include "report.h"
#include "util.h"

static FILE *json;
/* Of the first write that failed: the next that does not forgets it. */
static int json_err, out_err;

static void flush_to(FILE *f, int *first)
{
	int err = flush_error(f);

	if (!*first)
		*first = err;
}

static const struct {
	const char *title, *field;
	double q;
} quantiles[] = {
	{ "min", "min_ns", 0 },	       { "p50", "p50_ns", 0.5 },
	{ "p90", "p90_ns", 0.9 },      { "p99", "p99_ns", 0.99 },
	{ "p99.9", "p999_ns", 0.999 }, { "p99.99", "p9999_ns", 0.9999 },
	{ "max", "max_ns", 2 },
};

#define NQUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

void report_open(const struct options *o)
{
	if (o->plot)
		plot_check(o->plot);
	if (!o->json)
		return;
	json = strcmp(o->json, "-") ? fopen(o->json, "we") : stdout;
	if (!json)
		dief(1, "%s: %s", o->json, strerror(errno));
}

FILE *report_out(void)
{
	return json == stdout ? stderr : stdout;
}

FILE *report_json(void)
{
	return json;
}

void report_flush(void)
{
	flush_to(report_out(), &out_err);
	if (json)
		flush_to(json, &json_err);
}

static void head(const struct options *o, const char *meaning)
{
	FILE *to = report_out();

	env_print(to);
	fprintf(to, "measured    %s\n", meaning);
	fprintf(to, "            %u round%s in turn", o->rounds,
		o->rounds == 1 ? "" : "s");
}

void report_meaning(const struct options *o, const char *meaning)
{
	head(o, meaning);
	fputc('\n', report_out());
	flush_to(report_out(), &out_err);
}

void report_head(const struct options *o, const char *meaning)
{
	head(o, meaning);
	fprintf(report_out(), ", %u client%s\n", o->clients,
		o->clients == 1 ? "" : "s");
	flush_to(report_out(), &out_err);
}

void report_group(const struct group *g)
{
	FILE *to = report_out();

	fprintf(to, "\n%s%s%s: %s", g->o->bench, g->what ? " " : "",
		g->what ? g->what : "", g->place.name);
	if (!g->why_not)
		fprintf(to, " (clients from CPU %d, server from CPU %d: %s)",
			g->place.client[0], g->place.server[0],
			g->place.relation);
	fprintf(to, ", %zu bytes each way", g->size);
	if (g->gap_us > 0)
		fprintf(to, ", %.0f us between calls", g->gap_us);
	if (g->rate > 0)
		fprintf(to, ", %.0f calls/s of each client", g->rate);
	fputc('\n', to);
}

void report_latency_head(struct table *t)
{
	for (size_t i = 0; i < NQUANTILES; i++)
		table_cell(t, "%s", quantiles[i].title);
}

void report_latency(struct table *t, const struct row *r)
{
	for (size_t i = 0; i < NQUANTILES; i++)
		table_ns(t, row_ns(r, quantiles[i].q));
}

static void json_idle(struct json *j, const struct group *g,
		      const struct row *r)
{
	json_fixed(j, "seconds", row_idle_seconds(g, r));
	json_u64(j, "threads", r->idle.threads);
	json_u64(j, "voluntary_switches", r->idle.voluntary);
	json_u64(j, "involuntary_switches", r->idle.involuntary);
	json_u64(j, "cpu_ns", r->idle.cpu_ns);
}

static void json_calls(struct json *j, const struct group *g,
		       const struct row *r)
{
	double bytes = row_calls_per_s(r) * (double)g->size;

	json_u64(j, "calls", r->out.calls);
	for (size_t i = 0; i < NQUANTILES; i++)
		json_fixed(j, quantiles[i].field, row_ns(r, quantiles[i].q));
	json_fixed(j, "calls_per_s", row_calls_per_s(r));
	json_fixed(j, "cpu_ns_per_call", row_cpu_ns(r));
	json_u64(j, "calls_per_stamp", r->batch);
	if (r->cfg.depth > 1)
		json_u64(j, "depth", r->cfg.depth);
	if (!strcmp(g->o->bench, "rtt"))
		json_u64(j, "gap_us", (uint64_t)g->gap_us);
	if (g->rate > 0)
		json_u64(j, "rate", (uint64_t)g->rate);
	if (g->memcpy_bytes_per_s <= 0)
		return;
	json_fixed(j, "bytes_per_s", bytes);
	json_fixed(j, "memcpy_bytes_per_s", g->memcpy_bytes_per_s);
	json_fixed(j, "ratio", bytes / g->memcpy_bytes_per_s);
}

void report_json_env(struct json *j)
{
	json_str(j, "cpu", env_cpu());
	json_str(j, "kernel", env_kernel());
	json_str(j, "virt", env_virt());
}

static void json_row(const struct group *g, const struct row *r)
{
	struct json j;

	json_init(&j, json);
	json_open(&j, NULL, '{');
	json_str(&j, "bench", g->o->bench);
	if (g->what)
		json_str(&j, "op", g->what);
	json_str(&j, "name", r->name);
	json_str(&j, "mode", r->mode);
	json_str(&j, "placement", g->place.name);
	json_str(&j, "relation", g->place.relation);
	json_bool(&j, "pinned", !(r->peer->flags & PEER_FLOATS));
	json_u64(&j, "size", g->size);
	json_u64(&j, "clients", r->cfg.clients);
	json_u64(&j, "rounds", r->out.rounds);
	if (!strcmp(g->o->bench, "idle"))
		json_idle(&j, g, r);
	else
		json_calls(&j, g, r);
	report_json_env(&j);
	json_end(&j);
}

int report_end(const struct group *g, size_t n)
{
	int bad = !n;

	for (size_t i = 0; json && i < g->n; i++)
		if (row_measured(&g->rows[i]))
			json_row(g, &g->rows[i]);
	if (json)
		flush_to(json, &json_err);
	if (g->o->plot && n)
		bad |= plot_group(g) != 0;
	return bad | (group_complaints(g) != 0);
}

int report_close(void)
{
	int bad = 0;

	if (json)
		flush_to(json, &json_err);
	if (json && json != stdout && fclose(json) && !json_err)
		json_err = errno;
	if (json_err) {
		warnf("the JSON could not be written: %s", strerror(json_err));
		bad = 1;
	}
	if (json != stdout)
		flush_to(stdout, &out_err);
	if (json != stdout && out_err) {
		warnf("standard output: %s", strerror(out_err));
		bad = 1;
	}
	json = NULL;
	return bad;
}

void report_notes(const struct group *g)
{
	FILE *to = report_out();
	int n = 0;

	for (size_t i = 0; i < g->n; i++) {
		const struct row *r = &g->rows[i];

		if (!row_measured(r) || !(r->peer->flags & PEER_FLOATS))
			continue;
		fprintf(to, "%s%s", n++ ? ", " : "", r->name);
	}
	if (n)
		fputs(": not bound to one CPU each: their own threads may "
		      "use those of both sides\n",
		      to);
	flush_to(to, &out_err);
}

int report_calls(struct group *g)
{
	const struct row *shm = group_shm(g);
	const struct row *limit = group_find(g, "limit");
	struct table *t = table_new();
	size_t n = 0;

	report_group(g);
	table_text(t, "name");
	table_text(t, "waits");
	table_cell(t, "calls/s");
	report_latency_head(t);
	table_cell(t, "CPU/call");
	table_cell(t, "x %s", shm ? shm->name : "shm");
	table_cell(t, "x limit");
	table_row(t);
	for (size_t i = 0; i < g->n; i++) {
		const struct row *r = &g->rows[i];

		if (!row_measured(r))
			continue;
		table_text(t, r->name);
		table_text(t, r->mode);
		table_rate(t, row_calls_per_s(r));
		report_latency(t, r);
		table_ns(t, row_cpu_ns(r));
		table_ratio(t, row_ns(r, 0.5), shm ? row_ns(shm, 0.5) : 0);
		table_ratio(t, row_ns(r, 0.5), limit ? row_ns(limit, 0.5) : 0);
		table_row(t);
		n++;
	}
	table_print(t, report_out());
	report_notes(g);
	return report_end(g, n);
}
