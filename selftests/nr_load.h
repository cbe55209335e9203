/* SPDX-License-Identifier: MIT */
/*
 * nr_load.h - a structure that watches itself, and threads that use it
 *
 * The structure counts its updates, so that an update tells its index in the
 * log and a read the version it saw; it folds all of them into a hash; and it
 * notices when two are inside at the same time. What the threads did is checked
 * to be linearizable, and all replicas to be equal.
 *
 * The threads may be fibers (nr_sched.h) or real ones.
 */
#ifndef NR_LOAD_H
#define NR_LOAD_H

#include "nr.h"
#include "nr_history.h"

#define LOAD_CELLS 4
#define LOAD_THREADS 8

struct load_attr {
	const char *topology;
	uint64_t log_size;
	uint32_t batch;
	uint32_t replicas;
	uint32_t threads;
	uint32_t spread; /* threads use the first so many replicas; 0: all */
	uint32_t idlers; /* of the threads: register, and never call */
	uint32_t steps;	 /* of each thread */
	uint32_t reads;	 /* of 100 steps */
	uint32_t syncs;
	uint32_t submits; /* asynchronous, up to 4 in one step */
	uint32_t longs;	  /* of 100 updates: too long for an entry */
	uint32_t adds;	  /* so many times a thread of its own adds a replica,
			   * uses it and removes it */
	uint32_t joins;	  /* ... or only registers and leaves */
	int keep;	  /* keep what happened: to be checked */
};

struct load_thread {
	struct load *load;
	uint32_t number;
	struct nr_context *context;
	uint64_t random;
	uint64_t updates, reads;
	struct event *events;
	uint32_t nevents, cap;
	uint64_t worst; /* longest update, ns */
};

struct load {
	struct load_attr attr;
	struct nr *nr;
	struct load_thread threads[LOAD_THREADS];
	/* Of what has been checked: how many updates, and what they came to */
	uint64_t updates;
	unsigned char state[HISTORY_STATE_MAX];
	uint64_t (*now)(void);
	void (*fail)(const char *fmt, ...)
		__attribute__((format(printf, 1, 2)));
};

/* Fails by attr->fail; ready to run load_thread() in each of attr.threads. */
void load_begin(struct load *l, const struct load_attr *attr, uint64_t seed);
void load_thread(void *thread);

/*
 * All threads have ended. NULL, or what was wrong with what they did. Ready for
 * them to go on with the same structure, with another @seed.
 */
const char *load_go_on(struct load *l, uint64_t seed);
/* The same for the last time. Frees everything. */
const char *load_end(struct load *l);

/* ---- the structure ------------------------------------------------------ */

struct load_object {
	uint64_t version;
	uint64_t hash;
	uint64_t cells[LOAD_CELLS];
	uint32_t busy;
	char *heap;
};

enum load_kind { LOAD_SET = 0, LOAD_ADD };

struct load_op {
	uint64_t kind, cell, value, id;
	unsigned char pad[48]; /* only of long ones: all are the id's */
};

struct load_result {
	uint64_t at;
	uint64_t value; /* read; or what was there before */
};

extern const struct nr_ops load_ops;
/* For a history: op is what it does, LOAD_READ for a read; cell, value. */
#define LOAD_READ 2
extern const struct history_model load_model;

/* All replicas equal, and after @updates updates; NULL or what is wrong. */
const char *load_equal(struct nr *nr, uint64_t updates);

#endif
