/* SPDX-License-Identifier: MIT */
/* What clients do once they are connected and warm; arg is a struct loop. */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include "bench.h"

/** One call after the other; a stamp ends a call and starts the next. */
int loop_closed(struct run *run, unsigned i, void *conn, struct samples *out,
		void *arg);

/** The same with a pause between, in which the client computes. */
int loop_gap(struct run *run, unsigned i, void *conn, struct samples *out,
	     void *arg);

/** cfg.depth calls outstanding; each is timed from submission to reply. */
int loop_async(struct run *run, unsigned i, void *conn, struct samples *out,
	       void *arg);

/** Calls at fixed times, timed from when they were due. */
int loop_open(struct run *run, unsigned i, void *conn, struct samples *out,
	      void *arg);

/** Nothing: stay connected. */
int loop_idle(struct run *run, unsigned i, void *conn, struct samples *out,
	      void *arg);

#endif /* BENCH_LOOPS_H */
