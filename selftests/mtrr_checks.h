/* SPDX-License-Identifier: MIT */
/*
 * mtrr_checks.h - memory types against the slow reference
 */
#ifndef MTRR_CHECKS_H
#define MTRR_CHECKS_H

#include "mtrr.h"

/* The same numbers in every run, for the same seed (not 0) */
extern u64 mtrr_seed;
u64 mtrr_random(void);
u64 mtrr_below(u64 n);

/*
 * Asserts that mtrr_lookup() agrees with mtrr_ref_type() wherever a register
 * begins or ends, in the first megabyte, and here and there: type, oddness, and
 * how far it reaches.
 */
void mtrr_check_everywhere(const struct mtrr_state *m);

#endif
