/* SPDX-License-Identifier: MIT */
#include "pages.h"

#include <errno.h>

#include "util.h"

#define UNITS (PAGE_BYTES / ARENA_UNIT)

/* Not present: bit 0 is clear. Others than 0, so that the end is none. */
#define LINK 2u

/* ---- addresses ---------------------------------------------------------- */

static uint64_t number_of(uint32_t chunk, uint64_t unit)
{
	return (uint64_t)chunk << PAGES_OFFSET | unit * ARENA_UNIT;
}

static uint64_t phys_of(const struct pages *p, uint32_t chunk, uint64_t unit)
{
	if (!p->memory.phys)
		return number_of(chunk, unit);
	return p->memory.phys(arena_chunk(&p->arena, chunk) + unit * ARENA_UNIT,
			      p->memory.arg);
}

/* Its chunk; the last ones are the longest. */
static uint32_t chunk_of(const struct arena *a, const void *page)
{
	uint32_t i = a->n;

	while (i--) {
		uintptr_t at = (uintptr_t)page - (uintptr_t)arena_chunk(a, i);

		if (at < arena_chunks(a)[i].units * ARENA_UNIT)
			return i;
	}
	invariant(!"a page of nobody");
	return 0;
}

uint64_t pages_renamed(const struct pages *to, const struct pages *from,
		       uint64_t phys)
{
	const unsigned char *page;
	uint32_t chunk;

	if (!from->memory.phys || phys == PAGES_NIL)
		return phys;
	page = (const void *)pages_at(from, phys);
	chunk = chunk_of(&from->arena, page);
	return phys_of(to, chunk,
		       (uint64_t)(page - arena_chunk(&from->arena, chunk)) /
			       ARENA_UNIT);
}

/* ---- lists -------------------------------------------------------------- */

/* A walker may be there: it sees something that maps nothing. */
static void set_link(const struct pages *p, uint64_t at, uint64_t to)
{
	store_relaxed(pages_at(p, at), to == PAGES_NIL ? 0 : to | LINK);
}

static uint64_t link_of(const struct pages *p, uint64_t at)
{
	uint64_t link = load_relaxed(pages_at(p, at));

	return link ? link & ~(uint64_t)LINK : PAGES_NIL;
}

static void push(struct pages *p, uint64_t phys)
{
	set_link(p, phys, p->free);
	p->free = phys;
	p->nfree++;
}

void pages_free(struct pages *p, uint64_t phys)
{
	if (!p->ngone++)
		p->gone_last = phys;
	set_link(p, phys, p->gone);
	p->gone = phys;
}

/* Those that somebody may have been walking in are free now. */
static void wait_for_gone(struct pages *p)
{
	if (p->walkers && !mutant(VSPACE_REUSE))
		walkers_wait(p->walkers);
	if (p->memory.flush)
		p->memory.flush(p->root, p->memory.arg);
	set_link(p, p->gone_last, p->free);
	p->free = p->gone;
	p->nfree += p->ngone;
	p->gone = p->gone_last = PAGES_NIL;
	p->ngone = 0;
}

/* ---- taking ------------------------------------------------------------- */

/* Pages of the last chunk that have never been used. */
static uint64_t unused(const struct pages *p)
{
	const struct arena *a = &p->arena;
	uint64_t from = align_up(a->used, UNITS), upto;

	if (!a->n || (!p->memory.phys && a->n > PAGES_CHUNKS))
		return 0;
	upto = arena_chunks(a)[a->n - 1].units;
	if (!p->memory.phys)
		upto = min_u64(upto, PAGES_CHUNK / ARENA_UNIT);
	return from > upto ? 0 : (upto - from) / UNITS;
}

static uint64_t take_unused(struct pages *p)
{
	struct arena *a = &p->arena;
	uint64_t unit = align_up(a->used, UNITS);

	a->used = unit + UNITS;
	return phys_of(p, a->n - 1, unit);
}

int pages_reserve(struct pages *p, uint64_t n)
{
	uint64_t fresh = unused(p);

	if (p->nfree + fresh >= n)
		return 0;
	if (p->ngone && p->nfree + fresh + p->ngone >= n) {
		wait_for_gone(p);
		return 0;
	}
	/* The arena would keep what is left of it for shorter ones. */
	for (; fresh; fresh--)
		push(p, take_unused(p));
	return -ENOMEM;
}

uint64_t pages_take(struct pages *p)
{
	uint64_t phys = p->free;

	if (phys == PAGES_NIL)
		return take_unused(p);
	p->free = link_of(p, phys);
	p->nfree--;
	/* Nobody is there: who was has been waited for. */
	memset((void *)pages_at(p, phys), 0, PAGE_BYTES);
	return phys;
}

/* ---- all of it ---------------------------------------------------------- */

int pages_init(struct pages *p, const struct nr_page_memory *memory)
{
	int err = arena_first(&p->arena, pages_bytes(1));

	if (err)
		return err;
	p->memory = *memory;
	p->free = p->gone = p->gone_last = PAGES_NIL;
	return 0;
}

void pages_fini(struct pages *p)
{
	arena_fini(&p->arena);
}

/* What is free, from @at on. */
static void rename_list(const struct pages *to, const struct pages *from,
			uint64_t at)
{
	while (at != PAGES_NIL) {
		uint64_t next = link_of(from, at);

		set_link(to, pages_renamed(to, from, at),
			 pages_renamed(to, from, next));
		at = next;
	}
}

int pages_clone(struct pages *to, const struct pages *from)
{
	struct pages p = *from;
	int err = arena_clone(&p.arena, &from->arena);

	if (err)
		return err;
	p.walkers = to->walkers;
	p.free = pages_renamed(&p, from, from->free);
	p.gone = pages_renamed(&p, from, from->gone);
	p.gone_last = pages_renamed(&p, from, from->gone_last);
	p.root = pages_renamed(&p, from, from->root);
	if (from->memory.phys) {
		rename_list(&p, from, from->free);
		rename_list(&p, from, from->gone);
	}
	*to = p;
	return 0;
}
