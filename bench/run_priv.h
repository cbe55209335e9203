/* SPDX-License-Identifier: MIT */
/* What the parent (run.c) and its children (run_child.c) share. */
#ifndef BENCH_RUN_PRIV_H
#define BENCH_RUN_PRIV_H

#include <signal.h>

#include "run.h"

/* What children say through the pipe `up`. */
#define STEP_SERVING 'S'
#define STEP_READY 'R'
#define STEP_DONE 'D'

enum { WHY_NOTHING, WHY_WRITING, WHY_FAILED, WHY_SKIPPED };

struct child {
	pid_t pid;
	int pidfd;
	int gone;
	int status;
};

/* Shared with the children. */
struct run_ctl {
	atomic_int why_state; /* one of the WHY_ values */
	char why[RUN_WHY_MAX];
};

struct run_priv {
	struct run_ctl *ctl;
	const struct placement *place;
	const struct work *work;
	int up[2], go[2], end[2];
	struct child server, backend;
	struct child *clients;
	unsigned nclients; /* forked so far */
	struct samples *samples;
	uint64_t steps[128];
};

/** The signals that are not blocked outside ppoll(). */
extern sigset_t run_unblocked;

void *run_map(struct run *run, size_t len, int flags);
void run_child_start(pid_t parent);
void run_server(struct run *run, int backend) __attribute__((noreturn));
void run_client(struct run *run, unsigned i) __attribute__((noreturn));

#endif /* BENCH_RUN_PRIV_H */
