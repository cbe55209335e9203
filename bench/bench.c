/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include <skyipc.h>

#include "bench.h"
#include "clock.h"
#include "util.h"

extern const struct peer peer_skyipc;

struct row *group_add(struct group *g, const struct peer *peer)
{
	struct row *r;

	g->rows = realloc(g->rows, (g->n + 1) * sizeof(*g->rows));
	if (!g->rows)
		dief(1, "out of memory");
	r = &g->rows[g->n++];
	memset(r, 0, sizeof(*r));
	lat_clear(&r->out.hist);
	r->peer = peer;
	r->name = peer->name;
	r->mode = peer->mode ? peer->mode : "-";
	r->batch = 1;
	r->cfg.size = g->size;
	r->cfg.clients = g->o->clients;
	r->cfg.depth = 1;
	r->cfg.server_reads = 1;
	return r;
}

int mode_number(const char *mode)
{
	if (!strcmp(mode, "blocking"))
		return SKYIPC_BLOCKING;
	return !strcmp(mode, "polling") ? SKYIPC_POLLING : SKYIPC_ADAPTIVE;
}

static void add_skyipc(struct group *g)
{
	const struct options *o = g->o;

	for (size_t t = 0; t < o->transports.n; t++) {
		for (size_t m = 0; m < o->modes.n; m++) {
			struct row *r = group_add(g, &peer_skyipc);

			r->name = o->transports.v[t];
			r->mode = o->modes.v[m];
			r->named = 1;
			r->cfg.transport = r->name;
			r->cfg.mode = mode_number(r->mode);
			r->cfg.workers = o->workers;
		}
	}
}

static void add_peers(struct group *g, unsigned depth)
{
	const struct options *o = g->o;
	int all = !o->peers_named && o->peers.n;

	for (int i = 0; all && peers[i]; i++)
		if (depth == 1 || peers[i]->submit)
			group_add(g, peers[i]);
	for (size_t i = 0; o->peers_named && i < o->peers.n; i++) {
		const struct peer *p = peer_find(o->peers.v[i]);
		struct row *r;

		r = group_add(g, p ? p : &peer_skyipc);
		r->name = o->peers.v[i];
		r->named = 1;
		if (p && (depth == 1 || p->submit))
			continue;
		r->out.state = PEER_SKIPPED;
		snprintf(r->out.why, sizeof(r->out.why), "%s",
			 p ? "has no calls to overlap"
			   : peer_not_built(r->name));
	}
	/* Say what one could have had. */
	for (unsigned i = 0; all && peer_not_built_name(i); i++) {
		struct row *r = group_add(g, &peer_skyipc);

		r->name = peer_not_built_name(i);
		r->out.state = PEER_SKIPPED;
		snprintf(r->out.why, sizeof(r->out.why), "%s",
			 peer_not_built(r->name));
	}
}

void group_init(struct group *g, const struct options *o, const char *placement,
		size_t size, unsigned depth)
{
	memset(g, 0, sizeof(*g));
	g->o = o;
	g->size = size;
	place_make(&g->place, placement, o->clients, &g->why_not);
	add_skyipc(g);
	add_peers(g, depth);
	for (size_t i = 0; i < g->n; i++)
		g->rows[i].cfg.depth = depth;
	g->loop.calls = o->calls / o->rounds;
	g->loop.ticks = clock_ns_to_ticks(o->seconds * 1e9 / o->rounds);
	g->work.warm_up = g->loop.calls < 10000 ? g->loop.calls : 10000;
	g->work.limit_ns =
		(uint64_t)(o->seconds * 1e9 / o->rounds) + 20000000000u;
}

static int row_possible(const struct group *g, struct row *r)
{
	const char *why = g->why_not;

	if ((r->peer->flags & PEER_SKYIPC) && g->place.same_cpu &&
	    r->cfg.mode == SKYIPC_POLLING)
		why = "a polling server needs a CPU of its own";
	if (!why)
		return 1;
	r->out.state = PEER_SKIPPED;
	snprintf(r->out.why, sizeof(r->out.why), "%s", why);
	return 0;
}

void group_run(struct group *g)
{
	for (unsigned round = 0; round < g->o->rounds; round++) {
		for (size_t i = 0; i < g->n && !run_interrupted(); i++) {
			struct row *r = &g->rows[i];
			struct loop loop = g->loop;
			struct work work = g->work;

			if (r->out.state != PEER_OK || !row_possible(g, r))
				continue;
			progress("%s %s, %zu bytes: round %u of %u, %s",
				 g->o->bench, g->place.name, g->size, round + 1,
				 g->o->rounds, r->name);
			loop.batch = r->batch;
			if (work.watch)
				work.arg = r;
			else
				work.arg = &loop;
			run_once(r->peer, &r->cfg, &g->place, &work, &r->out);
		}
	}
	progress(NULL);
}

int group_complaints(const struct group *g)
{
	int bad = 0;

	for (size_t i = 0; i < g->n; i++) {
		const struct row *r = &g->rows[i];
		int skipped = r->out.state == PEER_SKIPPED;

		if (r->out.state == PEER_OK)
			continue;
		fprintf(stderr, "%s%s%s: %s: %s\n", r->name,
			*r->mode == '-' ? "" : " ",
			*r->mode == '-' ? "" : r->mode,
			skipped ? "skipped" : "failed", r->out.why);
		bad += !skipped || r->named;
	}
	return bad;
}

void group_free(struct group *g)
{
	free(g->rows);
}

double row_ns(const struct row *r, double q)
{
	uint64_t v = q > 1 ? r->out.hist.max : lat_quantile(&r->out.hist, q);

	return (double)v * clock_tick_ns / r->batch;
}

double row_calls_per_s(const struct row *r)
{
	return r->out.wall_ns > 0 ? (double)r->out.calls * 1e9 / r->out.wall_ns
				  : 0;
}

double row_cpu_ns(const struct row *r)
{
	return r->out.calls ? r->out.cpu_ns / (double)r->out.calls : 0;
}

double row_idle_seconds(const struct group *g, const struct row *r)
{
	return g->o->seconds * r->out.rounds / g->o->rounds;
}

const struct row *group_shm(const struct group *g)
{
	for (size_t i = 0; i < g->n; i++)
		if ((g->rows[i].peer->flags & PEER_SKYIPC) &&
		    row_measured(&g->rows[i]))
			return &g->rows[i];
	return NULL;
}

const struct row *group_find(const struct group *g, const char *name)
{
	for (size_t i = 0; i < g->n; i++)
		if (!strcmp(g->rows[i].name, name) && row_measured(&g->rows[i]))
			return &g->rows[i];
	return NULL;
}
