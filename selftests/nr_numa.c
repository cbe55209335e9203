/* SPDX-License-Identifier: MIT */
#include "nr_numa.h"

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>

struct nr_topology *numa;
char numa_topology[4096];
static cpu_set_t everywhere;

/* ---- pages -------------------------------------------------------------- */

int numa_node(const void *at)
{
	void *page = (void *)((uintptr_t)at & -(uintptr_t)getpagesize());
	int node = -ENODEV;

	if (syscall(SYS_move_pages, 0, 1ul, &page, NULL, &node, 0))
		return -errno;
	return node;
}

void numa_lies_on(const void *at, size_t bytes, int node)
{
	uintptr_t size = (uintptr_t)getpagesize();
	const char *page = (void *)((uintptr_t)at & -size);
	size_t written = 0;

	for (; page < (const char *)at + bytes; page += size) {
		int there = numa_node(page);

		if (there == -ENOENT || there == -EFAULT)
			continue;
		if (node >= 0)
			assert_int_equal(there, node);
		else
			assert_true(there >= 0);
		written++;
	}
	assert_true(written > 0);
}

void numa_is_bound(const void *at, int node, int mode)
{
	unsigned long nodes[16] = { 0 };
	int got = -1;

	if (node < 0)
		return;
	assert_int_equal(syscall(SYS_get_mempolicy, &got, nodes,
				 8 * sizeof(nodes), at, MPOL_F_ADDR),
			 0);
	assert_int_equal(got, mode);
	for (int i = 0; i < 16; i++)
		assert_true(nodes[i] ==
			    (i == node / 64 ? 1ul << node % 64 : 0));
}

int numa_has_no_policy(void)
{
	int mode = -1;

	return !syscall(SYS_get_mempolicy, &mode, NULL, 0ul, NULL, 0) &&
	       mode == MPOL_DEFAULT;
}

int numa_skip(void)
{
	int here = 0, node = numa_node(&here);

	if (node >= 0 || getenv("NR_TEST_PLACES"))
		return 0;
	printf("# skipped: move_pages: %s\n", strerror(-node));
	return 77;
}

/* ---- places ------------------------------------------------------------- */

int numa_memory(uint32_t place)
{
	return numa->places[place].memory;
}

int numa_memory_of(uint32_t id)
{
	return numa_memory((id - 1) % numa->n);
}

void numa_go_to_cpu(uint32_t cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

void numa_go(uint32_t place)
{
	numa_go_to_cpu(set_next(&numa->places[place].cpus, 0));
}

/* "0,1/2,3" */
static void write_topology(void)
{
	size_t n = 0;

	for (uint32_t i = 0; i < numa->n; i++) {
		const struct set *cpus = &numa->places[i].cpus;
		char before = '/';

		for (uint32_t c = set_next(cpus, 0); c != UINT32_MAX;
		     c = set_next(cpus, c + 1), before = ',')
			n += (size_t)snprintf(numa_topology + n,
					      sizeof(numa_topology) - n, "%c%u",
					      before, c);
	}
	memmove(numa_topology, numa_topology + 1, n);
}

int numa_up(void **state)
{
	(void)state;
	if (sched_getaffinity(0, sizeof(everywhere), &everywhere) ||
	    nr_topology_open("", &numa))
		return -1;
	write_topology();
	numa_go(numa->n - 1);
	return 0;
}

int numa_down(void **state)
{
	(void)state;
	nr_topology_close(numa);
	return sched_setaffinity(0, sizeof(everywhere), &everywhere);
}
