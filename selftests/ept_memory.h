/* SPDX-License-Identifier: MIT */
/*
 * ept_memory.h - memory for tables that counts, and that fails when told to
 */
#ifndef EPT_MEMORY_H
#define EPT_MEMORY_H

#include "ept.h"
#include "mtrr_layouts.h"

#define CAP_2M (EPT_CAP_WALK4 | EPT_CAP_WB | EPT_CAP_2M | EPT_CAP_EXEC_ONLY)
#define CAP_1G (CAP_2M | EPT_CAP_1G)
#define RWX (EPT_READ | EPT_WRITE | EPT_EXEC)
#define GB (1ull << 30)
#define MB (1ull << 20)

/*
 * Tables at physical addresses of our own choosing; counts what is there, and
 * fails when it is told to.
 */
struct memory {
	u64 **tables; /* by number */
	size_t room, used;
	u64 live;	/* tables and other things */
	u64 fail_after; /* allocations; UINT64_MAX: never */
};

void memory_init(struct memory *mem);
/* Asserts that everything has been given back. */
void memory_end(struct memory *mem);
/* A number for all that is in all tables */
u64 memory_sum(const struct memory *mem);

extern const struct ept_ops ops;

/* Home for a machine; asserts that it can be built. */
struct ept *home_of(struct memory *mem, const struct mtrr_state *m, u64 cap);

/* The machine with this in its name */
const struct mtrr_layout *layout_with(const char *what);

/* The one that most tests use: 39 bits, WB but for some */
void surface(struct mtrr_state *m);

#endif
