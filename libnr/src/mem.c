/* SPDX-License-Identifier: MIT */
/*
 * mem.c - memory: of the heap, and of a node
 *
 * The kernel is asked directly. numa_alloc_onnode() of libnuma quietly gives
 * memory of another node where the wanted one does not exist, and prints.
 */
#include "mem.h"

#include <errno.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "point.h"
#include "util.h"

#define WORD_BITS (8 * sizeof(unsigned long))
#define MAX_NODES (sizeof(((struct mem_policy *)0)->nodes) * 8)

void *mem_alloc(size_t size)
{
	return no_memory(size) ? NULL : calloc(1, size);
}

void *mem_realloc(void *p, size_t size)
{
	return no_memory(size) ? NULL : realloc(p, size);
}

void mem_free(void *p)
{
	freed(p);
	free(p);
}

static void *pages(size_t size)
{
	void *p;

	if (no_memory(size))
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	mapped((int64_t)size);
	return p;
}

/*
 * A lookup somewhere in much memory otherwise waits for its translation, too.
 * Most systems leave it to programs to ask for that; some have none. (Not for
 * what is dealt out to all nodes: that would be in pieces of this size.)
 */
#define HUGE_BYTES (UINT64_C(1) << 21)

static void *local_pages(size_t size)
{
	void *p = pages(size);

	if (p && size >= HUGE_BYTES)
		madvise(p, size, MADV_HUGEPAGE);
	return p;
}

static int one_node(unsigned long *nodes, int node)
{
	if (node < 0 || (size_t)node >= MAX_NODES)
		return 0;
	memset(nodes, 0, MAX_NODES / 8);
	nodes[(size_t)node / WORD_BITS] = 1ul << ((size_t)node % WORD_BITS);
	return 1;
}

/* Which nodes; 0: the kernel does not say. */
static int allowed_nodes(unsigned long *nodes)
{
	memset(nodes, 0, MAX_NODES / 8);
	return syscall(SYS_get_mempolicy, NULL, nodes, MAX_NODES, NULL,
		       MPOL_F_MEMS_ALLOWED) == 0;
}

int mem_node_allowed(int node)
{
	unsigned long nodes[MAX_NODES / WORD_BITS];

	if (node < 0 || (size_t)node >= MAX_NODES)
		return 0;
	return !allowed_nodes(nodes) ||
	       (nodes[(size_t)node / WORD_BITS] >> ((size_t)node % WORD_BITS) &
		1);
}

void *mem_node_alloc(size_t size, int node, enum nr_memory how)
{
	unsigned long nodes[MAX_NODES / WORD_BITS];
	void *p = local_pages(size);

	if (!p || how == NR_MEMORY_ANY || !one_node(nodes, node))
		return p;
	/* The kernel takes one bit less than it is told. */
	if (syscall(SYS_mbind, p, align_up(size, (uint64_t)getpagesize()),
		    how == NR_MEMORY_BIND ? MPOL_BIND : MPOL_PREFERRED, nodes,
		    MAX_NODES + 1, 0) &&
	    how == NR_MEMORY_BIND) {
		mem_node_free(p, size);
		return NULL;
	}
	return p;
}

void mem_node_free(void *p, size_t size)
{
	if (!p)
		return;
	/*
	 * The kernel makes one mapping of neighbours. In its middle this takes
	 * one more, and there may be as many as there can be
	 * (vm.max_map_count): then what is given back is the memory only, and
	 * the addresses stay.
	 */
	if (munmap(p, size)) {
		if (errno != ENOMEM)
			abort(); /* it is not ours */
		madvise(p, size, MADV_DONTNEED);
	}
	mapped(-(int64_t)size);
}

#ifdef NR_TEST_POINTS
#define FIRST_POINTERS 8u /* so that a test sees them grow */
#else
#define FIRST_POINTERS 512u
#endif

void *mem_node_more(void *old, uint32_t *cap, int node, enum nr_memory how)
{
	uint32_t more = old ? 2 * *cap : FIRST_POINTERS;
	void *p = mem_node_alloc(more * sizeof(void *), node, how);

	if (!p)
		return NULL;
	if (old)
		memcpy(p, old, *cap * sizeof(void *));
	mem_node_free_array(old, *cap);
	*cap = more;
	return p;
}

void mem_node_free_array(void *p, uint32_t cap)
{
	mem_node_free(p, cap * sizeof(void *));
}

void *mem_spread_alloc(size_t size)
{
	unsigned long nodes[MAX_NODES / WORD_BITS];
	void *p = pages(size);

	/* If the kernel has no nodes, or does not let us: then as it comes. */
	if (p && allowed_nodes(nodes))
		syscall(SYS_mbind, p, align_up(size, (uint64_t)getpagesize()),
			MPOL_INTERLEAVE, nodes, MAX_NODES + 1, 0);
	return p;
}

void mem_policy_set(struct mem_policy *old, int node, enum nr_memory how)
{
	unsigned long nodes[MAX_NODES / WORD_BITS];

	old->changed = 0;
	if (how == NR_MEMORY_ANY || !one_node(nodes, node))
		return;
	memset(old->nodes, 0, sizeof(old->nodes));
	if (syscall(SYS_get_mempolicy, &old->mode, old->nodes, MAX_NODES, NULL,
		    0))
		return;
	if (syscall(SYS_set_mempolicy,
		    how == NR_MEMORY_BIND ? MPOL_BIND : MPOL_PREFERRED, nodes,
		    MAX_NODES + 1))
		return;
	old->changed = 1;
}

void *mem_policy_alloc(size_t size)
{
	unsigned long nodes[MAX_NODES / WORD_BITS] = { 0 };
	void *p = local_pages(size);
	int mode;

	/* If the kernel does not say: then as it comes. */
	if (p &&
	    !syscall(SYS_get_mempolicy, &mode, nodes, MAX_NODES, NULL, 0) &&
	    mode != MPOL_DEFAULT)
		syscall(SYS_mbind, p, align_up(size, (uint64_t)getpagesize()),
			mode, nodes, MAX_NODES + 1, 0);
	return p;
}

void mem_policy_restore(const struct mem_policy *old)
{
	if (old->changed)
		syscall(SYS_set_mempolicy, old->mode, old->nodes,
			MAX_NODES + 1);
}
