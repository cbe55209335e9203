/* SPDX-License-Identifier: MIT */
/* pagetable_look.c - page tables: looking, what can be asked for, copies */
#include <errno.h>

#include "pagetable.h"
#include "ptentry.h"

/* ---- looking ------------------------------------------------------------ */

static int is_canonical(uint64_t va)
{
	uint64_t high = va >> (VA_BITS - 1);

	return !high || high == UINT64_MAX >> (VA_BITS - 1);
}

int pagetable_resolve(const struct pagetable *t, uint64_t va,
		      struct nr_page *page)
{
	uint64_t table = t->pages.root;

	if (!is_canonical(va))
		return -ENOENT;
	for (unsigned level = TOP + 1; level--;) {
		const entry *at = pages_at(&t->pages, table);
		/* Acquire pairs with set(). */
		uint64_t e = load_acquire(&at[slot(va, level)]);

		if (!(e & PRESENT))
			return -ENOENT;
		table = e & ADDRESS;
		if (is_leaf(e, level)) {
			*page = (struct nr_page){ table, span(level),
						  rights_of(e), 0 };
			return 0;
		}
	}
	return -ENOENT;
}

/* ---- ranges ------------------------------------------------------------- */

static int is_range(const struct pagetable_range *r, uint64_t align)
{
	uint64_t last = r->va + (r->len - 1);

	return r->len && !((r->va | r->len | r->frame) & (align - 1)) &&
	       last >= r->va && is_canonical(r->va) && is_canonical(last) &&
	       r->va >> 63 == last >> 63 && r->rights <= PAGETABLE_RIGHTS;
}

int pagetable_check(const struct pagetable_range *r, size_t *wants)
{
	/* A page of 1 GiB at either end. */
	*wants = pages_bytes(4);
	return is_range(r, PAGE_BYTES) ? 0 : -EINVAL;
}

/* The level of most of the pages. */
static unsigned level_of(const struct pagetable_range *r)
{
	unsigned level = 2;

	if (r->bytes)
		while (span(level) > r->bytes)
			level--;
	else
		while ((r->va ^ r->frame) & (span(level) - 1))
			level--;
	return level;
}

int pagetable_check_map(const struct pagetable_range *r, size_t *wants)
{
	uint64_t most = 0;

	if (r->bytes != NR_PAGE_ANY && r->bytes != NR_PAGE_4K &&
	    r->bytes != NR_PAGE_2M && r->bytes != NR_PAGE_1G)
		return -EINVAL;
	if (!is_range(r, r->bytes ? r->bytes : PAGE_BYTES) || r->frame >> 52 ||
	    r->len > (UINT64_C(1) << 52) - r->frame)
		return -EINVAL;
	/* On each level above two for the ends, where they are not whole. */
	for (unsigned level = TOP; level; level--)
		most += 2 + (level > level_of(r) ? r->len / span(level) : 0);
	if (pages_bytes(most) > ARENA_MAX)
		return -EMSGSIZE;
	*wants = pages_bytes(most);
	return 0;
}

/* ---- all of it ---------------------------------------------------------- */

int pagetable_check_memory(const struct nr_page_memory *memory)
{
	return !memory->phys == !memory->table ? 0 : -EINVAL;
}

int pagetable_init(struct pagetable *t, const struct nr_page_memory *memory)
{
	int err = pages_init(&t->pages, memory);

	if (!err)
		t->pages.root = pages_take(&t->pages);
	return err;
}

/* Tables of @to have the addresses of those that they are copies of. */
static void rename_tables(struct pagetable *to, const struct pagetable *from,
			  const struct place *p)
{
	for (unsigned i = 0; p->level && i < PAGE_ENTRIES; i++) {
		uint64_t e = get(p, i);
		struct place below;

		if (!e || is_leaf(e, p->level))
			continue;
		e = (e & ~ADDRESS) |
		    pages_renamed(&to->pages, &from->pages, e & ADDRESS);
		set(p, i, e);
		below = child(to, p, e);
		rename_tables(to, from, &below);
	}
}

int pagetable_clone(struct pagetable *to, const struct pagetable *from)
{
	int err = pages_clone(&to->pages, &from->pages);
	struct place root;

	if (err)
		return err;
	store_relaxed(&to->generation, load_relaxed(&from->generation));
	root = root_of(to);
	root.hidden = 1;
	if (to->pages.memory.phys)
		rename_tables(to, from, &root);
	return 0;
}

void pagetable_fini(struct pagetable *t)
{
	pages_fini(&t->pages);
}
