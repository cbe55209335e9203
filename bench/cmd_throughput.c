/* SPDX-License-Identifier: MIT */
/*
 * Bytes per second: the payload of the requests, one way. Peers that answer in
 * place carry the reply for nothing; those that copy do it again for the reply.
 * A table for each size; memcpy() of that size takes its turn in the rounds.
 */
#include "loops.h"
#include "report.h"

extern const struct peer peer_memcpy;

static double bytes_per_s(const struct group *g, const struct row *r)
{
	return r ? row_calls_per_s(r) * (double)g->size : 0;
}

static int report(struct group *g)
{
	const struct row *copy = group_find(g, "memcpy");
	const struct row *shm = group_shm(g);
	struct table *t = table_new();
	size_t n = 0;

	g->memcpy_bytes_per_s = bytes_per_s(g, copy);
	report_group(g);
	table_text(t, "name");
	table_text(t, "waits");
	table_cell(t, "moved");
	table_cell(t, "x memcpy");
	table_cell(t, "x shm");
	table_cell(t, "p50");
	table_cell(t, "p99");
	table_cell(t, "CPU/call");
	table_text(t, "copies of the payload, there and back");
	table_row(t);
	for (size_t i = 0; i < g->n; i++) {
		const struct row *r = &g->rows[i];

		if (!row_measured(r))
			continue;
		table_text(t, r->name);
		table_text(t, r->mode);
		table_bytes(t, bytes_per_s(g, r), "/s");
		table_ratio(t, bytes_per_s(g, r), g->memcpy_bytes_per_s);
		table_ratio(t, bytes_per_s(g, r), bytes_per_s(g, shm));
		table_ns(t, row_ns(r, 0.5));
		table_ns(t, row_ns(r, 0.99));
		table_ns(t, row_cpu_ns(r));
		table_text(t, r->peer->copies);
		table_row(t);
		n++;
	}
	table_print(t, report_out());
	report_notes(g);
	return report_end(g, n);
}

int cmd_throughput(const struct options *o)
{
	int bad = 0;

	report_head(
		o,
		"payload bytes of requests per second. memcpy: the same size, "
		"same CPU, private\n"
		"            memory into a shared mapping, both touched before "
		"and as warm. Peers that can\n"
		"            build the request in place: one such copy, then a "
		"call answered in place, then\n"
		"            a word of every page of the reply is read");
	for (size_t p = 0; p < o->placements.n && !run_interrupted(); p++) {
		for (size_t s = 0; s < o->sizes.n && !run_interrupted(); s++) {
			struct group g;

			group_init(&g, o, o->placements.v[p], o->sizes.v[s], 1);
			group_add(&g, &peer_memcpy);
			for (size_t i = 0; i < g.n; i++) {
				struct row *r = &g.rows[i];

				r->cfg.in_place = 1;
				r->cfg.server_reads = o->server_reads;
				if (r->peer->batch && !r->out.state) {
					/* carries nothing */
					r->out.state = PEER_SKIPPED;
					snprintf(r->out.why, sizeof(r->out.why),
						 "carries no payload");
				}
			}
			g.work.client = loop_closed;
			g.work.warm_up = 1000;
			group_run(&g);
			bad |= report(&g);
			group_free(&g);
		}
	}
	return bad;
}
