/* SPDX-License-Identifier: MIT */
/*
 * mtrr_layouts.h - the MTRRs of real machines, and a slow way to read them
 */
#ifndef MTRR_LAYOUTS_H
#define MTRR_LAYOUTS_H

#include "mtrr.h"

struct mtrr_layout {
	const char *name; /* machine, and where its boot log is from */
	unsigned int phys_bits;
	const char *def; /* NULL: MTRRs disabled */
	/* as Linux prints them: FIRST-LAST TYPE, BASE MASK TYPE; ; between */
	const char *fixed; /* NULL: not enabled */
	const char *var;
	/* what comes of it: TYPE up to END, ... */
	const char *map;
	unsigned int odd; /* of mtrr_check() */
};

extern const struct mtrr_layout mtrr_layouts[];
extern const unsigned int mtrr_layouts_count;

/*
 * The registers of a layout. With @phys_bits not 0 the same machine with wider
 * or narrower addresses: masks go up to the top, ranges beyond are left out.
 */
void mtrr_layout_state(const struct mtrr_layout *l, unsigned int phys_bits,
		       struct mtrr_state *m);

/*
 * The type of one page, worked out from the words of SDM volume 3, 12.11.4.1,
 * by looking at every register. @odd as in struct mtrr_piece.
 */
u8 mtrr_ref_type(const struct mtrr_state *m, u64 addr, unsigned int *odd);

/* "UC", "WC", "WT", "WP", "WB" */
const char *mtrr_type_name(u8 type);

#endif
