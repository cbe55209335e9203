/* SPDX-License-Identifier: MIT */
/*
 * nr_numa.h - on whose node memory lies, as the kernel tells
 *
 * What is looked at is asked for by a thread on the last place, so that what
 * nobody has bound lies there. On a machine with one node that shows little:
 * selftests/vm/numa_test.sh runs tests on others, and says in NR_TEST_PLACES
 * what the places are.
 */
#ifndef NR_NUMA_H
#define NR_NUMA_H

#include "testlib.h"

#include "topology.h"

/* The machine's places, and the same for who may run on one CPU only. */
extern struct nr_topology *numa;
extern char numa_topology[4096];

/* Of a group of tests; the thread is on the last place. */
int numa_up(void **state);
int numa_down(void **state);

/* The node whose memory @place has; -1: none in particular. */
int numa_memory(uint32_t place);
/* ... that replica @id has, if they have been dealt out to the places. */
int numa_memory_of(uint32_t id);

void numa_go(uint32_t place);
void numa_go_to_cpu(uint32_t cpu);

/* The node of the page at @at; -ENOENT, -EFAULT: it has never been written. */
int numa_node(const void *at);

/* All that has been written of it is on @node. */
void numa_lies_on(const void *at, size_t bytes, int node);

/* The policy of what @at belongs to, written or not, is @mode and that node. */
void numa_is_bound(const void *at, int node, int mode);

/* The calling thread has no policy of a node. */
int numa_has_no_policy(void);

/* Where a sandbox does not let us ask, there is nothing to see: 77, or 0. */
int numa_skip(void);

#endif
