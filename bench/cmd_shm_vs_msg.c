/* SPDX-License-Identifier: MIT */
/*
 * What costs more: cache lines that go to everybody who writes them, or
 * messages to a server that has them? (Baumann et al., The Multikernel,
 * SOSP'09, figure 3.) A table for each number of clients.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <skyipc.h>

#include "bench.h"
#include "clock.h"
#include "lines.h"
#include "loops.h"
#include "peer_lines.h"
#include "report.h"
#include "util.h"

/* ------------------------------------------------------------- clients -- */

/* Clients that are threads of one process; what work.arg is then. */
struct crew {
	struct loop loop;
	unsigned n;
	const struct placement *place;
};

struct hand {
	const struct crew *crew;
	struct run *run;
	void *conn;
	pthread_barrier_t *ready;
	pthread_t thread;
	unsigned i;
	int err;
	struct samples samples;
};

static void *hand(void *arg)
{
	struct hand *h = arg;
	const struct placement *p = h->crew->place;
	struct loop loop = h->crew->loop;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(p->client[h->i % p->nclient], &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		run_fail(h->run, "sched_setaffinity: %s", strerror(errno));
	if (!h->conn)
		h->conn = h->run->peer->open(h->run, h->i);
	pthread_barrier_wait(h->ready);
	if (!h->conn)
		return NULL; /* and has said why */
	loop_closed(h->run, h->i, h->conn, &h->samples, &loop);
	if (h->i)
		h->run->peer->close(h->conn);
	return NULL;
}

static void join(struct hand *h, unsigned n, struct samples *out)
{
	out->start = UINT64_MAX;
	for (unsigned i = 0; i < n; i++) {
		const struct samples *s = &h[i].samples;

		if (i)
			pthread_join(h[i].thread, NULL);
		out->calls += s->calls;
		out->start = s->start < out->start ? s->start : out->start;
		out->end = s->end > out->end ? s->end : out->end;
		lat_merge(&out->hist, &s->hist);
	}
}

static int loop_threads(struct run *run, unsigned client, void *conn,
			struct samples *out, void *arg)
{
	const struct crew *crew = arg;
	struct hand *h = xcalloc(crew->n, sizeof(*h));
	pthread_barrier_t ready;

	(void)client;
	pthread_barrier_init(&ready, NULL, crew->n);
	/* The first is this one. */
	for (unsigned i = crew->n; i-- > 0;) {
		int err;

		h[i].crew = crew;
		h[i].run = run;
		h[i].ready = &ready;
		h[i].i = i;
		lat_clear(&h[i].samples.hist);
		if (!i)
			break;
		err = pthread_create(&h[i].thread, NULL, hand, &h[i]);
		/* Those that wait for it end with the process. */
		if (err)
			return run_fail(run, "pthread_create: %s",
					strerror(err));
	}
	h[0].conn = conn;
	hand(&h[0]);
	join(h, crew->n, out);
	pthread_barrier_destroy(&ready);
	free(h);
	return run_failed(run) ? PEER_FAILED : PEER_OK;
}

/* --------------------------------------------------------------- groups -- */

struct case_ {
	struct group g;
	const char *by;
	unsigned clients;
};

static int is_msg(const struct row *r)
{
	return r->peer == &peer_lines_msg;
}

/* The server has a CPU of its own, if there are two. Where there is none,
 * clients have all; that one comes last. */
static void place(struct placement *p, const struct row *r)
{
	unsigned n = place_cpus(), server = is_msg(r) && n > 1;

	memset(p, 0, sizeof(*p));
	p->name = n > 1 ? "cross-cpu" : "same-cpu";
	p->same_cpu = n == 1;
	p->nserver = 1;
	p->server[0] = place_cpu(0);
	p->nclient = n - server;
	for (unsigned i = 0; i < p->nclient; i++)
		p->client[i] = place_cpu((i + 1) % n);
}

static void add(struct case_ *c, const struct peer *peer, uint64_t lines,
		const char *mode)
{
	struct row *r = group_add(&c->g, peer);

	r->named = 1;
	r->cfg.variant = (int)lines;
	r->cfg.workers = 1;
	r->cfg.clients = strcmp(c->by, "threads") ? c->clients : 1;
	r->batch = peer->batch ? peer->batch : 1;
	if (!mode)
		return;
	r->mode = mode;
	r->cfg.mode = mode_number(mode);
	if (r->cfg.mode == SKYIPC_POLLING && place_cpus() < 2) {
		r->out.state = PEER_SKIPPED;
		snprintf(r->out.why, sizeof(r->out.why),
			 "a polling server needs a CPU of its own");
	}
}

static void add_rows(struct case_ *c)
{
	const struct options *o = c->g.o;

	for (size_t l = 0; l < o->lines.n; l++) {
		add(c, &peer_lines_shm, o->lines.v[l], NULL);
		add(c, &peer_lines_lock, o->lines.v[l], NULL);
		for (size_t m = 0; m < o->modes.n; m++)
			add(c, &peer_lines_msg, o->lines.v[l], o->modes.v[m]);
	}
}

static void measure(struct case_ *c)
{
	const struct options *o = c->g.o;
	int threads = !strcmp(c->by, "threads");

	for (unsigned round = 0; round < o->rounds; round++) {
		for (size_t i = 0; i < c->g.n && !run_interrupted(); i++) {
			struct row *r = &c->g.rows[i];
			struct placement p;
			struct crew crew = { .n = c->clients, .place = &p };
			struct work work = {
				.warm_up = 1000,
				.client = threads ? loop_threads : loop_closed,
				.limit_ns = (uint64_t)(o->seconds * 1e9) +
					    20000000000u,
			};

			if (r->out.state != PEER_OK)
				continue;
			progress("%u %s: round %u of %u, %s, %d lines",
				 c->clients, c->by, round + 1, o->rounds,
				 r->name, r->cfg.variant);
			crew.loop.calls = o->calls / o->rounds;
			crew.loop.ticks =
				clock_ns_to_ticks(o->seconds * 1e9 / o->rounds);
			crew.loop.batch = r->batch;
			work.arg = threads ? (void *)&crew : &crew.loop;
			place(&p, r);
			run_once(r->peer, &r->cfg, &p, &work, &r->out);
		}
	}
	progress(NULL);
}

/* --------------------------------------------------------------- report -- */

/* What a call takes a client, all others calling, too. */
static double call_ns(const struct case_ *c, const struct row *r)
{
	double rate = row_calls_per_s(r);

	return rate > 0 ? c->clients * 1e9 / rate : 0;
}

/* The server that writes as many lines. */
static const struct row *msg_of(const struct case_ *c, int lines)
{
	for (size_t i = 0; i < c->g.n; i++)
		if (is_msg(&c->g.rows[i]) && row_measured(&c->g.rows[i]) &&
		    c->g.rows[i].cfg.variant == lines)
			return &c->g.rows[i];
	return NULL;
}

static void json_row(const struct case_ *c, const struct row *r)
{
	struct json j;

	json_init(&j, report_json());
	json_open(&j, NULL, '{');
	json_str(&j, "bench", c->g.o->bench);
	json_str(&j, "name", r->name);
	json_str(&j, "mode", r->mode);
	json_u64(&j, "lines", (uint64_t)r->cfg.variant);
	json_str(&j, "by", c->by);
	json_u64(&j, "clients", c->clients);
	json_u64(&j, "rounds", r->out.rounds);
	json_u64(&j, "calls", r->out.calls);
	json_fixed(&j, "ns_per_call", call_ns(c, r));
	json_fixed(&j, "p50_ns", row_ns(r, 0.5));
	json_fixed(&j, "p99_ns", row_ns(r, 0.99));
	json_fixed(&j, "max_ns", row_ns(r, 2));
	json_fixed(&j, "calls_per_s", row_calls_per_s(r));
	json_fixed(&j, "cpu_ns_per_call", row_cpu_ns(r));
	json_u64(&j, "calls_per_stamp", r->batch);
	report_json_env(&j);
	json_end(&j);
}

static void table_row_of(struct table *t, const struct case_ *c,
			 const struct row *r)
{
	const struct row *msg = msg_of(c, r->cfg.variant);

	table_text(t, r->name);
	table_text(t, r->mode);
	table_cell(t, "%d", r->cfg.variant);
	table_ns(t, call_ns(c, r));
	table_ratio(t, call_ns(c, r), msg ? call_ns(c, msg) : 0);
	table_ns(t, row_ns(r, 0.5));
	table_ns(t, row_ns(r, 0.99));
	table_ns(t, row_ns(r, 2));
	table_rate(t, row_calls_per_s(r));
	table_ns(t, row_cpu_ns(r));
	table_row(t);
}

static int report(const struct case_ *c, struct lines *costs)
{
	static const char *const head[] = { "lines",   "a call",  "x msg",
					    "p50",     "p99",	  "max",
					    "calls/s", "CPU/call" };
	struct table *t = table_new();
	FILE *to = report_out();
	size_t n = 0;

	fprintf(to, "\nshm-vs-msg: %u client%s, %s, on %u CPU%s\n", c->clients,
		c->clients == 1 ? "" : "s", c->by, place_cpus(),
		place_cpus() == 1 ? "" : "s");
	table_text(t, "name");
	table_text(t, "waits");
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		table_cell(t, "%s", head[i]);
	table_row(t);
	for (size_t i = 0; i < c->g.n; i++) {
		const struct row *r = &c->g.rows[i];
		char name[64];

		if (!row_measured(r))
			continue;
		table_row_of(t, c, r);
		snprintf(name, sizeof(name), "%s%s%s %d", r->name,
			 is_msg(r) ? " " : "", is_msg(r) ? r->mode : "",
			 r->cfg.variant);
		lines_add(costs, name, c->clients, call_ns(c, r));
		if (report_json())
			json_row(c, r);
		n++;
	}
	table_print(t, to);
	report_flush();
	return !n | (group_complaints(&c->g) != 0);
}

/* By clients: a picture. */
static int several(const struct options *o, const char *by)
{
	char title[64], stem[64];
	struct lines costs = { .title = title,
			       .x = "clients",
			       .y = "ns of a call, as a client sees it" };
	int bad = 0;

	for (size_t i = 0; i < o->client_counts.n && !run_interrupted(); i++) {
		struct case_ c = {
			.g = { .o = o },
			.by = by,
			.clients = (unsigned)o->client_counts.v[i],
		};

		add_rows(&c);
		measure(&c);
		bad |= report(&c, &costs);
		group_free(&c.g);
	}
	snprintf(title, sizeof(title), "shm-vs-msg: clients are %s", by);
	snprintf(stem, sizeof(stem), "shm-vs-msg-%s", by);
	if (o->plot)
		bad |= lines_plot(&costs, o->plot, stem) != 0;
	free(costs.points);
	return bad;
}

int cmd_shm_vs_msg(const struct options *o)
{
	int bad = 0;

	report_meaning(
		o,
		"what it takes to add one to a number in each of some cache "
		"lines. shm: all\n"
		"            clients do, atomically; shm-lock: under a mutex; "
		"msg: one thread of a server\n"
		"            does, for clients that call it");
	for (size_t i = 0; i < o->by.n && !run_interrupted(); i++)
		bad |= several(o, o->by.v[i]);
	return bad;
}
