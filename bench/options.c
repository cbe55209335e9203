/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "peer.h"
#include "util.h"

#define USAGE 2

static const char help_text[] =
	"usage: skybench QUESTION [options]\n"
	"\n"
	"Questions\n"
	"  rtt         how long does a call take, there and back\n"
	"  async       how many calls per second with several outstanding\n"
	"  throughput  how many bytes per second, next to memcpy\n"
	"  idle        what does a server cost that nobody calls\n"
	"  openloop    how long do calls take that arrive at a fixed rate\n"
	"  kv          client, encryption server and key-value server\n"
	"\n"
	"What is measured\n"
	"  --transport NAME[,..]  of skyipc; none: without skyipc     (shm)\n"
	"  --mode MODE[,..]       adaptive, blocking, polling: how skyipc's\n"
	"                         server waits            (adaptive; idle: "
	"all)\n"
	"  --peer NAME[,..]       all, none, or of those below\n"
	"                                            (all; idle, openloop: "
	"none)\n"
	"  --placement P[,..]     same-cpu, cross-cpu             (cross-cpu; "
	"kv:\n"
	"                         both; same-cpu where there is but one)\n"
	"  --cpus A,B[,..]        use these CPUs: clients' first, then "
	"servers'\n"
	"  --size N[,..]          payload bytes each way; k, M, G     (8)\n"
	"  --clients N            client processes                    (1)\n"
	"  --workers N            of skyipc's server (as many as it has CPUs)\n"
	"  --depth N              async: outstanding calls of a client (32)\n"
	"  --rate N[,..]          openloop: calls per second, of each client\n"
	"                                                  "
	"(1000,10000,100000)\n"
	"  --gap US[,..]          rtt: the client computes so long between "
	"calls\n"
	"  --server-reads         throughput: the server loads a word of each\n"
	"                         page of a request it gets in place\n"
	"  --data PATH            kv: file or directory to store (texts in\n"
	"                         /usr/share/common-licenses and doc)\n"
	"\n"
	"How long\n"
	"  --calls N              of each row at most                 "
	"(1000000)\n"
	"  --seconds S            for each row at most            (1; idle: "
	"5)\n"
	"  --rounds N             rows take turns so many times       (5)\n"
	"\n"
	"Where it goes\n"
	"  --json FILE            one object for each row; - is standard "
	"output\n"
	"  --plot DIR             pictures, SVG and PNG; needs gnuplot\n"
	"  --help\n"
	"\n"
	"Exit status: 0; 1: something could not be measured; 2: wrong usage.\n"
	"\n"
	"Peers:";

static void help(void)
{
	int err;

	fputs(help_text, stdout);
	for (int i = 0; peers[i]; i++)
		printf("%s%s", i % 5 ? ", " : "\n  ", peers[i]->name);
	putchar('\n');
	for (unsigned i = 0; peer_not_built_name(i); i++)
		printf("  %s: %s\n", peer_not_built_name(i),
		       peer_not_built(peer_not_built_name(i)));
	err = flush_error(stdout);
	if (err)
		dief(1, "standard output: %s", strerror(err));
	exit(0);
}

static void split(struct str_list *l, const char *opt, const char *arg)
{
	char *copy = strdup(arg), *at = copy;

	if (!copy)
		dief(1, "out of memory");
	if (l->v)
		free(l->v[0]);
	free(l->v);
	l->n = 0;
	l->v = xcalloc(strlen(arg) + 1, sizeof(char *));
	while (at) {
		char *word = strsep(&at, ",");

		if (!*word)
			dief(USAGE, "%s: '%s': an empty name", opt, arg);
		for (size_t i = 0; i < l->n; i++)
			if (!strcmp(l->v[i], word))
				dief(USAGE, "%s: %s is there twice", opt, word);
		l->v[l->n++] = word;
	}
}

static uint64_t number(const char *opt, const char *arg, uint64_t min,
		       uint64_t max)
{
	unsigned long long n;
	unsigned shift = 0;
	char *end;

	errno = 0;
	n = strtoull(arg, &end, 10);
	if (*end == 'k' || *end == 'K')
		shift = 10;
	else if (*end == 'M')
		shift = 20;
	else if (*end == 'G')
		shift = 30;
	end += shift != 0;
	if (end == arg || *end || *arg < '0' || *arg > '9')
		dief(USAGE, "%s: '%s' is not a number", opt, arg);
	if (errno || n > UINT64_MAX >> shift || n << shift < min ||
	    n << shift > max)
		dief(USAGE, "%s: %s is not between %llu and %llu", opt, arg,
		     (unsigned long long)min, (unsigned long long)max);
	return n << shift;
}

static void numbers(struct num_list *l, const char *opt, const char *arg,
		    uint64_t min, uint64_t max)
{
	struct str_list words = { NULL, 0 };

	free(l->v);
	split(&words, opt, arg);
	l->n = words.n;
	l->v = xcalloc(words.n, sizeof(*l->v));
	for (size_t i = 0; i < words.n; i++)
		l->v[i] = number(opt, words.v[i], min, max);
	free(words.v[0]);
	free(words.v);
}

static double seconds(const char *opt, const char *arg)
{
	char *end;
	double s = strtod(arg, &end);

	if (end == arg || *end || isnan(s))
		dief(USAGE, "%s: '%s' is not a time in seconds", opt, arg);
	/* Any shorter, and a round would be no time at all. */
	if (s < 0.001 || s > 86400)
		dief(USAGE, "%s: %s is not between 0.001 and 86400", opt, arg);
	return s;
}

static void check_words(const struct str_list *l, const char *opt,
			const char *const *known)
{
	for (size_t i = 0; i < l->n; i++) {
		int k = 0;

		while (known[k] && strcmp(known[k], l->v[i]))
			k++;
		if (!known[k])
			dief(USAGE, "%s: %s is not known (see --help)", opt,
			     l->v[i]);
	}
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
		if (!peer_find(o->peers.v[i]) && !peer_not_built(o->peers.v[i]))
			dief(USAGE, "--peer: %s is not known (see --help)",
			     o->peers.v[i]);
}

static void defaults(struct options *o, const char *bench)
{
	int idle = !strcmp(bench, "idle"), open = !strcmp(bench, "openloop");
	int bytes = !strcmp(bench, "throughput");

	memset(o, 0, sizeof(*o));
	o->bench = bench;
	split(&o->transports, "", "shm");
	split(&o->modes, "", idle ? "adaptive,blocking,polling" : "adaptive");
	split(&o->peers, "", idle || open ? "none" : "all");
	split(&o->placements, "",
	      !strcmp(bench, "kv") ? "same-cpu,cross-cpu" : "cross-cpu");
	numbers(&o->sizes, "",
		bytes		       ? "4k,16k,64k,256k,1M,4M"
		: !strcmp(bench, "kv") ? "4k"
				       : "8",
		1, UINT64_MAX);
	numbers(&o->rates, "", "1000,10000,100000", 1, UINT64_MAX);
	numbers(&o->gaps, "", "0", 0, 0);
	o->calls = 1000000;
	o->seconds = idle ? 5 : 1;
	o->clients = 1;
	o->depth = 32;
	o->rounds = idle ? 1 : 5;
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
	{ "help", 0, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/*
 * An option the question has no use for would be believed to have been
 * measured.
 */
static void check_used(const char *bench, int opt, const char *name)
{
	static const struct {
		int opt;
		const char *bench;
	} only[] = {
		{ OPT_DEPTH, "async" },	     { OPT_RATE, "openloop" },
		{ OPT_GAP, "rtt" },	     { OPT_DATA, "kv" },
		{ OPT_READS, "throughput" },
	};

	for (size_t i = 0; i < sizeof(only) / sizeof(only[0]); i++)
		if (only[i].opt == opt && strcmp(only[i].bench, bench))
			dief(USAGE, "%s: only %s uses it", name, only[i].bench);
	if (opt == OPT_PLOT && !strcmp(bench, "idle"))
		dief(USAGE, "--plot: idle measures no latency to draw");
}

static void one_option(struct options *o, int opt, const char *name)
{
	static const char *const modes[] = { "adaptive", "blocking", "polling",
					     NULL };
	static const char *const places[] = { "same-cpu", "cross-cpu", NULL };

	switch (opt) {
	case OPT_TRANSPORT:
		split(&o->transports, name, optarg);
		break;
	case OPT_MODE:
		split(&o->modes, name, optarg);
		check_words(&o->modes, name, modes);
		break;
	case OPT_PEER:
		split(&o->peers, name, optarg);
		break;
	case OPT_PLACEMENT:
		split(&o->placements, name, optarg);
		check_words(&o->placements, name, places);
		o->placements_named = 1;
		break;
	case OPT_SIZE:
		numbers(&o->sizes, name, optarg, 1, UINT64_C(1) << 30);
		break;
	case OPT_RATE:
		numbers(&o->rates, name, optarg, 1, 1000000000);
		break;
	case OPT_GAP:
		numbers(&o->gaps, name, optarg, 0, 10000000);
		break;
	case OPT_CALLS:
		o->calls = number(name, optarg, 1, UINT64_C(1) << 40);
		break;
	case OPT_SECONDS:
		o->seconds = seconds(name, optarg);
		break;
	case OPT_CLIENTS:
		o->clients = (unsigned)number(name, optarg, 1, 4096);
		break;
	case OPT_WORKERS:
		o->workers = (unsigned)number(name, optarg, 1, 4096);
		break;
	case OPT_DEPTH:
		o->depth = (unsigned)number(name, optarg, 1, 4096);
		break;
	case OPT_ROUNDS:
		o->rounds = (unsigned)number(name, optarg, 1, 10000);
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
		help();
		break;
	default: /* getopt has said what is wrong */
		exit(USAGE);
	}
}

void options_read(struct options *o, int argc, char **argv)
{
	int opt, which = 0;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
			 !strcmp(argv[1], "help")))
		help();
	if (argc < 2 || argv[1][0] == '-')
		dief(USAGE, "which question? (rtt, async, throughput, idle, "
			    "openloop, kv; see --help)");
	defaults(o, argv[1]);
	argv[1] = argv[0];
	argc--;
	argv++;
	while ((opt = getopt_long(argc, argv, "", long_options, &which)) !=
	       -1) {
		char name[32];

		snprintf(name, sizeof(name), "--%s", long_options[which].name);
		if (opt != '?')
			check_used(o->bench, opt, name);
		one_option(o, opt, name);
	}
	if (optind < argc)
		dief(USAGE, "%s: not an option (see --help)", argv[optind]);
	check_peers(o);
	if (o->transports.n == 1 && !strcmp(o->transports.v[0], "none"))
		o->transports.n = 0;
	if (!o->transports.n && !o->peers.n)
		dief(USAGE, "--transport none --peer none: nothing is left");
	if (o->rounds > o->calls)
		dief(USAGE, "--rounds: more than --calls");
}
