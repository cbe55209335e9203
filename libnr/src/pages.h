/* SPDX-License-Identifier: MIT */
/*
 * pages.h - pages for tables, in the chunks of an arena (arena.h)
 *
 * All of them are of one size and aligned to it, and have a physical address:
 * the caller's (struct nr_page_memory), or the number of the chunk above the
 * offset in it. What is free is in one of two lists: `gone` has those that
 * somebody may still be walking in, and that are used only when it has to be,
 * after having waited. The first entry of a free page leads to the next, and
 * looks like one that maps nothing to whoever is there.
 */
#ifndef NR_PAGES_H
#define NR_PAGES_H

#include "arena.h"
#include "atomics.h"
#include "nr_pagetable.h"
#include "walkers.h"

typedef _Atomic uint64_t entry;

#define PAGE_BYTES 4096u
#define PAGE_ENTRIES 512u

struct pages {
	struct arena arena;
	struct nr_page_memory memory;
	struct walkers *walkers; /* NULL: nobody walks without a lock */
	uint64_t root;		 /* the tables', for memory.flush */
	/* Lists of physical addresses; PAGES_NIL: the end. */
	uint64_t free, gone, gone_last;
	uint64_t nfree, ngone;
};

#define PAGES_NIL UINT64_C(1)

/* Physical addresses have 52 bits: so many for the offset in a chunk, which may
 * not be used all, and the rest for its number. */
#define PAGES_OFFSET 36u
#define PAGES_CHUNK (UINT64_C(1) << PAGES_OFFSET)
#define PAGES_CHUNKS (UINT32_C(1) << (52 - PAGES_OFFSET))

/* @p is zero; its first chunk has the thread's memory policy: 0 or -ENOMEM. */
int pages_init(struct pages *p, const struct nr_page_memory *memory);
void pages_fini(struct pages *p);
/* @to's addresses are still @from's where they are its own: see
 * pages_renamed(). */
int pages_clone(struct pages *to, const struct pages *from);

/* After that: the address in @to of the page that has @phys in @from. */
uint64_t pages_renamed(const struct pages *to, const struct pages *from,
		       uint64_t phys);

static inline entry *pages_at(const struct pages *p, uint64_t phys)
{
	if (p->memory.table)
		return p->memory.table(phys, p->memory.arg);
	return (entry *)(void *)(arena_chunk(&p->arena,
					     (uint32_t)(phys >> PAGES_OFFSET)) +
				 (phys & (PAGES_CHUNK - 1)));
}

/*
 * From now on @n of pages_take() succeed; this may wait for walkers. -ENOMEM:
 * nothing has changed that anybody can see, the arena wants a chunk of
 * pages_bytes(@n).
 */
int pages_reserve(struct pages *p, uint64_t n);

static inline size_t pages_bytes(uint64_t n)
{
	/* The first page of an arena is not used: see arena_wants(). */
	return (size_t)(n + 1) * PAGE_BYTES;
}

/* A page of zeros, that nobody else knows yet. */
uint64_t pages_take(struct pages *p);

/* It is not in the tables any more, and was taken out by a sequentially
 * consistent store. */
void pages_free(struct pages *p, uint64_t phys);

#endif
