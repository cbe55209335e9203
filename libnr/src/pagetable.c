/* SPDX-License-Identifier: MIT */
/* pagetable.c - page tables: changing them */
#include "pagetable.h"

#include <errno.h>

#include "ptentry.h"

/* ---- mapping ------------------------------------------------------------ */

struct mapping {
	struct pagetable *t;
	uint64_t off; /* frame - address */
	uint64_t bytes;
	unsigned rights;
	uint64_t tables;
};

/* Can this part be one page? */
static int fits(const struct mapping *m, const struct part *p, unsigned level)
{
	if (!level)
		return 1;
	if (level == TOP || !is_whole(p, level))
		return 0;
	if (m->bytes)
		return m->bytes == span(level);
	return !((p->from + m->off) & (span(level) - 1));
}

/* Is nothing there, and how many tables does it need? @at NULL: no table yet.
 */
static int can_map(struct mapping *m, const struct place *in,
		   const struct part *r)
{
	int err = 0;

	for_parts(p, r, in->level)
	{
		uint64_t e = in->at ? get(in, slot(p.from, in->level)) : 0;
		struct place to = { NULL, in->level - 1, 0 };

		if (fits(m, &p, in->level)) {
			/* There is no table without anything in it. */
			if (e)
				return -EEXIST;
			if (!in->at && !in->level)
				return 0;
			continue;
		}
		if (e && is_leaf(e, in->level))
			return -EEXIST;
		if (e)
			to = child(m->t, in, e);
		m->tables += !e;
		err = can_map(m, &to, &p);
		if (err)
			return err;
	}
	return 0;
}

/* Return: how many slots are in use that were not. */
static uint64_t do_map(struct mapping *m, const struct place *in,
		       const struct part *r)
{
	uint64_t more = 0;

	for_parts(p, r, in->level)
	{
		unsigned i = slot(p.from, in->level);
		uint64_t e = get(in, i), table;
		struct place to;

		if (fits(m, &p, in->level)) {
			set(in, i, leaf(p.from + m->off, in->level, m->rights));
			more++;
			continue;
		}
		table = e ? 0 : pages_take(&m->t->pages);
		to = child(m->t, in, e ? e : table);
		if (!e)
			to.hidden = 1;
		more += !e;
		if (!e)
			e = directory(table, 0);
		set(in, i, e + do_map(m, &to, &p) * ONE_USED);
	}
	return more;
}

int pagetable_map(struct pagetable *t, const struct pagetable_range *r)
{
	struct part all = bounds(r);
	struct place root = root_of(t);
	struct mapping m = { t, r->frame - all.from, r->bytes, r->rights, 0 };
	int err = can_map(&m, &root, &all);

	if (!err)
		err = pages_reserve(&t->pages, m.tables);
	if (!err)
		do_map(&m, &root, &all);
	return err;
}

/* ---- taking away -------------------------------------------------------- */

struct change {
	struct pagetable *t;
	int unmap;
	unsigned rights;
	/* what has been looked for */
	uint64_t tables;
	int found;
};

/* Large pages that are in it in part: @at NULL: inside of one. */
static void look(struct change *c, const struct place *in, const struct part *r)
{
	for_parts(p, r, in->level)
	{
		uint64_t e = in->at ? get(in, slot(p.from, in->level)) : LARGE;
		struct place to = { NULL, in->level - 1, 0 };

		if (!e)
			continue;
		/* Every table has something. */
		if (is_whole(&p, in->level)) {
			c->found = 1;
			continue;
		}
		if (is_leaf(e, in->level))
			c->tables++;
		else
			to = child(c->t, in, e);
		look(c, &to, &p);
	}
}

static void free_tables(struct pagetable *t, const struct place *p,
			uint64_t table)
{
	for (unsigned i = 0; p->level && i < PAGE_ENTRIES; i++) {
		uint64_t e = get(p, i);
		struct place to;

		if (!e || is_leaf(e, p->level))
			continue;
		to = child(t, p, e);
		free_tables(t, &to, e & ADDRESS);
	}
	pages_free(&t->pages, table);
}

/* A table that maps what the page @e does. */
static uint64_t split(struct pagetable *t, uint64_t e, unsigned level)
{
	uint64_t table = pages_take(&t->pages), frame = e & ADDRESS;
	struct place to = { pages_at(&t->pages, table), level - 1, 1 };

	for (unsigned i = 0; i < PAGE_ENTRIES; i++)
		set(&to, i,
		    leaf(frame + i * span(to.level), to.level, rights_of(e)));
	return directory(table, PAGE_ENTRIES);
}

static uint64_t do_change(struct change *c, const struct place *in,
			  const struct part *r);

/* All of slot @i, which is @e. Return: is nothing there any more? */
static uint64_t change_whole(struct change *c, const struct place *in,
			     unsigned i, uint64_t e, const struct part *r)
{
	struct place to;

	if (is_leaf(e, in->level)) {
		set(in, i,
		    c->unmap ? 0 : leaf(e & ADDRESS, in->level, c->rights));
		return (uint64_t)c->unmap;
	}
	to = child(c->t, in, e);
	if (!c->unmap)
		return do_change(c, &to, r);
	set(in, i, 0);
	free_tables(c->t, &to, e & ADDRESS);
	return 1;
}

static uint64_t change_part(struct change *c, const struct place *in,
			    unsigned i, uint64_t e, const struct part *r)
{
	int large = is_leaf(e, in->level);
	uint64_t now = large ? split(c->t, e, in->level) : e;
	struct place to = child(c->t, in, now);

	if (large)
		to.hidden = 1;
	now -= do_change(c, &to, r) * ONE_USED;
	if (now < ONE_USED) {
		set(in, i, 0);
		pages_free(&c->t->pages, now & ADDRESS);
		return 1;
	}
	if (now != e)
		set(in, i, now);
	return 0;
}

/* Return: how many slots are not in use any more. */
static uint64_t do_change(struct change *c, const struct place *in,
			  const struct part *r)
{
	uint64_t less = 0;

	for_parts(p, r, in->level)
	{
		unsigned i = slot(p.from, in->level);
		uint64_t e = get(in, i);

		if (!e)
			continue;
		less += is_whole(&p, in->level) ? change_whole(c, in, i, e, &p)
						: change_part(c, in, i, e, &p);
	}
	return less;
}

static int change(struct change *c, const struct pagetable_range *r)
{
	struct pagetable *t = c->t;
	struct place root = root_of(t);
	struct part all = bounds(r);
	int err;

	look(c, &root, &all);
	if (!c->found)
		return -ENOENT;
	err = pages_reserve(&t->pages, c->tables);
	if (err)
		return err;
	do_change(c, &root, &all);
	/* Release pairs with nr_vspace_generation(): who sees it sees the
	 * entries. */
	store_release(&t->generation, load_relaxed(&t->generation) + 1);
	return 0;
}

int pagetable_unmap(struct pagetable *t, const struct pagetable_range *r)
{
	struct change c = { .t = t, .unmap = 1 };

	return change(&c, r);
}

int pagetable_protect(struct pagetable *t, const struct pagetable_range *r)
{
	struct change c = { .t = t, .rights = r->rights };

	return change(&c, r);
}
