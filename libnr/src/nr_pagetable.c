/* SPDX-License-Identifier: MIT */
/* nr_pagetable.c - page tables alone: they get their memory themselves */
#include <errno.h>

#include "nr_pagetable.h"
#include "pagetable.h"
#include "util.h"

struct nr_pagetable {
	struct pagetable tables;
};

NR_PUBLIC int nr_pagetable_create(const struct nr_page_memory *memory,
				  struct nr_pagetable **out)
{
	static const struct nr_page_memory none;
	struct nr_pagetable *t;
	int err;

	if (!memory)
		memory = &none;
	err = pagetable_check_memory(memory);
	if (err)
		return err;
	t = mem_alloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	err = pagetable_init(&t->tables, memory);
	if (err)
		mem_free(t);
	else
		*out = t;
	return err;
}

NR_PUBLIC void nr_pagetable_destroy(struct nr_pagetable *t)
{
	if (!t)
		return;
	pagetable_fini(&t->tables);
	mem_free(t);
}

static int
change(struct nr_pagetable *t, const struct pagetable_range *r, size_t wants,
       int (*fn)(struct pagetable *t, const struct pagetable_range *r))
{
	int err = fn(&t->tables, r);

	if (err != -ENOMEM)
		return err;
	err = arena_more(&t->tables.pages.arena, wants);
	return err ? err : fn(&t->tables, r);
}

NR_PUBLIC int nr_pagetable_map(struct nr_pagetable *t, uint64_t va,
			       uint64_t frame, uint64_t len, uint64_t bytes,
			       unsigned rights)
{
	struct pagetable_range r = { va, len, frame, bytes, rights, 0 };
	size_t wants;
	int err = pagetable_check_map(&r, &wants);

	return err ? err : change(t, &r, wants, pagetable_map);
}

NR_PUBLIC int nr_pagetable_unmap(struct nr_pagetable *t, uint64_t va,
				 uint64_t len)
{
	struct pagetable_range r = { .va = va, .len = len };
	size_t wants;
	int err = pagetable_check(&r, &wants);

	return err ? err : change(t, &r, wants, pagetable_unmap);
}

NR_PUBLIC int nr_pagetable_protect(struct nr_pagetable *t, uint64_t va,
				   uint64_t len, unsigned rights)
{
	struct pagetable_range r = { .va = va, .len = len, .rights = rights };
	size_t wants;
	int err = pagetable_check(&r, &wants);

	return err ? err : change(t, &r, wants, pagetable_protect);
}

NR_PUBLIC int nr_pagetable_resolve(const struct nr_pagetable *t, uint64_t va,
				   struct nr_page *page)
{
	return pagetable_resolve(&t->tables, va, page);
}

NR_PUBLIC uint64_t nr_pagetable_root(const struct nr_pagetable *t)
{
	return t->tables.pages.root;
}

NR_PUBLIC const uint64_t *nr_pagetable_table(const struct nr_pagetable *t,
					     uint64_t phys)
{
	return (const uint64_t *)(const void *)pages_at(&t->tables.pages, phys);
}
