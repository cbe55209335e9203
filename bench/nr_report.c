/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "clock.h"
#include "nr_report.h"
#include "report.h"
#include "util.h"

static uint64_t operations(const struct nr_row *r)
{
	return r->result.reads + r->result.updates;
}

static double per_s(const struct nr_row *r)
{
	return r->result.wall_ns > 0
		       ? (double)operations(r) * 1e9 / r->result.wall_ns
		       : 0;
}

static double cpu_ns(const struct nr_row *r)
{
	return operations(r) ? r->result.cpu_ns / (double)operations(r) : 0;
}

/* The first of libnr's: what others are compared with. */
static const struct nr_row *self(const struct nr_group *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (!strcmp(g->rows[i].name, NR_PEER_SELF) &&
		    nr_row_measured(&g->rows[i]))
			return &g->rows[i];
	return NULL;
}

static const char *topology(const struct nr_row *r)
{
	if (!r->peer || !(r->peer->flags & NR_PEER_PLACES))
		return "-";
	return r->topology ? r->topology : "as found";
}

enum nr_kind nr_kind_of(const char *structure)
{
	if (!strcmp(structure, "omap"))
		return NR_OMAP;
	if (!strcmp(structure, "vspace"))
		return NR_VSPACE;
	return !strcmp(structure, "queue") ? NR_QUEUE : NR_MAP;
}

/* Will there be a row of it? */
static int asked_for(const struct options *o, const struct nr_peer *p)
{
	int kind = 0, name = !strcmp(p->name, NR_PEER_SELF);

	for (size_t i = 0; i < o->structures.n; i++)
		kind |= nr_kind_of(o->structures.v[i]) == p->kind;
	name |= o->peers.n && !o->peers_named;
	for (size_t i = 0; o->peers_named && i < o->peers.n; i++)
		name |= !strcmp(o->peers.v[i], p->name);
	return kind && name;
}

void nr_report_peers(const struct options *o)
{
	FILE *to = report_out();

	for (unsigned i = 0; nr_peers[i]; i++) {
		const struct nr_peer *p = nr_peers[i];
		unsigned k = 0;

		/* What is the same for several structures once. */
		while (!asked_for(o, nr_peers[k]) ||
		       strcmp(nr_peers[k]->name, p->name) ||
		       strcmp(nr_peers[k]->how, p->how)) {
			if (k == i)
				break;
			k++;
		}
		if (k == i && asked_for(o, p))
			fprintf(to, "%-11s %s\n", p->name, p->how);
	}
	report_flush();
}

/* --------------------------------------------------------------- people -- */

static void latency(struct table *t, const struct hist *h)
{
	static const double q[] = { 0.5, 0.99, 2 };

	for (int i = 0; i < 3; i++) {
		if (!h->count)
			table_cell(t, "-");
		else
			table_ns(t, (double)(q[i] > 1 ? h->max
						      : lat_quantile(h, q[i])) *
					    clock_tick_ns);
	}
}

static void head(struct table *t)
{
	table_text(t, "name");
	table_text(t, "topology");
	table_cell(t, "ops/s");
	table_cell(t, "x libnr");
	table_cell(t, "read p50");
	table_cell(t, "p99");
	table_cell(t, "p100");
	table_cell(t, "update p50");
	table_cell(t, "p99");
	table_cell(t, "p100");
	table_cell(t, "CPU/op");
	table_row(t);
}

static double share(uint64_t n, uint64_t of)
{
	return of ? 100 * (double)n / (double)of : 0;
}

/* What libnr counted, in words. */
static void print_counts(const struct nr_row *r)
{
	const struct nr_counts *c = &r->result.counts;
	FILE *to = report_out();

	if (!r->peer->nr)
		return;
	fprintf(to, "%s %s: %llu replica%s", r->name, topology(r),
		(unsigned long long)c->replicas, c->replicas == 1 ? "" : "s");
	if (c->batches) {
		fprintf(to, ", %.2f updates in a batch (",
			(double)c->updates / (double)c->batches);
		for (unsigned k = 0, n = 0; k < NR_SIZES; k++) {
			if (share(c->sizes[k], c->batches) < 0.05)
				continue;
			fprintf(to, "%s%llu%s: %.1f%%", n++ ? ", " : "",
				1ull << k, k ? "+" : "",
				share(c->sizes[k], c->batches));
		}
		fputc(')', to);
	}
	fprintf(to,
		", behind the log %.0f entries, %llu at most; caught up %llu "
		"times, helped %llu, looked for room %llu, log full %llu; "
		"yielded %llu times, slept %llu\n",
		c->lag_samples ? (double)c->lag_sum / (double)c->lag_samples
			       : 0,
		(unsigned long long)c->lag_max,
		(unsigned long long)c->catch_ups, (unsigned long long)c->helped,
		(unsigned long long)c->collects, (unsigned long long)c->full,
		(unsigned long long)c->yields, (unsigned long long)c->parks);
}

/* ----------------------------------------------------------------- JSON -- */

static void json_latency(struct json *j, const char *key, const struct hist *h)
{
	if (!h->count)
		return;
	json_open(j, key, '{');
	json_u64(j, "timed", h->count);
	json_fixed(j, "p50", (double)lat_quantile(h, 0.5) * clock_tick_ns);
	json_fixed(j, "p99", (double)lat_quantile(h, 0.99) * clock_tick_ns);
	json_fixed(j, "p999", (double)lat_quantile(h, 0.999) * clock_tick_ns);
	json_fixed(j, "p100", (double)h->max * clock_tick_ns);
	json_close(j);
}

static void json_counts(struct json *j, const struct nr_result *r)
{
	const struct nr_counts *c = &r->counts;

	json_open(j, "libnr", '{');
	json_u64(j, "replicas", c->replicas);
	json_u64(j, "made_reads", r->made_reads);
	json_u64(j, "made_updates", r->made_updates);
	json_u64(j, "updates", c->updates);
	json_u64(j, "reads", c->reads);
	json_u64(j, "batches", c->batches);
	json_open(j, "batch_sizes", '[');
	for (unsigned k = 0; k < NR_SIZES; k++)
		json_u64(j, NULL, c->sizes[k]);
	json_close(j);
	json_fixed(j, "lag",
		   c->lag_samples ? (double)c->lag_sum / (double)c->lag_samples
				  : 0);
	json_u64(j, "lag_max", c->lag_max);
	json_u64(j, "catch_ups", c->catch_ups);
	json_u64(j, "helped", c->helped);
	json_u64(j, "collects", c->collects);
	json_u64(j, "full", c->full);
	json_u64(j, "yields", c->yields);
	json_u64(j, "parks", c->parks);
	json_close(j);
}

static void json_row(const struct nr_group *g, const struct nr_row *r,
		     const struct nr_row *libnr)
{
	const struct nr_result *res = &r->result;
	struct json j;

	json_init(&j, report_json());
	json_open(&j, NULL, '{');
	json_str(&j, "bench", g->o->bench);
	json_str(&j, "name", r->name);
	json_str(&j, "structure", g->structure);
	json_str(&j, "topology", topology(r));
	json_u64(&j, "threads", g->threads);
	json_u64(&j, "writes", g->writes);
	json_str(&j, "skew", g->skew);
	json_u64(&j, "entries", g->o->entries);
	json_u64(&j, "rounds", res->rounds);
	json_u64(&j, "operations", operations(r));
	json_u64(&j, "reads", res->reads);
	json_u64(&j, "updates", res->updates);
	json_u64(&j, "expected_entries", res->expected);
	json_u64(&j, "counted_entries", res->counted);
	json_u64(&j, "wall_ns", (uint64_t)res->wall_ns);
	json_fixed(&j, "ops_per_s", per_s(r));
	if (libnr && per_s(libnr) > 0)
		json_fixed(&j, "ratio", per_s(r) / per_s(libnr));
	json_fixed(&j, "cpu_ns_per_op", cpu_ns(r));
	json_u64(&j, "ops_per_sample", g->o->sample);
	json_latency(&j, "read_ns", &res->read);
	json_latency(&j, "update_ns", &res->update);
	if (r->peer->nr)
		json_counts(&j, res);
	report_json_env(&j);
	json_end(&j);
}

/* ----------------------------------------------------------- complaints -- */

static int complaints(const struct nr_group *g)
{
	int bad = 0;

	for (size_t i = 0; i < g->n; i++) {
		const struct nr_row *r = &g->rows[i];
		int skipped = r->out.state == PEER_SKIPPED;

		if (r->out.state == PEER_OK)
			continue;
		fprintf(stderr, "%s: %s: %s\n", r->name,
			skipped ? "skipped" : "failed", r->out.why);
		bad += !skipped || r->named;
	}
	return bad;
}

/* Did an update of libnr's take longer than it may? */
static int too_long(const struct nr_group *g)
{
	int bad = 0;

	for (size_t i = 0; g->o->longest_ms > 0 && i < g->n; i++) {
		const struct nr_row *r = &g->rows[i];
		double ms = (double)r->result.update.max * clock_tick_ns / 1e6;

		if (strcmp(r->name, NR_PEER_SELF) || !nr_row_measured(r))
			continue;
		fprintf(report_out(),
			"%s %s: the longest of %llu updates took %.3f ms, of "
			"%g it may\n",
			r->name, topology(r),
			(unsigned long long)r->result.update.count, ms,
			g->o->longest_ms);
		if (ms <= g->o->longest_ms)
			continue;
		fprintf(stderr, "%s: failed: an update took %.3f ms\n", r->name,
			ms);
		bad = 1;
	}
	return bad;
}

static void add_point(struct lines *rates, const struct nr_group *g,
		      const struct nr_row *r)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s%s", r->name, r->topology ? " " : "",
		 r->topology ? r->topology : "");
	lines_add(rates, name, g->threads, per_s(r));
}

int nr_report(const struct nr_group *g, struct lines *rates)
{
	const struct nr_row *libnr = self(g);
	struct table *t = table_new();
	FILE *to = report_out();
	size_t n = 0;
	int bad;

	fprintf(to,
		"\nnr %s: %u thread%s on %u CPU%s, %u%% writes, %s keys, %llu "
		"entries\n",
		g->structure, g->threads, g->threads == 1 ? "" : "s",
		place_cpus(), place_cpus() == 1 ? "" : "s", g->writes, g->skew,
		(unsigned long long)g->o->entries);
	head(t);
	for (size_t i = 0; i < g->n; i++) {
		const struct nr_row *r = &g->rows[i];

		if (!nr_row_measured(r))
			continue;
		table_text(t, r->name);
		table_text(t, topology(r));
		table_rate(t, per_s(r));
		table_ratio(t, per_s(r), libnr ? per_s(libnr) : 0);
		latency(t, &r->result.read);
		latency(t, &r->result.update);
		table_ns(t, cpu_ns(r));
		table_row(t);
		add_point(rates, g, r);
		n++;
	}
	table_print(t, to);
	for (size_t i = 0; i < g->n; i++) {
		if (!nr_row_measured(&g->rows[i]))
			continue;
		print_counts(&g->rows[i]);
		if (report_json())
			json_row(g, &g->rows[i], libnr);
	}
	bad = too_long(g) | !n;
	report_flush();
	return bad | (complaints(g) != 0);
}
