/* SPDX-License-Identifier: MIT */
/*
 * mem.h - memory: of the heap, and of a node
 *
 * All that the library allocates comes from here, so that tests can let any of
 * it fail.
 */
#ifndef NR_MEM_H
#define NR_MEM_H

#include <stddef.h>

#include "nr.h"

void *mem_alloc(size_t size); /* zeroed */
void *mem_realloc(void *p, size_t size);
void mem_free(void *p);

/*
 * Whole pages, zeroed, from @node (-1: of no node in particular) as @how says.
 * NULL: there is none.
 */
void *mem_node_alloc(size_t size, int node, enum nr_memory how);
void mem_node_free(void *p, size_t size);

/*
 * Twice as much room for the @cap pointers that @old has; the first time a page
 * of it. NULL: there is none, and @old is as it was.
 */
void *mem_node_more(void *old, uint32_t *cap, int node, enum nr_memory how);
void mem_node_free_array(void *p, uint32_t cap);

/* Whole pages, taken in turn from all nodes that the process may use. */
void *mem_spread_alloc(size_t size);

/*
 * While a thread works for a node that it may not be on, its own memory policy
 * is that node's: what the user's functions allocate lies there.
 */
struct mem_policy {
	int changed;
	int mode;
	unsigned long nodes[16]; /* 1024, as many as Linux has */
};
void mem_policy_set(struct mem_policy *old, int node, enum nr_memory how);
void mem_policy_restore(const struct mem_policy *old);

/* Whole pages, zeroed, that stay with the policy which the calling thread has
 * now, whoever touches them first. */
void *mem_policy_alloc(size_t size);

/* May this process have memory of @node? 1 also if nobody knows. */
int mem_node_allowed(int node);

#endif
