/* SPDX-License-Identifier: MIT */
/* topology.h - places for replicas */
#ifndef NR_TOPOLOGY_H
#define NR_TOPOLOGY_H

#include "machine.h"
#include "nr.h"

struct place {
	int node;   /* -1: the machine tells of none */
	int memory; /* likewise */
	struct set cpus;
};

struct nr_topology {
	struct place *places;
	uint32_t n;
	/* by CPU: index of its place + 1; 0: none */
	uint32_t *of_cpu;
	uint32_t ncpus;
};

/*
 * nr_topology_open() of a machine whose nodes are in folder @root, by a thread
 * that may run on the CPUs in @allowed, and have memory of the nodes that
 * @memory says (mem_node_allowed(), or what a test has instead).
 */
int topology_of(const char *root, const struct set *allowed,
		int (*memory)(int node), const char *spec,
		struct nr_topology **out);

#endif
