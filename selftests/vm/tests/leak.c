/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "leak.h"

#define SLABS "/sys/kernel/slab"
#define MAX_CACHES 512

struct cache {
	char name[48];
	long objects;
	long in_slab;
};

static struct count {
	struct cache caches[MAX_CACHES];
	int n;
	long areas;
	long free_pages;
} before, now;

/* Partial slabs of CPUs count as used in /proc/slabinfo; the last one stays. */
static void shrink(void)
{
	DIR *dir = opendir(SLABS);
	struct dirent *e;
	char path[512];

	if (!dir)
		give_up(SLABS);
	while ((e = readdir(dir))) {
		if (strncmp(e->d_name, "kmalloc-", 8))
			continue;
		snprintf(path, sizeof(path), SLABS "/%s/shrink", e->d_name);
		write_file(path, "1");
	}
	closedir(dir);
}

/* What is freed after a grace period is freed. */
static void settle(void)
{
	for (int i = 0; i < 4; i++)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	write_file("/proc/sys/vm/drop_caches", "3");
	for (int i = 0; i < 4; i++)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	shrink();
}

/*
 * Threads' stacks are given back lazily, thousands at a time, and what Linux
 * knows of each stays until then: nobody has lost those pages.
 */
static long lazy_pages(const char *line)
{
	long pages_each, slabs;

	return sscanf(line,
		      "vmap_area %*d %*d %*d %*d %ld : tunables %*d %*d %*d : "
		      "slabdata %*d %ld",
		      &pages_each, &slabs) == 2
		       ? pages_each * slabs
		       : 0;
}

static void count(struct count *c)
{
	char *text, *at, *line;

	settle();
	c->n = 0;
	/* In zones, and on the lists of CPUs */
	c->free_pages = 0;
	at = text = read_file("/proc/slabinfo");
	while ((line = strsep(&at, "\n"))) {
		struct cache *k = &c->caches[c->n];

		c->free_pages += lazy_pages(line);
		if (c->n < MAX_CACHES && !strncmp(line, "kmalloc-", 8) &&
		    sscanf(line, "%47s %ld %*d %*d %ld", k->name, &k->objects,
			   &k->in_slab) == 3)
			c->n++;
	}
	free(text);
	c->areas = 0;
	at = text = read_file("/proc/vmallocinfo");
	while ((line = strsep(&at, "\n")))
		c->areas +=
			!strstr(line, "unpurged"); /* free, and not yet told */
	free(text);
	at = text = read_file("/proc/zoneinfo");
	while ((line = strsep(&at, "\n"))) {
		long pages;

		if (sscanf(line, " nr_free_pages %ld", &pages) == 1 ||
		    sscanf(line, " count: %ld", &pages) == 1)
			c->free_pages += pages;
	}
	free(text);
	/* What programs have is theirs. */
	at = text = read_file("/proc/meminfo");
	while ((line = strsep(&at, "\n"))) {
		long kb;

		if (sscanf(line, "AnonPages: %ld kB", &kb) == 1)
			c->free_pages += kb * 1024 / sysconf(_SC_PAGESIZE);
	}
	free(text);
}

void leak_begin(void)
{
	count(&before);
}

/* Objects lost, beyond what the last slabs of CPUs may hide */
static bool lost_objects(int rounds, const struct cache *a,
			 const struct cache *b)
{
	long allowed = 2 * a->in_slab, grown = b->objects - a->objects;

	if (allowed < rounds / 2)
		allowed = rounds / 2;
	if (grown < allowed)
		return false;
	note("%s: %ld -> %ld objects", a->name, a->objects, b->objects);
	return true;
}

static bool lost(int rounds, const char *what, bool say)
{
	long areas, pages;
	int bad = 0;

	count(&now);
	for (int i = 0; i < now.n && i < before.n; i++)
		if (!strcmp(now.caches[i].name, before.caches[i].name))
			bad += lost_objects(rounds, &before.caches[i],
					    &now.caches[i]);
	areas = now.areas - before.areas;
	pages = before.free_pages - now.free_pages;
	bad += !now.n || 2 * areas >= rounds || pages >= rounds;
	if (!bad || say)
		ok(!bad,
		   "%s, %d rounds: nothing lost (vmalloc areas %+ld, pages "
		   "%+ld)",
		   what, rounds, areas, pages);
	return bad;
}

/* What others use for a moment is there again at another look. */
void leak_end(int rounds, const char *what)
{
	int looks = 5;

	while (lost(rounds, what, --looks == 0) && looks)
		;
}
