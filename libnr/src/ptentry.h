/* SPDX-License-Identifier: MIT */
/*
 * ptentry.h - entries of page tables, and where they are
 *
 * The format is that of Intel's manual (SDM, volume 3, 4-level paging); what
 * ours have beside the address is told in nr_pagetable.h.
 */
#ifndef NR_PTENTRY_H
#define NR_PTENTRY_H

#include "pagetable.h"
#include "util.h"

#define PRESENT (UINT64_C(1) << 0)
#define WRITABLE (UINT64_C(1) << 1)
#define USER (UINT64_C(1) << 2)
#define THROUGH (UINT64_C(1) << 3)
#define UNCACHED (UINT64_C(1) << 4)
#define ACCESSED (UINT64_C(1) << 5)
#define DIRTY (UINT64_C(1) << 6)
#define LARGE (UINT64_C(1) << 7)
#define GLOBAL (UINT64_C(1) << 8)
#define NO_EXEC (UINT64_C(1) << 63)
#define ADDRESS ((UINT64_C(1) << 52) - PAGE_BYTES)
#define ONE_USED (UINT64_C(1) << 52) /* of the table's entries */

#define VA_BITS 48
#define TOP 3u /* the level of the root; the last one is 0 */

static inline uint64_t span(unsigned level)
{
	return UINT64_C(1) << (12 + 9 * level);
}

static inline unsigned slot(uint64_t va, unsigned level)
{
	return va >> (12 + 9 * level) & (PAGE_ENTRIES - 1);
}

static inline uint64_t leaf(uint64_t frame, unsigned level, unsigned rights)
{
	uint64_t e = frame | PRESENT | ACCESSED;

	if (level)
		e |= LARGE;
	/* Dirty where it cannot be written would be a shadow stack. */
	if (rights & NR_PAGE_WRITE)
		e |= WRITABLE | DIRTY;
	if (rights & NR_PAGE_USER)
		e |= USER;
	if (rights & NR_PAGE_THROUGH)
		e |= THROUGH;
	if (rights & NR_PAGE_UNCACHED)
		e |= UNCACHED;
	if (rights & NR_PAGE_GLOBAL)
		e |= GLOBAL;
	if (!(rights & NR_PAGE_EXEC))
		e |= NO_EXEC;
	return e;
}

static inline unsigned rights_of(uint64_t e)
{
	return (e & WRITABLE ? NR_PAGE_WRITE : 0u) |
	       (e & USER ? NR_PAGE_USER : 0u) |
	       (e & THROUGH ? NR_PAGE_THROUGH : 0u) |
	       (e & UNCACHED ? NR_PAGE_UNCACHED : 0u) |
	       (e & GLOBAL ? NR_PAGE_GLOBAL : 0u) |
	       (e & NO_EXEC ? 0u : NR_PAGE_EXEC);
}

static inline int is_leaf(uint64_t e, unsigned level)
{
	return !level || e & LARGE;
}

static inline uint64_t directory(uint64_t table, uint64_t used)
{
	return table | PRESENT | WRITABLE | USER | ACCESSED | used * ONE_USED;
}

/* A table, and whether somebody can be walking in it. */
struct place {
	entry *at;
	unsigned level;
	int hidden;
};

static inline struct place child(const struct pagetable *t,
				 const struct place *in, uint64_t e)
{
	return (struct place){ pages_at(&t->pages, e & ADDRESS), in->level - 1,
			       in->hidden };
}

/* Nobody else changes it. */
static inline uint64_t get(const struct place *p, unsigned i)
{
	return atomic_load_explicit(&p->at[i], memory_order_relaxed);
}

static inline void set(const struct place *p, unsigned i, uint64_t e)
{
	/* Release pairs with the load in pagetable_resolve(): the table that
	 * it leads to. */
	if (p->hidden)
		atomic_store_explicit(&p->at[i], e, memory_order_relaxed);
	else
		store_release_or_relaxed(&p->at[i], e, RELAXED_ENTRY);
}

/* The part of the range [from, to) that is in slot @i, which begins at @base.
 */
struct part {
	uint64_t from, to;
};

static inline struct part part_of(const struct part *r, uint64_t base,
				  unsigned level)
{
	return (struct part){ max_u64(r->from, base),
			      min_u64(r->to, base + span(level)) };
}

static inline int is_whole(const struct part *r, unsigned level)
{
	return r->to - r->from == span(level);
}

/* Each part of @r at @level, as @p. */
#define for_parts(p, r, level)                                                 \
	for (struct part p =                                                   \
		     part_of((r), (r)->from & ~(span(level) - 1), (level));    \
	     p.from < (r)->to;                                                 \
	     p = part_of((r), (p.from | (span(level) - 1)) + 1, (level)))

static inline struct place root_of(const struct pagetable *t)
{
	return (struct place){ pages_at(&t->pages, t->pages.root), TOP, 0 };
}

/* Addresses without the copies of bit 47. */
static inline struct part bounds(const struct pagetable_range *r)
{
	uint64_t from = r->va & ((UINT64_C(1) << VA_BITS) - 1);

	return (struct part){ from, from + r->len };
}

#endif
