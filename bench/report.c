/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "env.h"
#include "plot.h"
#include "report.h"
#include "util.h"

static FILE *json;

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

void report_head(const struct options *o, const char *meaning)
{
	FILE *to = report_out();

	env_print(to);
	fprintf(to, "measured    %s\n", meaning);
	fprintf(to, "            %u round%s in turn, %u client%s\n", o->rounds,
		o->rounds == 1 ? "" : "s", o->clients,
		o->clients == 1 ? "" : "s");
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

/* Names come from the command line: anything may be in them. */
static void json_string(const char *name, const char *value)
{
	fprintf(json, ",\"%s\":\"", name);
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '"' || c == '\\')
			fprintf(json, "\\%c", c);
		else if (c < 0x20)
			fprintf(json, "\\u%04x", c);
		else
			fputc(c, json);
	}
	fputc('"', json);
}

static void json_row(const struct group *g, const struct row *r)
{
	double rate = row_calls_per_s(r);
	double bytes = rate * (double)g->size;
	int idle = !strcmp(g->o->bench, "idle");

	fprintf(json, "{\"bench\":\"%s\"", g->o->bench);
	if (g->what)
		json_string("op", g->what);
	json_string("name", r->name);
	json_string("mode", r->mode);
	json_string("placement", g->place.name);
	json_string("relation", g->place.relation);
	fprintf(json, ",\"pinned\":%s",
		r->peer->flags & PEER_FLOATS ? "false" : "true");
	fprintf(json, ",\"size\":%zu,\"clients\":%u,\"rounds\":%u", g->size,
		r->cfg.clients, g->o->rounds);
	if (idle)
		fprintf(json,
			",\"seconds\":%.3f,\"threads\":%u,"
			"\"voluntary_switches\":%llu,"
			"\"involuntary_switches\":%llu,\"cpu_ns\":%llu",
			g->o->seconds, r->idle.threads,
			(unsigned long long)r->idle.voluntary,
			(unsigned long long)r->idle.involuntary,
			(unsigned long long)r->idle.cpu_ns);
	if (!idle) {
		fprintf(json, ",\"calls\":%llu",
			(unsigned long long)r->out.calls);
		for (size_t i = 0; i < NQUANTILES; i++)
			fprintf(json, ",\"%s\":%.1f", quantiles[i].field,
				row_ns(r, quantiles[i].q));
		fprintf(json, ",\"calls_per_s\":%.1f,\"cpu_ns_per_call\":%.1f",
			rate, row_cpu_ns(r));
		fprintf(json, ",\"calls_per_stamp\":%u", r->batch);
	}
	if (r->cfg.depth > 1)
		fprintf(json, ",\"depth\":%u", r->cfg.depth);
	if (!strcmp(g->o->bench, "rtt"))
		fprintf(json, ",\"gap_us\":%.0f", g->gap_us);
	if (g->rate > 0)
		fprintf(json, ",\"rate\":%.0f", g->rate);
	if (g->memcpy_bytes_per_s > 0)
		fprintf(json,
			",\"bytes_per_s\":%.0f,\"memcpy_bytes_per_s\":%.0f,"
			"\"ratio\":%.4f",
			bytes, g->memcpy_bytes_per_s,
			bytes / g->memcpy_bytes_per_s);
	json_string("cpu", env_cpu());
	json_string("kernel", env_kernel());
	json_string("virt", env_virt());
	fputs("}\n", json);
}

void report_json(const struct group *g)
{
	for (size_t i = 0; json && i < g->n; i++)
		if (g->rows[i].out.state == PEER_OK)
			json_row(g, &g->rows[i]);
	if (json)
		fflush(json);
}

int report_close(void)
{
	int bad = 0;

	if (json && (ferror(json) || fflush(json)))
		bad = 1;
	if (json && json != stdout && fclose(json))
		bad = 1;
	if (bad)
		warnf("the JSON could not be written: %s", strerror(errno));
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
	fflush(to);
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
	report_json(g);
	if (g->o->plot && n)
		n = plot_group(g) ? 0 : n;
	return group_complaints(g) || !n;
}
