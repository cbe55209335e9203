/* SPDX-License-Identifier: MIT */
/*
 * nr_cnr_object.h - a structure for several logs that watches itself
 *
 * Cells, each a class of its own; the cells of one log have a version, a hash
 * of what was done and in which order, and a word that says who is inside:
 * updates of one log alone, reads of it beside none, unless they may be.
 */
#ifndef NR_CNR_OBJECT_H
#define NR_CNR_OBJECT_H

#include "nr_cnr.h"
#include "nr_history.h"

#define CNR_CELLS 4u

enum cnr_kind { CNR_ADD, CNR_MOVE, CNR_ADD_ALL, CNR_GET, CNR_PAIR, CNR_SUM };
#define CNR_KINDS 6u

struct cnr_test_op {
	uint64_t kind, cell, other, value;
};

/* Given to the structure as arg. */
struct cnr_test {
	uint32_t logs;
	uint32_t flags;
	int narrow; /* most operations add to the first cell, or read it */
};

extern const struct nr_cnr_ops cnr_test_ops; /* but for the flags */

/* For histories: op is the kind, both cells (other * CNR_CELLS + cell), value
 */
extern const struct history_model cnr_test_model;

/* Nobody updates: are all replicas equal, and is the sum of cells @sum? NULL or
 * what is wrong. */
const char *cnr_test_equal(struct nr_cnr *cnr, uint64_t sum);

/* Has the same been done of that log, in the same order, in both objects? */
int cnr_test_same(const void *one, const void *other, uint32_t log);

/* One of them, at random, and its result. */
void cnr_test_step(const struct cnr_test *test, struct nr_cnr_context *c,
		   uint64_t *random, struct cnr_test_op *op, uint64_t *result);

/* Two additions, submitted one after the other and reaped as it comes. */
void cnr_test_pair(struct nr_cnr_context *c, uint64_t *random,
		   struct cnr_test_op op[2], uint64_t result[2]);

#endif
