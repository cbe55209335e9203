/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nr_peer.h"
#include "options.h"
#include "peer.h"
#include "util.h"

static const struct {
	const char *name;
	unsigned question;
} questions[] = {
	{ "rtt", Q_RTT },
	{ "async", Q_ASYNC },
	{ "throughput", Q_THROUGHPUT },
	{ "idle", Q_IDLE },
	{ "openloop", Q_OPENLOOP },
	{ "kv", Q_KV },
	{ "nr", Q_NR },
	{ "vspace", Q_NR }, /* of that structure */
	{ "shm-vs-msg", Q_SHM_VS_MSG },
};

#define NQUESTIONS (sizeof(questions) / sizeof(questions[0]))

static const char *question_name(unsigned question)
{
	for (size_t i = 0; i < NQUESTIONS; i++)
		if (questions[i].question == question)
			return questions[i].name;
	return NULL;
}

static unsigned question_of(const char *name)
{
	for (size_t i = 0; i < NQUESTIONS; i++)
		if (!strcmp(questions[i].name, name))
			return questions[i].question;
	dief(ARGS_USAGE, "%s: no such question (see --help)", name);
}

static int peer_known(const struct options *o, const char *name)
{
	if (o->question == Q_NR)
		return nr_peer_known(name) || nr_peer_missing(name);
	return peer_find(name) || peer_not_built(name);
}

static void check_peers(struct options *o)
{
	const char *first = o->peers.v[0];

	if (o->peers.n == 1 && !strcmp(first, "none")) {
		o->peers.n = 0;
		return;
	}
	if (o->peers.n == 1 && !strcmp(first, "all"))
		return;
	o->peers_named = 1;
	for (size_t i = 0; i < o->peers.n; i++)
		if (!peer_known(o, o->peers.v[i]))
			dief(ARGS_USAGE, "--peer: %s is not known (see --help)",
			     o->peers.v[i]);
}

static void defaults_nr(struct options *o)
{
	args_split(&o->structures, "",
		   strcmp(o->bench, "vspace") ? "map" : "vspace");
	args_split(&o->skews, "", "uniform");
	args_numbers(&o->writes, "", "0,1,10,50,100", 0, 100);
	o->entries = 1000000;
	o->warm_up = 0.1;
	o->sample = 16;
	args_numbers(&o->client_counts, "", "1,2,4,8", 1, UINT64_MAX);
	args_numbers(&o->lines, "", "1,2,4,8", 1, UINT64_MAX);
	args_split(&o->by, "", "threads,processes");
}

static void defaults(struct options *o, const char *bench)
{
	unsigned q = question_of(bench);

	memset(o, 0, sizeof(*o));
	o->bench = bench;
	o->question = q;
	args_split(&o->transports, "", "shm");
	args_split(&o->modes, "",
		   q == Q_IDLE ? "adaptive,blocking,polling" : "adaptive");
	args_split(&o->peers, "", q & (Q_IDLE | Q_OPENLOOP) ? "none" : "all");
	args_split(&o->placements, "",
		   q == Q_KV ? "same-cpu,cross-cpu" : "cross-cpu");
	args_numbers(&o->sizes, "",
		     q == Q_THROUGHPUT ? "4k,16k,64k,256k,1M,4M"
		     : q == Q_KV       ? "4k"
				       : "8",
		     1, UINT64_MAX);
	args_numbers(&o->rates, "", "1000,10000,100000", 1, UINT64_MAX);
	args_numbers(&o->gaps, "", "0", 0, 0);
	o->calls = 1000000;
	o->seconds = q == Q_IDLE ? 5 : 1;
	o->clients = 1;
	o->depth = 32;
	o->rounds = q == Q_IDLE ? 1 : 5;
	defaults_nr(o);
}

enum {
	OPT_TRANSPORT = 256,
	OPT_MODE,
	OPT_PEER,
	OPT_SIZE,
	OPT_PLACEMENT,
	OPT_CPUS,
	OPT_CALLS,
	OPT_SECONDS,
	OPT_CLIENTS,
	OPT_WORKERS,
	OPT_DEPTH,
	OPT_ROUNDS,
	OPT_RATE,
	OPT_GAP,
	OPT_READS,
	OPT_JSON,
	OPT_PLOT,
	OPT_DATA,
	OPT_STRUCTURE,
	OPT_THREADS,
	OPT_WRITES,
	OPT_SKEW,
	OPT_ENTRIES,
	OPT_TOPOLOGY,
	OPT_WARM_UP,
	OPT_SAMPLE,
	OPT_LONGEST,
	OPT_LINES,
	OPT_BY,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "transport", 1, NULL, OPT_TRANSPORT },
	{ "mode", 1, NULL, OPT_MODE },
	{ "peer", 1, NULL, OPT_PEER },
	{ "size", 1, NULL, OPT_SIZE },
	{ "placement", 1, NULL, OPT_PLACEMENT },
	{ "cpus", 1, NULL, OPT_CPUS },
	{ "calls", 1, NULL, OPT_CALLS },
	{ "seconds", 1, NULL, OPT_SECONDS },
	{ "clients", 1, NULL, OPT_CLIENTS },
	{ "workers", 1, NULL, OPT_WORKERS },
	{ "depth", 1, NULL, OPT_DEPTH },
	{ "rounds", 1, NULL, OPT_ROUNDS },
	{ "rate", 1, NULL, OPT_RATE },
	{ "gap", 1, NULL, OPT_GAP },
	{ "server-reads", 0, NULL, OPT_READS },
	{ "json", 1, NULL, OPT_JSON },
	{ "plot", 1, NULL, OPT_PLOT },
	{ "data", 1, NULL, OPT_DATA },
	{ "structure", 1, NULL, OPT_STRUCTURE },
	{ "threads", 1, NULL, OPT_THREADS },
	{ "writes", 1, NULL, OPT_WRITES },
	{ "skew", 1, NULL, OPT_SKEW },
	{ "entries", 1, NULL, OPT_ENTRIES },
	{ "topology", 1, NULL, OPT_TOPOLOGY },
	{ "warm-up", 1, NULL, OPT_WARM_UP },
	{ "sample", 1, NULL, OPT_SAMPLE },
	{ "longest", 1, NULL, OPT_LONGEST },
	{ "lines", 1, NULL, OPT_LINES },
	{ "by", 1, NULL, OPT_BY },
	{ "help", 0, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/*
 * An option the question has no use for would be believed to have been
 * measured.
 */
static void check_used(const struct options *o, int opt, const char *name)
{
	static const struct {
		int opt;
		unsigned questions;
	} of[] = {
		{ OPT_TRANSPORT, Q_CALLS },
		{ OPT_MODE, Q_CALLS | Q_SHM_VS_MSG },
		{ OPT_PEER, Q_CALLS | Q_NR },
		{ OPT_SIZE, Q_CALLS },
		{ OPT_PLACEMENT, Q_CALLS },
		{ OPT_CALLS, Q_CALLS | Q_SHM_VS_MSG },
		{ OPT_CLIENTS, Q_CALLS | Q_SHM_VS_MSG },
		{ OPT_WORKERS, Q_CALLS },
		{ OPT_DEPTH, Q_ASYNC },
		{ OPT_RATE, Q_OPENLOOP },
		{ OPT_GAP, Q_RTT },
		{ OPT_DATA, Q_KV },
		{ OPT_READS, Q_THROUGHPUT },
		{ OPT_STRUCTURE, Q_NR },
		{ OPT_THREADS, Q_NR },
		{ OPT_WRITES, Q_NR },
		{ OPT_SKEW, Q_NR },
		{ OPT_ENTRIES, Q_NR },
		{ OPT_TOPOLOGY, Q_NR },
		{ OPT_WARM_UP, Q_NR },
		{ OPT_SAMPLE, Q_NR },
		{ OPT_LONGEST, Q_NR },
		{ OPT_LINES, Q_SHM_VS_MSG },
		{ OPT_BY, Q_SHM_VS_MSG },
	};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		if (of[i].opt != opt || (of[i].questions & o->question))
			continue;
		if (question_name(of[i].questions))
			dief(ARGS_USAGE, "%s: only %s uses it", name,
			     question_name(of[i].questions));
		dief(ARGS_USAGE, "%s: %s does not use it", name, o->bench);
	}
	if (opt == OPT_PLOT && o->question == Q_IDLE)
		dief(ARGS_USAGE, "--plot: idle measures no latency to draw");
}

static void add_topology(struct options *o, const char *spec)
{
	const char **more =
		realloc(o->topologies, (o->ntopologies + 1) * sizeof(*more));

	if (!more)
		dief(1, "out of memory");
	o->topologies = more;
	o->topologies[o->ntopologies++] = spec;
}

static void nr_option(struct options *o, int opt, const char *name)
{
	static const char *const structures[] = { "map", "omap", "queue",
						  "vspace", NULL };
	static const char *const skews[] = { "uniform", "zipf", NULL };
	static const char *const by[] = { "threads", "processes", NULL };

	switch (opt) {
	case OPT_STRUCTURE:
		args_split(&o->structures, name, optarg);
		args_known(&o->structures, name, structures);
		break;
	case OPT_THREADS:
		args_numbers(&o->threads, name, optarg, 1, 4096);
		break;
	case OPT_WRITES:
		args_numbers(&o->writes, name, optarg, 0, 100);
		break;
	case OPT_SKEW:
		args_split(&o->skews, name, optarg);
		args_known(&o->skews, name, skews);
		break;
	case OPT_ENTRIES:
		o->entries = args_number(name, optarg, 1, UINT64_C(1) << 30);
		break;
	case OPT_TOPOLOGY:
		add_topology(o, optarg);
		break;
	case OPT_WARM_UP:
		o->warm_up = args_seconds(name, optarg);
		break;
	case OPT_SAMPLE:
		o->sample = (unsigned)args_number(name, optarg, 1, 1 << 30);
		break;
	case OPT_LONGEST:
		o->longest_ms = args_milliseconds(name, optarg);
		break;
	case OPT_LINES:
		args_numbers(&o->lines, name, optarg, 1, 1024);
		break;
	case OPT_BY:
		args_split(&o->by, name, optarg);
		args_known(&o->by, name, by);
		break;
	default: /* getopt has said what is wrong */
		exit(ARGS_USAGE);
	}
}

static void one_option(struct options *o, int opt, const char *name)
{
	static const char *const modes[] = { "adaptive", "blocking", "polling",
					     NULL };
	static const char *const places[] = { "same-cpu", "cross-cpu", NULL };

	switch (opt) {
	case OPT_TRANSPORT:
		args_split(&o->transports, name, optarg);
		break;
	case OPT_MODE:
		args_split(&o->modes, name, optarg);
		args_known(&o->modes, name, modes);
		break;
	case OPT_PEER:
		args_split(&o->peers, name, optarg);
		break;
	case OPT_PLACEMENT:
		args_split(&o->placements, name, optarg);
		args_known(&o->placements, name, places);
		o->placements_named = 1;
		break;
	case OPT_SIZE:
		args_numbers(&o->sizes, name, optarg, 1, UINT64_C(1) << 30);
		break;
	case OPT_RATE:
		args_numbers(&o->rates, name, optarg, 1, 1000000000);
		break;
	case OPT_GAP:
		args_numbers(&o->gaps, name, optarg, 0, 10000000);
		break;
	case OPT_CALLS:
		o->calls = args_number(name, optarg, 1, UINT64_C(1) << 40);
		break;
	case OPT_SECONDS:
		o->seconds = args_seconds(name, optarg);
		break;
	case OPT_CLIENTS:
		if (o->question == Q_SHM_VS_MSG)
			args_numbers(&o->client_counts, name, optarg, 1, 4096);
		else
			o->clients =
				(unsigned)args_number(name, optarg, 1, 4096);
		break;
	case OPT_WORKERS:
		o->workers = (unsigned)args_number(name, optarg, 1, 4096);
		break;
	case OPT_DEPTH:
		o->depth = (unsigned)args_number(name, optarg, 1, 4096);
		break;
	case OPT_ROUNDS:
		o->rounds = (unsigned)args_number(name, optarg, 1, 10000);
		break;
	case OPT_READS:
		o->server_reads = 1;
		break;
	case OPT_CPUS:
		o->cpus = optarg;
		break;
	case OPT_JSON:
		o->json = optarg;
		break;
	case OPT_PLOT:
		o->plot = optarg;
		break;
	case OPT_DATA:
		o->data = optarg;
		break;
	case OPT_HELP:
		options_help();
	default:
		nr_option(o, opt, name);
	}
}

/*
 * --longest asks one thing, which has values of its own for what is not said:
 * so it is read before all others.
 */
static void longest_defaults(struct options *o, int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (opt == OPT_LONGEST)
			break;
	opterr = 1;
	optind = 0; /* from the start again */
	if (opt != OPT_LONGEST)
		return;
	args_numbers(&o->threads, "", "8", 1, UINT64_MAX);
	args_numbers(&o->writes, "", "100", 0, 100);
	args_split(&o->peers, "", "none");
	o->seconds = 60;
	o->rounds = 1;
	o->sample = 1;
}

void options_read(struct options *o, int argc, char **argv)
{
	int opt, which = 0;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
			 !strcmp(argv[1], "help")))
		options_help();
	if (argc < 2 || argv[1][0] == '-')
		dief(ARGS_USAGE,
		     "which question? (rtt, async, throughput, idle, "
		     "openloop, kv, nr, vspace, shm-vs-msg; see --help)");
	defaults(o, argv[1]);
	argv[1] = argv[0];
	argc--;
	argv++;
	if (o->question == Q_NR)
		longest_defaults(o, argc, argv);
	while ((opt = getopt_long(argc, argv, "", long_options, &which)) !=
	       -1) {
		char name[32];

		snprintf(name, sizeof(name), "--%s", long_options[which].name);
		if (opt != '?')
			check_used(o, opt, name);
		one_option(o, opt, name);
	}
	if (optind < argc)
		dief(ARGS_USAGE, "%s: not an option (see --help)",
		     argv[optind]);
	check_peers(o);
	if (!o->ntopologies)
		add_topology(o, NULL);
	if (o->longest_ms > 0 && o->sample != 1)
		dief(ARGS_USAGE, "--longest: times every operation, --sample "
				 "would miss some");
	if (o->transports.n == 1 && !strcmp(o->transports.v[0], "none"))
		o->transports.n = 0;
	if (!o->transports.n && !o->peers.n)
		dief(ARGS_USAGE,
		     "--transport none --peer none: nothing is left");
	if (o->rounds > o->calls)
		dief(ARGS_USAGE, "--rounds: more than --calls");
}
