/* SPDX-License-Identifier: MIT */
/*
 * nr_pages: an address space that several simulated cores use, each with a TLB
 * of its own, while one of them takes pages away and uses their frames for
 * something else: nobody reads a frame that is not his any more.
 */
#include <inttypes.h>
#include <nr_vspace.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define CORES 4u
#define PAGES 16u
#define FRAMES (2 * PAGES)
#define BASE UINT64_C(0x400000)
#define RETIRED UINT64_MAX

static struct nr_vspace *space;
static _Atomic uint64_t memory[FRAMES]; /* what each frame has: its page */
static _Atomic uint64_t seen[CORES]; /* the generation each core works with */
static atomic_int wrong, reads, done;

struct core {
	struct nr_vspace_context *c;
	uint64_t generation;
	struct nr_page tlb[PAGES]; /* bytes is 0: nothing */
};

/* Between two accesses: what has been taken away is dropped, and said so. */
static void interrupts(struct core *core, unsigned number)
{
	uint64_t now = nr_vspace_generation(core->c);

	if (now != core->generation)
		memset(core->tlb, 0, sizeof(core->tlb));
	core->generation = now;
	atomic_store(&seen[number], now);
}

static void *run(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg;
	struct core core = { .generation = 0 };

	if (nr_vspace_register(space, NULL, &core.c)) {
		atomic_store(&seen[number], RETIRED);
		atomic_fetch_add(&wrong, 1);
		return NULL;
	}
	for (unsigned n = 0; !atomic_load(&done) || n < 1000; n++) {
		unsigned page = n * 7 % PAGES;
		struct nr_page *p = &core.tlb[page];

		interrupts(&core, number);
		if (!p->bytes &&
		    nr_vspace_walk(core.c, BASE + page * NR_PAGE_4K, p)) {
			p->bytes = 0;
			continue; /* a page fault */
		}
		if (atomic_load(&memory[p->frame / NR_PAGE_4K]) != page)
			atomic_fetch_add(&wrong, 1);
		atomic_fetch_add(&reads, 1);
	}
	atomic_store(&seen[number], RETIRED);
	nr_vspace_leave(core.c);
	return NULL;
}

/* Nobody works with anything older than what all replicas have. */
static void shoot_down(void)
{
	uint64_t generation = nr_vspace_settle(space);

	for (unsigned i = 0; i < CORES; i++)
		while (atomic_load(&seen[i]) < generation)
			sched_yield();
}

static int map(struct nr_vspace_context *c, uint64_t page, uint64_t frame)
{
	atomic_store(&memory[frame], page);
	return nr_vspace_map(c, BASE + page * NR_PAGE_4K, frame * NR_PAGE_4K,
			     NR_PAGE_4K, NR_PAGE_4K,
			     NR_PAGE_USER | NR_PAGE_WRITE);
}

/* Every page gets another frame, again and again. */
static int move(struct nr_vspace_context *c, unsigned rounds)
{
	uint64_t frame_of[PAGES], spare[PAGES];

	for (uint64_t i = 0; i < PAGES; i++) {
		frame_of[i] = i;
		spare[i] = PAGES + i;
		if (map(c, i, i))
			return -1;
	}
	for (unsigned n = 0; n < rounds; n++) {
		uint64_t page = n % PAGES, old = frame_of[page];

		if (nr_vspace_unmap(c, BASE + page * NR_PAGE_4K, NR_PAGE_4K) ||
		    map(c, page, spare[page]))
			return -1;
		shoot_down();
		atomic_store(&memory[old], RETIRED); /* it is ours now */
		frame_of[page] = spare[page];
		spare[page] = old;
	}
	return nr_vspace_protect(c, BASE, PAGES * NR_PAGE_4K, NR_PAGE_USER);
}

int main(void)
{
	struct nr_vspace_attr attr = NR_VSPACE_ATTR_INIT;
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_vspace_context *c;
	const uint64_t *table;
	struct nr_page page;
	pthread_t cores[CORES];
	unsigned levels = 1;
	uint64_t e;
	int late;

	nr.replicas = 2;
	attr.nr = &nr;
	if (nr_vspace_create(&attr, &space) ||
	    nr_vspace_register(space, NULL, &c))
		return 1;
	for (uintptr_t i = 0; i < CORES; i++)
		if (pthread_create(&cores[i], NULL, run, (void *)i))
			return 1;
	if (move(c, 300))
		return 1;
	atomic_store(&done, 1);
	for (unsigned i = 0; i < CORES; i++)
		pthread_join(cores[i], NULL);
	printf("cores read %s, %d times something else's\n",
	       atomic_load(&reads) ? "their pages" : "nothing",
	       atomic_load(&wrong));

	/* A core elsewhere would be given another root, of the same tables. */
	late = nr_vspace_replica_add(space, -1);
	if (nr_vspace_resolve(c, BASE, &page) || late < 0)
		return 1;
	printf("a page of %" PRIu64 " bytes, %s\n", page.bytes,
	       page.rights & NR_PAGE_WRITE ? "written" : "read only");
	/* What the hardware would see. */
	table = nr_vspace_table(c, nr_vspace_root(c));
	for (e = table[0]; levels < 4; levels++)
		e = nr_vspace_table(
			c,
			e & UINT64_C(0xffffffffff000))[levels == 2 ? BASE >> 21
								   : 0];
	printf("%u levels down: %s\n", levels, e & 1 ? "present" : "nothing");
	nr_stats(nr_vspace_nr(space), &stats, NULL, 0);
	printf("%" PRIu64 " replicas\n", stats.replicas);
	nr_vspace_leave(c);
	return nr_vspace_replica_remove(space, (uint32_t)late) ||
	       nr_vspace_destroy(space);
}
