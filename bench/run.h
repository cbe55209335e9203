/* SPDX-License-Identifier: MIT */
/* One run: the processes, their handshake, their end. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "hist.h"
#include "peer.h"
#include "place.h"

/** What one client measured; written by its process, read by the parent. */
struct samples {
	uint64_t calls;
	uint64_t start, end; /* ticks */
	struct hist hist;
};

/**
 * struct work - what the clients of a run do
 * @warm_up: unmeasured calls before the clients say they are ready.
 * @client:  in each client, connected and warm; fills @out; 0 or PEER_FAILED.
 * @watch:   in the parent while the clients are in @client; may be NULL.
 * @arg:     for both.
 * @limit_ns: longer than this and the run has hung.
 */
struct work {
	uint64_t warm_up;
	int (*client)(struct run *run, unsigned i, void *conn,
		      struct samples *out, void *arg);
	int (*watch)(struct run *run, void *arg);
	void *arg;
	uint64_t limit_ns;
};

/** What came of all the rounds of a row. */
struct outcome {
	int state; /* PEER_OK, PEER_FAILED, PEER_SKIPPED */
	char why[RUN_WHY_MAX];
	unsigned rounds; /* that came to their end */
	uint64_t calls;
	double wall_ns;	  /* first start to last end, summed over rounds */
	double cpu_ns;	  /* of all clients and the server */
	struct hist hist; /* in ticks of @batch calls */
};

/**
 * run_once - one round
 * @into: added to; its state says how it went.
 *
 * All processes and what the peer made are gone on return, whatever happened.
 */
void run_once(const struct peer *peer, const struct peer_cfg *cfg,
	      const struct placement *place, const struct work *work,
	      struct outcome *into);

/** Sleep in @watch: ends early, with non-zero, if a child dies or ^C comes. */
int run_pause(struct run *run, uint64_t ns);

/** Install the handlers which make ^C clean up; before the first run. */
void run_signals(void);

/** The signal that came, or 0. */
int run_interrupted(void);

#endif /* BENCH_RUN_H */
