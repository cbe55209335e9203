/* SPDX-License-Identifier: MIT */
/*
 * A structure that threads share: operations per second and how long they
 * take, of libnr and of everything else that does the same. A table for each
 * structure, skew, share of writes, and number of threads; its rows take turns.
 */
#include <stdlib.h>
#include <string.h>

#include <nr.h>

#include "bench.h"
#include "nr_report.h"
#include "report.h"
#include "util.h"

/* The case that a table is of. */
struct which {
	enum nr_kind kind;
	const char *structure, *skew;
	unsigned threads, writes;
};

static struct nr_row *add_row(struct nr_group *g, const char *name)
{
	struct nr_row *r;

	g->rows = realloc(g->rows, (g->n + 1) * sizeof(*g->rows));
	if (!g->rows)
		dief(1, "out of memory");
	r = &g->rows[g->n++];
	memset(r, 0, sizeof(*r));
	lat_clear(&r->out.hist);
	lat_clear(&r->result.read);
	lat_clear(&r->result.update);
	r->name = name;
	r->peer = nr_peer_find(name, g->kind);
	return r;
}

static void skip(struct nr_row *r, const char *why)
{
	r->out.state = PEER_SKIPPED;
	snprintf(r->out.why, sizeof(r->out.why), "%s", why);
}

static void check_row(const struct nr_group *g, struct nr_row *r)
{
	if (!r->peer)
		skip(r, nr_peer_missing(r->name) ? nr_peer_missing(r->name)
						 : "has no such structure");
	else if (g->writes < 100 && !r->peer->get)
		skip(r, "cannot be read, only changed");
	else if ((r->peer->flags & NR_PEER_SPINS) && g->threads > place_cpus())
		skip(r, "it spins; more threads than CPUs would only measure "
			"the scheduler's slice");
}

static void add_rows(struct nr_group *g)
{
	const struct options *o = g->o;
	int all = !o->peers_named && o->peers.n;

	for (size_t i = 0; i < o->ntopologies; i++) {
		struct nr_row *r = add_row(g, NR_PEER_SELF);

		r->topology = o->topologies[i];
		r->named = 1;
	}
	for (int i = 0; all && nr_peers[i]; i++)
		if (nr_peers[i]->kind == g->kind &&
		    strcmp(nr_peers[i]->name, NR_PEER_SELF))
			add_row(g, nr_peers[i]->name);
	for (unsigned i = 0; all && nr_peer_missing_name(i); i++)
		add_row(g, nr_peer_missing_name(i));
	for (size_t i = 0; o->peers_named && i < o->peers.n; i++)
		add_row(g, o->peers.v[i])->named = 1;
	for (size_t i = 0; i < g->n; i++)
		check_row(g, &g->rows[i]);
}

static void measure(struct nr_group *g, const struct nr_keys *keys)
{
	const struct options *o = g->o;

	for (unsigned round = 0; round < o->rounds; round++) {
		for (size_t i = 0; i < g->n && !run_interrupted(); i++) {
			struct nr_row *r = &g->rows[i];
			struct nr_round what = {
				.peer = r->peer,
				.job = { .entries = o->entries,
					 .threads = g->threads,
					 .topology = r->topology },
				.keys = keys,
				.writes = g->writes,
				.sample = o->sample,
				.warm_up_ns = (uint64_t)(o->warm_up * 1e9),
				.run_ns = (uint64_t)(o->seconds * 1e9 /
						     o->rounds),
			};

			if (r->out.state != PEER_OK)
				continue;
			/* Cohorts are those of the first topology. */
			if (!(r->peer->flags & NR_PEER_PLACES))
				what.job.topology = o->topologies[0];
			progress("nr %s, %u threads, %u%% writes: round %u of "
				 "%u, %s",
				 g->structure, g->threads, g->writes, round + 1,
				 o->rounds, r->name);
			nr_round_run(&what, &r->result, &r->out);
		}
	}
	progress(NULL);
}

static int one(const struct options *o, const struct which *w,
	       const struct nr_keys *keys, struct lines *rates)
{
	struct nr_group g = { .o = o,
			      .kind = w->kind,
			      .structure = w->structure,
			      .skew = w->skew,
			      .threads = w->threads,
			      .writes = w->writes };
	int bad;

	add_rows(&g);
	measure(&g, keys);
	bad = nr_report(&g, rates);
	free(g.rows);
	return bad;
}

/* By threads: a picture. */
static int several(const struct options *o, struct which *w,
		   const struct num_list *threads, const struct nr_keys *keys)
{
	char title[128], stem[128];
	struct lines rates = { .title = title,
			       .x = "threads",
			       .y = "operations per second" };
	int bad = 0;

	for (size_t i = 0; i < threads->n && !run_interrupted(); i++) {
		w->threads = (unsigned)threads->v[i];
		bad |= one(o, w, keys, &rates);
	}
	snprintf(title, sizeof(title), "%s, %s keys, %u%% writes", w->structure,
		 w->skew, w->writes);
	snprintf(stem, sizeof(stem), "nr-%s-%s-%u", w->structure, w->skew,
		 w->writes);
	if (o->plot)
		bad |= lines_plot(&rates, o->plot, stem) != 0;
	free(rates.points);
	return bad;
}

/* Powers of two, and all CPUs. */
static struct num_list default_threads(void)
{
	struct num_list l = { xcalloc(64, sizeof(uint64_t)), 0 };
	unsigned n = 1;

	for (; n < place_cpus(); n *= 2)
		l.v[l.n++] = n;
	l.v[l.n++] = place_cpus();
	return l;
}

/* What is wrong with one shall be said before an hour has gone by. */
static void check_topologies(const struct options *o)
{
	for (size_t i = 0; i < o->ntopologies; i++) {
		struct nr_topology *t;
		int err = nr_topology_open(o->topologies[i], &t);

		if (err)
			dief(ARGS_USAGE, "--topology %s: %s",
			     o->topologies[i] ? o->topologies[i]
					      : "($NR_TOPOLOGY)",
			     strerror(-err));
		nr_topology_close(t);
	}
}

int cmd_nr(const struct options *o)
{
	struct num_list threads = o->threads.n ? o->threads : default_threads();
	int bad = 0;

	check_topologies(o);
	report_meaning(
		o,
		"operations of all threads per second; half of the updates put "
		"a key,\n"
		"            half remove one; keys and values of 8 bytes; of "
		"an "
		"address space:\n"
		"            pages of 4 KiB");
	fprintf(report_out(), "            one operation of %u is timed\n",
		o->sample);
	nr_report_peers(o);
	for (size_t s = 0; s < o->structures.n; s++) {
		for (size_t k = 0; k < o->skews.n; k++) {
			struct which w = { .structure = o->structures.v[s],
					   .skew = o->skews.v[k] };
			struct nr_keys keys;

			w.kind = nr_kind_of(w.structure);
			if (!strcmp(w.skew, "zipf"))
				nr_keys_zipf(&keys, 2 * o->entries);
			else
				nr_keys_uniform(&keys, 2 * o->entries);
			for (size_t i = 0;
			     i < o->writes.n && !run_interrupted(); i++) {
				w.writes = (unsigned)o->writes.v[i];
				bad |= several(o, &w, &threads, &keys);
			}
			nr_keys_free(&keys);
		}
	}
	return bad;
}
