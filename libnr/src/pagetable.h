/* SPDX-License-Identifier: MIT */
/*
 * pagetable.h - page tables of four levels
 *
 * Every change looks first whether it can be done and how many tables it needs,
 * then makes sure that there are as many, then does it: so one that fails has
 * changed nothing. Entries are written at once, and a table is full before
 * anything leads to it: who walks beside a change (hardware, walkers.h) finds
 * at each address what was there, or what is.
 */
#ifndef NR_PAGETABLE_INTERNAL_H
#define NR_PAGETABLE_INTERNAL_H

#include "pages.h"

struct pagetable {
	/* Changes that took something away; see nr_vspace_generation(). */
	_Atomic uint64_t generation;
	struct pages pages;
};

#define PAGETABLE_RIGHTS 63u /* all of enum nr_page_rights */

/* What nr_pagetable_map() and the others are given. */
struct pagetable_range {
	uint64_t va;
	uint64_t len;
	uint64_t frame;
	uint64_t bytes;
	uint32_t rights;
	uint32_t reserved;
};

/* @t is zero but for pages.walkers; the memory has the thread's policy. 0 or
 * -ENOMEM. */
int pagetable_init(struct pagetable *t, const struct nr_page_memory *memory);
int pagetable_clone(struct pagetable *to, const struct pagetable *from);
void pagetable_fini(struct pagetable *t);

/* Can it be? 0, -EINVAL, -EMSGSIZE; *@wants: bytes of the arena that it may
 * need. */
int pagetable_check_map(const struct pagetable_range *r, size_t *wants);
/* ... that does not map anything. */
int pagetable_check(const struct pagetable_range *r, size_t *wants);
/* nr_pagetable_create() */
int pagetable_check_memory(const struct nr_page_memory *memory);

/* Of a range that has been checked. -ENOMEM: the arena has no room. */
int pagetable_map(struct pagetable *t, const struct pagetable_range *r);
int pagetable_unmap(struct pagetable *t, const struct pagetable_range *r);
int pagetable_protect(struct pagetable *t, const struct pagetable_range *r);

/* Beside changes, too: then whoever calls it is a walker. */
int pagetable_resolve(const struct pagetable *t, uint64_t va,
		      struct nr_page *page);

#endif
