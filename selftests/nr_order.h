/* SPDX-License-Identifier: MIT */
/*
 * nr_order.h - is there one order of operations on several things?
 *
 * The index oracle of nr_history.h for structures in parts: each thing has a
 * version, which counts its updates, and an operation tells which one it found
 * of each thing that it has to do with. That says what comes before what for
 * each thing, and so do the times at which operations began and ended; there is
 * one order for all of them if nothing comes before itself. However many.
 */
#ifndef NR_ORDER_H
#define NR_ORDER_H

#include <stddef.h>
#include <stdint.h>

#define ORDER_THINGS 8u

struct order_event {
	uint64_t begin,
		end;	 /* what ends when another one begins is beside it */
	uint32_t things; /* a bit for each */
	int is_read;
	uint64_t at[ORDER_THINGS];
};

/*
 * NULL; or what is wrong. @versions: of all things, before @events and after
 * them: a longer history is checked piece by piece. Sorts @events.
 */
const char *order_check(struct order_event *events, size_t n,
			uint64_t *versions);

#endif
