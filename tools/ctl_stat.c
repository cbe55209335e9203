/* SPDX-License-Identifier: MIT */
/*
 * skyctl stat: the counters of one server and of each of its connections,
 * once, or again and again with what happened in between.
 */
#include "ctl.h"
#include "json.h"
#include "stat_views.h"
#include "text.h"

#include <skyipc.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct sample {
	uint64_t at_ns;
	struct skyipc_server_info info;
	struct skyipc_conn_info *conns;
	size_t nconns;
};

struct options {
	const char *name;
	bool json;
	bool watch;
	uint64_t period_ns;
	uint64_t timeout_ns;
	unsigned long count; /* samples to show, 0: no end */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void wait_until(uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) ==
	       EINTR)
		;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct skyipc_conn_info *)a)->id;
	uint64_t y = ((const struct skyipc_conn_info *)b)->id;

	return (x > y) - (x < y);
}

static int take(const struct options *o, struct sample *s)
{
	int err;

	memset(s, 0, sizeof(*s));
	s->info.size = sizeof(s->info);
	err = skyipc_query(o->name, &s->info, &s->conns, &s->nconns,
			   o->timeout_ns);
	s->at_ns = now_ns();
	if (err) {
		s->conns = NULL;
		s->nconns = 0;
	}
	/* the oldest first, and find_conn() relies on it */
	if (s->nconns)
		qsort(s->conns, s->nconns, sizeof(*s->conns), by_id);
	return err;
}

/* What a counter gained. A server is not trusted to count only upwards. */
static uint64_t gain(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

/* The latencies of the time between two samples. */
static struct skyipc_hist hist_gain(const struct skyipc_hist *now,
				    const struct skyipc_hist *before)
{
	struct skyipc_hist h = { .max_ns = now->max_ns };

	for (unsigned i = 0; i < SKYIPC_HIST_BUCKETS; i++) {
		h.bucket[i] = gain(now->bucket[i], before->bucket[i]);
		h.count += h.bucket[i];
	}
	/* The largest ever says little about now; the top bucket's bound does
	 */
	if (before->count)
		h.max_ns = skyipc_hist_quantile(&h, 1.0);
	return h;
}

/* One row, of the server or of a connection. */
struct row {
	const struct skyipc_stats *now;
	struct skyipc_hist hist;
	bool rated; /* there was a sample before */
	double rate;
};

static struct row make_row(const struct skyipc_stats *now,
			   const struct skyipc_stats *before, uint64_t ns)
{
	struct row r = { .now = now, .hist = now->latency };

	if (before && ns) {
		r.rated = true;
		r.rate = (double)gain(now->calls, before->calls) * 1e9 /
			 (double)ns;
		r.hist = hist_gain(&now->latency, &before->latency);
	}
	return r;
}

/*
 * The connection with the same number in the sample before. How many there
 * are, and with what numbers, is the server's word: it must not cost more than
 * a search in a sorted list.
 */
static const struct skyipc_stats *find_conn(const struct sample *s, uint64_t id)
{
	const struct skyipc_conn_info want = { .id = id }, *c = NULL;

	if (s && s->nconns)
		c = bsearch(&want, s->conns, s->nconns, sizeof(want), by_id);
	return c ? &c->stats : NULL;
}

/* Where no call was timed there is no latency, rather than one of 0. */
static struct text text_latency(const struct row *r, double q)
{
	return r->hist.count ? text_ns(skyipc_hist_quantile(&r->hist, q))
			     : (struct text){ "-" };
}

static void print_row(const struct options *o, const char *who,
		      const struct row *r, const char *transport)
{
	const struct skyipc_stats *s = r->now;

	printf("%-28.28s %7s", who, text_count(s->calls).s);
	if (o->watch)
		printf(" %7s", r->rated
				       ? text_count((uint64_t)(r->rate + 0.5)).s
				       : "-");
	printf(" %6s %6s %6s %7s %7s %7s %7s %7s %6s %s\n",
	       text_count(s->errors).s, text_bytes(s->bytes_in).s,
	       text_bytes(s->bytes_out).s, text_latency(r, 0.5).s,
	       text_latency(r, 0.99).s,
	       r->hist.count ? text_ns(r->hist.max_ns).s : "-",
	       text_count(s->spins).s, text_count(s->parks).s,
	       text_bytes(s->mem).s, transport);
}

static bool by_views(const struct skyipc_conn_info *c)
{
	return !strncmp(c->transport, "vmfunc", sizeof(c->transport));
}

/*
 * Calls by VMFUNC, and what is to be said about them: of the time in between,
 * if there was a sample before. Only of connections that are made so; others of
 * the server's would be said not to begin in views.
 */
static void print_views(const struct sample *s, const struct sample *before,
			const char *name)
{
	struct skyipc_views all = s->info.stats.views;
	const char *advice;
	uint64_t calls = 0;
	char line[512];

	if (!all.calls && !views_moved(&all))
		return;
	views_print_head();
	views_print_row("server", &all);
	for (size_t i = 0; i < s->nconns; i++) {
		const struct skyipc_conn_info *c = &s->conns[i];
		const struct skyipc_stats *was = find_conn(before, c->id);
		char who[64];

		if (!by_views(c))
			continue;
		calls += gain(c->stats.calls, was ? was->calls : 0);
		snprintf(who, sizeof(who), "pid %d (%s)", (int)c->peer.pid,
			 text_comm(c->peer.pid).s);
		views_print_row(who, &c->stats.views);
	}
	if (before)
		all = views_gain(&all, &before->info.stats.views);
	for (unsigned i = 0;
	     views_finding(i, &all, calls, name, line, sizeof(line), &advice);
	     i++)
		printf("%s\n  -> %s\n", line, advice);
}

static void print_sample(const struct options *o, const struct sample *s,
			 const struct sample *before)
{
	uint64_t ns = before ? s->at_ns - before->at_ns : 0;
	const struct skyipc_server_info *info = &s->info;
	char name[4 * sizeof(info->name) + 1], comm[4 * sizeof(info->comm) + 1];
	size_t len;
	const char *plain;
	struct row r;

	if (o->watch && isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	plain = text_plain_name(info->name, sizeof(info->name), &len);
	printf("%s: pid %d (%s), user %s, up %s, %s, workers %u, threads %u\n",
	       safe(name, sizeof(name), plain, len), (int)info->pid,
	       safe(comm, sizeof(comm), info->comm, sizeof(info->comm)),
	       text_user(info->uid).s, text_uptime(info->uptime_ns).s,
	       text_mode(info->mode), info->workers, info->threads);
	printf("connections: %s now, %s ever, %s refused\n",
	       text_count(info->stats.conns).s,
	       text_count(info->stats.conns_total).s,
	       text_count(info->stats.refused).s);
	printf("%-28s %7s", "", "CALLS");
	if (o->watch)
		printf(" %7s", "CALLS/S");
	printf(" %6s %6s %6s %7s %7s %7s %7s %7s %6s %s\n", "ERRORS", "IN",
	       "OUT", "P50", "P99", "MAX", "SPINS", "PARKS", "MEM", "VIA");

	r = make_row(&info->stats, before ? &before->info.stats : NULL, ns);
	print_row(o, "server", &r, "-");
	for (size_t i = 0; i < s->nconns; i++) {
		const struct skyipc_conn_info *c = &s->conns[i];
		char who[64], transport[4 * sizeof(c->transport) + 1];

		r = make_row(&c->stats, find_conn(before, c->id), ns);
		snprintf(who, sizeof(who), "pid %d (%s)", (int)c->peer.pid,
			 text_comm(c->peer.pid).s);
		print_row(o, who, &r,
			  safe(transport, sizeof(transport), c->transport,
			       sizeof(c->transport)));
	}
	print_views(s, before, name);
}

static void json_row(struct json *j, const struct row *r)
{
	const struct skyipc_stats *s = r->now;

	json_u64(j, "calls", s->calls);
	if (r->rated)
		json_fixed(j, "calls_per_s", r->rate);
	json_u64(j, "errors", s->errors);
	json_u64(j, "bytes_in", s->bytes_in);
	json_u64(j, "bytes_out", s->bytes_out);
	json_u64(j, "fds_in", s->fds_in);
	json_u64(j, "fds_out", s->fds_out);
	json_u64(j, "spins", s->spins);
	json_u64(j, "parks", s->parks);
	json_u64(j, "wakes", s->wakes);
	json_u64(j, "mem", s->mem);
	json_open(j, "latency_ns", '{');
	json_u64(j, "timed", r->hist.count);
	json_u64(j, "p50", skyipc_hist_quantile(&r->hist, 0.5));
	json_u64(j, "p90", skyipc_hist_quantile(&r->hist, 0.9));
	json_u64(j, "p99", skyipc_hist_quantile(&r->hist, 0.99));
	json_u64(j, "p999", skyipc_hist_quantile(&r->hist, 0.999));
	json_u64(j, "max", r->hist.max_ns);
	json_close(j);
	views_json(j, &s->views);
}

static void json_sample(const struct sample *s, const struct sample *before)
{
	uint64_t ns = before ? s->at_ns - before->at_ns : 0;
	const struct skyipc_server_info *info = &s->info;
	size_t len;
	const char *plain;
	struct json j;
	struct row r;

	json_init(&j, stdout);
	json_open(&j, NULL, '{');
	plain = text_plain_name(info->name, sizeof(info->name), &len);
	json_strn(&j, "name", plain, len);
	json_i64(&j, "pid", info->pid);
	json_u64(&j, "uid", info->uid);
	json_strn(&j, "comm", info->comm, sizeof(info->comm));
	json_str(&j, "mode", text_mode(info->mode));
	json_u64(&j, "workers", info->workers);
	json_u64(&j, "threads", info->threads);
	json_u64(&j, "uptime_ns", info->uptime_ns);
	if (before)
		json_u64(&j, "interval_ns", ns);
	json_u64(&j, "conns", info->stats.conns);
	json_u64(&j, "conns_total", info->stats.conns_total);
	json_u64(&j, "refused", info->stats.refused);
	r = make_row(&info->stats, before ? &before->info.stats : NULL, ns);
	json_row(&j, &r);
	json_open(&j, "clients", '[');
	for (size_t i = 0; i < s->nconns; i++) {
		const struct skyipc_conn_info *c = &s->conns[i];

		json_open(&j, NULL, '{');
		json_u64(&j, "id", c->id);
		json_i64(&j, "pid", c->peer.pid);
		json_u64(&j, "uid", c->peer.uid);
		json_u64(&j, "gid", c->peer.gid);
		json_strn(&j, "transport", c->transport, sizeof(c->transport));
		json_u64(&j, "channels", c->stats.conns);
		r = make_row(&c->stats, find_conn(before, c->id), ns);
		json_row(&j, &r);
		json_close(&j);
	}
	json_end(&j);
}

static void show(const struct options *o, const struct sample *s,
		 const struct sample *before)
{
	/* Another server under the same name has nothing to do with before. */
	if (before && (before->info.pid != s->info.pid ||
		       before->info.uptime_ns > s->info.uptime_ns))
		before = NULL;
	if (o->json)
		json_sample(s, before);
	else
		print_sample(o, s, before);
}

static int stat_loop(const struct options *o)
{
	struct sample last = { 0 }, s;
	uint64_t next = now_ns();
	unsigned long shown = 0;
	int err;

	for (;;) {
		err = take(o, &s);
		if (err)
			break;
		show(o, &s, shown ? &last : NULL);
		free(last.conns);
		last = s;
		shown++;
		if (fflush(stdout) || !o->watch || shown == o->count)
			break;
		next += o->period_ns;
		/* a slow answer must not be made up for by a burst */
		if (next < s.at_ns)
			next = s.at_ns;
		wait_until(next);
	}
	free(last.conns);
	return err ? ctl_error(o->name, err) : EXIT_OK;
}

static int bad_value(const char *option)
{
	fprintf(stderr, "skyctl: %s: not a usable value\n", option);
	return ctl_usage();
}

int ctl_stat(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "timeout", required_argument, NULL, 't' },
		{ "watch", optional_argument, NULL, 'w' },
		{ "count", required_argument, NULL, 'c' },
		{ 0 },
	};
	struct options o = { .period_ns = SKYIPC_SEC(1),
			     .timeout_ns = SKYIPC_SEC(5) };
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			o.json = true;
			break;
		case 't':
			if (!parse_seconds(optarg, &o.timeout_ns))
				return bad_value("--timeout");
			break;
		case 'w':
			o.watch = true;
			if (optarg && !parse_seconds(optarg, &o.period_ns))
				return bad_value("--watch");
			/* "--watch 2" too, which getopt knows only with '=' */
			if (!optarg && optind < argc &&
			    parse_seconds(argv[optind], &o.period_ns))
				optind++;
			break;
		case 'c':
			if (!parse_count(optarg, &o.count))
				return bad_value("--count");
			break;
		default:
			return ctl_usage();
		}
	}
	if (optind != argc - 1) {
		fputs(optind < argc ? "skyctl: stat takes one name\n"
				    : "skyctl: stat of which server?\n",
		      stderr);
		return ctl_usage();
	}
	o.name = argv[optind];
	return stat_loop(&o);
}
