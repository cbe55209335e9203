/* SPDX-License-Identifier: MIT */
/*
 * show.h - what a process that shows statistics sends, once, to each that
 * connects: a head, and for each structure an item, its statistics, and those
 * of its replicas. Then it closes the connection.
 */
#ifndef NR_SHOW_WIRE_H
#define NR_SHOW_WIRE_H

#include "nr_show.h"

/* Abstract: a zero comes before it. Then the pid; and a dot and a number, if
 * somebody else has that already. */
#define SHOW_PREFIX "libnr/"

#define SHOW_MAGIC UINT32_C(0x6e722e31) /* "nr.1" */

struct show_head {
	uint32_t magic;
	uint32_t word; /* sizeof(size_t): structures begin with one */
	uint32_t items;
	uint32_t reserved;
};

struct show_item {
	char name[NR_SHOW_NAME];
	uint32_t stats_size; /* of what follows: multiples of 8 */
	uint32_t replica_size;
	uint32_t replicas;
	uint32_t reserved;
};

#endif
