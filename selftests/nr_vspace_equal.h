/* SPDX-License-Identifier: MIT */
/* nr_vspace_equal.h - replicas of an address space are equal */
#ifndef NR_VSPACE_EQUAL_H
#define NR_VSPACE_EQUAL_H

#include "nr_map_equal.h"
#include "nr_vspace.h"
#include "vspace.h"

/* All entries but the addresses of tables, which are each one's own. */
static inline int same_tables(const struct pages *a, uint64_t x,
			      const struct pages *b, uint64_t y, unsigned level)
{
	const uint64_t address = UINT64_C(0xffffffffff000);

	for (unsigned i = 0; i < PAGE_ENTRIES; i++) {
		uint64_t e = pages_at(a, x)[i], f = pages_at(b, y)[i];

		if (!level || !(e & 1) || e & 0x80) {
			if (e != f)
				return 0;
		} else if ((e & ~address) != (f & ~address) ||
			   !same_tables(a, e & address, b, f & address,
					level - 1)) {
			return 0;
		}
	}
	return 1;
}

static inline int pages_equal(const struct pages *a, const struct pages *b)
{
	if (a->nfree != b->nfree || a->ngone != b->ngone ||
	    a->arena.n != b->arena.n || a->arena.used != b->arena.used)
		return 0;
	if (a->memory.phys)
		return same_tables(a, a->root, b, b->root, 3);
	return a->root == b->root && a->free == b->free && a->gone == b->gone &&
	       arenas_equal(&a->arena, &b->arena);
}

/* For nr_inspect(), @arg is the address of the first one's, NULL before. */
static inline int vspace_like_first(uint32_t replica, const void *object,
				    void *arg)
{
	const struct vspace **first = arg, *v = object;

	(void)replica;
	if (!*first)
		*first = v;
	return (*first)->tables.generation != v->tables.generation ||
	       !pages_equal(&(*first)->tables.pages, &v->tables.pages);
}

/* Nobody updates meanwhile. */
static inline int vspace_is_equal(struct nr_vspace *space)
{
	const struct vspace *first = NULL;

	return !nr_inspect(nr_vspace_nr(space), vspace_like_first, &first);
}

#endif
