/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"
#include "util.h"

static int cpus[CPU_SETSIZE];
static unsigned ncpus;

static int topology(int cpu, const char *what, char *buf, size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/%s", cpu,
		 what);
	return read_line(path, buf, len);
}

/* Is @other named in the list that @cpu has in its topology file @what? */
static int listed(int cpu, const char *what, int other)
{
	char buf[512], *at = buf;

	if (topology(cpu, what, buf, sizeof(buf)))
		return -1;
	while (*at) {
		char *end;
		long from = strtol(at, &end, 10), to = from;

		if (end == at)
			break;
		if (*end == '-')
			to = strtol(end + 1, &end, 10);
		if (other >= from && other <= to)
			return 1;
		at = *end == ',' ? end + 1 : end;
	}
	return 0;
}

static int is_sibling(int a, int b)
{
	return listed(a, "topology/thread_siblings_list", b) == 1;
}

static int shares_l3(int a, int b)
{
	for (int i = 0; i < 8; i++) {
		char file[64], level[16];

		snprintf(file, sizeof(file), "cache/index%d/level", i);
		if (topology(a, file, level, sizeof(level)))
			return -1;
		if (strcmp(level, "3"))
			continue;
		snprintf(file, sizeof(file), "cache/index%d/shared_cpu_list",
			 i);
		return listed(a, file, b);
	}
	return -1;
}

static void relate(struct placement *p)
{
	int a = p->client[0], b = p->server[0];
	char pa[16], pb[16];
	const char *how;

	if (a == b)
		how = "the same CPU";
	else if (is_sibling(a, b))
		how = "SMT siblings of one core";
	else if (shares_l3(a, b) == 1)
		how = "different cores, shared L3";
	else if (topology(a, "topology/physical_package_id", pa, sizeof(pa)) ||
		 topology(b, "topology/physical_package_id", pb, sizeof(pb)))
		how = "unknown (no topology in sysfs)";
	else if (strcmp(pa, pb))
		how = "different packages";
	else if (shares_l3(a, b) == 0)
		how = "different cores, different L3";
	else
		how = "different cores, same package";
	snprintf(p->relation, sizeof(p->relation), "%s", how);
}

static int use_list(const char *list, const cpu_set_t *allowed)
{
	cpu_set_t seen;

	CPU_ZERO(&seen);
	for (const char *at = list;; at++) {
		char *end;
		long cpu = strtol(at, &end, 10);

		if (end == at || (*end && *end != ',') || cpu < 0 ||
		    cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, allowed)) {
			warnf("--cpus %s: '%.*s' is not a CPU this process may "
			      "use",
			      list, (int)strcspn(at, ","), at);
			return -1;
		}
		/* Both sides on one CPU is what --placement same-cpu is for. */
		if (CPU_ISSET(cpu, &seen)) {
			warnf("--cpus %s: %ld is there twice", list, cpu);
			return -1;
		}
		CPU_SET(cpu, &seen);
		cpus[ncpus++] = (int)cpu;
		at = end;
		if (!*at)
			return 0;
	}
}

int place_init(const char *list)
{
	cpu_set_t allowed, left;

	if (sched_getaffinity(0, sizeof(allowed), &allowed)) {
		warnf("sched_getaffinity: %s", strerror(errno));
		return -1;
	}
	ncpus = 0;
	if (list)
		return use_list(list, &allowed);

	/* One CPU of each core first, then the siblings. */
	left = allowed;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int second = 0;

		if (!CPU_ISSET(cpu, &left))
			continue;
		for (unsigned i = 0; i < ncpus; i++)
			second |= is_sibling(cpus[i], cpu);
		if (second)
			continue;
		cpus[ncpus++] = cpu;
		CPU_CLR(cpu, &left);
	}
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &left))
			cpus[ncpus++] = cpu;
	return 0;
}

unsigned place_cpus(void)
{
	return ncpus;
}

int place_cpu(unsigned i)
{
	return cpus[i];
}

int place_make(struct placement *p, const char *name, unsigned clients,
	       const char **why)
{
	unsigned each;

	memset(p, 0, sizeof(*p));
	p->name = name;
	p->same_cpu = !strcmp(name, "same-cpu");
	if (p->same_cpu) {
		p->nclient = p->nserver = p->nbackend = 1;
		p->client[0] = p->server[0] = p->backend[0] = cpus[0];
		relate(p);
		return 0;
	}
	if (ncpus < 2) {
		*why = "cross-cpu needs two CPUs, this process may use one";
		return -1;
	}
	/* Both sides get the same number, no more than there are clients. */
	each = ncpus / 2 < clients ? ncpus / 2 : clients;
	p->nclient = p->nserver = p->nbackend = each;
	for (unsigned i = 0; i < each; i++) {
		p->client[i] = cpus[i];
		p->server[i] = cpus[each + i];
		/* With no CPUs left it shares the server's. */
		p->backend[i] =
			cpus[2 * each + i < ncpus ? 2 * each + i : each + i];
	}
	relate(p);
	return 0;
}
