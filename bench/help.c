/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nr_peer.h"
#include "options.h"
#include "peer.h"
#include "util.h"

static const char questions[] =
	"usage: skybench QUESTION [options]\n"
	"\n"
	"Questions\n"
	"  rtt         how long does a call take, there and back\n"
	"  async       how many calls per second with several outstanding\n"
	"  throughput  how many bytes per second, next to memcpy\n"
	"  idle        what does a server cost that nobody calls\n"
	"  openloop    how long do calls take that arrive at a fixed rate\n"
	"  kv          client, encryption server and key-value server\n"
	"  nr          a structure that threads share: libnr, beside others\n"
	"  vspace      nr, of an address space\n"
	"  shm-vs-msg  lines that all write, or a server that writes them\n"
	"\n";

static const char what[] =
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
	"                         shm-vs-msg: N[,..]          (1,2,4,8)\n"
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
	"nr\n"
	"  --structure S[,..]     map, omap, queue, vspace            (map)\n"
	"  --threads N[,..]       (powers of two up to the number of CPUs)\n"
	"  --writes PERCENT[,..]  of the operations that are updates\n"
	"                                                  (0,1,10,50,100)\n"
	"  --skew K[,..]          uniform, zipf: which keys       (uniform)\n"
	"  --entries N            that it starts with             (1000000)\n"
	"  --topology SPEC        places of libnr's replicas, as 2x1; more\n"
	"                         than once: a row for each      (as found)\n"
	"  --warm-up S            before each round                   (0.1)\n"
	"  --sample N             time one operation of N              (16)\n"
	"  --longest MS           time all; no update of libnr may take "
	"longer\n"
	"                         (8 threads, only writes, 60 s, no peers)\n"
	"\n"
	"shm-vs-msg\n"
	"  --lines N[,..]         that an operation writes        (1,2,4,8)\n"
	"  --by B[,..]            threads, processes: what clients are (both)\n"
	"\n";

static const char how[] =
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
	"Exit status: 0; 1: something could not be measured; 2: wrong usage.\n";

static void nr_names(void)
{
	unsigned shown = 0;

	fputs("\nPeers of nr:", stdout);
	for (unsigned i = 0; nr_peers[i]; i++) {
		unsigned k = 0;

		/* Once, though it may be there for several structures. */
		while (strcmp(nr_peers[k]->name, nr_peers[i]->name))
			k++;
		if (k == i && strcmp(nr_peers[i]->name, NR_PEER_SELF))
			printf("%s%s", shown++ ? ", " : "\n  ",
			       nr_peers[i]->name);
	}
	putchar('\n');
	for (unsigned i = 0; nr_peer_missing_name(i); i++)
		printf("  %s: %s\n", nr_peer_missing_name(i),
		       nr_peer_missing(nr_peer_missing_name(i)));
}

void options_help(void)
{
	int err;

	fputs(questions, stdout);
	fputs(what, stdout);
	fputs(how, stdout);
	fputs("\nPeers:", stdout);
	for (int i = 0; peers[i]; i++)
		printf("%s%s", i % 5 ? ", " : "\n  ", peers[i]->name);
	putchar('\n');
	for (unsigned i = 0; peer_not_built_name(i); i++)
		printf("  %s: %s\n", peer_not_built_name(i),
		       peer_not_built(peer_not_built_name(i)));
	nr_names();
	err = flush_error(stdout);
	if (err)
		dief(1, "standard output: %s", strerror(err));
	exit(0);
}
