/* SPDX-License-Identifier: MIT */
/* machine.h - what a machine says about its NUMA nodes, as it says it */
#ifndef NR_MACHINE_H
#define NR_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* No CPU or node has a larger number: a list that names one is wrong. */
#define MACHINE_MAX 1048576u

#define MACHINE_ROOT "/sys/devices/system/node"

/* A growing set of small numbers. */
struct set {
	unsigned long *bits;
	size_t words;
};

int set_add(struct set *s, uint32_t i); /* 0 or -ENOMEM */
int set_has(const struct set *s, uint32_t i);
uint32_t set_count(const struct set *s);
/* The first that is @i or larger; UINT32_MAX: there is none. */
uint32_t set_next(const struct set *s, uint32_t i);
void set_free(struct set *s);

/*
 * "0-3,8,10-11", white space at the end allowed, and empty. @end is set to the
 * first character after; NULL: there may be none. 0, -EINVAL, -ENOMEM.
 */
int set_parse(struct set *s, const char *text, const char **end);

struct machine_node {
	uint32_t id;
	int has_memory; /* that this process may have */
	struct set cpus;
	uint32_t *distance; /* to the i-th node; NULL if it does not say */
};

struct machine {
	struct machine_node *nodes; /* ascending; as sparse as they are */
	uint32_t n;
};

/*
 * Read it from @root; @allowed says of which nodes this process may have
 * memory. A machine without that folder has no nodes, which is no error. 0 or
 * -ENOMEM.
 */
int machine_read(struct machine *m, const char *root, int (*allowed)(int node));
void machine_free(struct machine *m);

/* CPUs that the calling thread may run on; 0 or -errno. */
int machine_allowed_cpus(struct set *cpus);

#endif
