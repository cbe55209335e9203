/* SPDX-License-Identifier: MIT */
/*
 * nr_cells.h - a structure to be replicated, whose functions check what they
 * are given: cells of 64 bits
 */
#ifndef NR_CELLS_H
#define NR_CELLS_H

#include "nr.h"

#define CELLS 16

struct cells {
	uint64_t v[CELLS];
	uint64_t updates;
	int *fails; /* the next init or clone: returns this */
};

/* An operation: { cell, value, filling }; the filling is the cell's number.
 * Result: what the cell had. */
extern const struct nr_ops cells_ops;

extern int cells_alive;	  /* structures that have been made and not ended */
extern int cells_replays; /* updates whose results nobody wanted */

/* On two places. */
struct nr *cells_make(const struct nr_ops *ops, uint64_t log_size,
		      uint32_t replicas);
struct nr_context *cells_join(struct nr *nr, uint32_t replica, uint32_t depth);

/* What it had, or has. */
uint64_t cells_set(struct nr_context *c, uint64_t cell, uint64_t value);
uint64_t cells_get(struct nr_context *c, uint64_t cell);

/* Are all replicas equal? Then end it. */
void cells_finish(struct nr *nr);

#endif
