// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * ept_view.c - views of home, and looking into roots
 */
#include "ept_impl.h"

bool ept_fill_leaf(u64 gpa, u64 entry, unsigned int level,
		   struct ept_leaf *leaf)
{
	bool present = ept_is_present(entry);

	leaf->gpa = gpa & ~(ept_size(level) - 1);
	leaf->level = level;
	leaf->entry = entry;
	leaf->hpa = present ? entry & ENTRY_ADDR : 0;
	leaf->prot = entry & ENTRY_PROT;
	leaf->type = (entry >> EPT_TYPE_SHIFT) & EPT_TYPE_MASK;
	return present;
}

int ept_lookup(const struct ept *e, u64 gpa, struct ept_leaf *leaf)
{
	unsigned int level = EPT_LEVELS;
	u64 *table = e->root, entry;

	memset(leaf, 0, sizeof(*leaf));
	if (gpa >= e->end)
		return -ENOENT;
	for (;;) {
		entry = READ_ONCE(table[ept_index(gpa, level)]);
		if (!ept_is_present(entry) || ept_is_leaf(entry, level))
			break;
		table = ept_table(e, entry);
		level--;
	}
	return ept_fill_leaf(gpa, entry, level, leaf) ? 0 : -ENOENT;
}

static bool is_table(u64 entry, unsigned int level)
{
	return ept_is_present(entry) && !ept_is_leaf(entry, level);
}

/* An entry of somebody else's table, in one of @v's: shared with him */
static u64 shared(u64 entry, unsigned int level)
{
	return is_table(entry, level) ? entry & ~ENTRY_OWN : entry;
}

int ept_view_create(struct ept *base, struct ept **view)
{
	unsigned int i;
	struct ept *v;

	*view = NULL;
	v = base->ops->alloc(base->ctx, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->ops = base->ops;
	v->ctx = base->ctx;
	v->end = base->end;
	v->exec_only = base->exec_only;
	v->base = base;
	v->root = ept_table_new(v, &v->root_phys);
	if (!v->root) {
		base->ops->free(base->ctx, v);
		return -ENOMEM;
	}
	for (i = 0; i < EPT_TABLE_ENTRIES; i++)
		v->root[i] = shared(base->root[i], EPT_LEVELS);
	base->views++;
	*view = v;
	return 0;
}

static void set_entry(u64 *at, u64 entry)
{
	/*
	 * Pairs with the processor's page walk: whatever the entry leads to has
	 * been written before. Walks read entries whole (SDM volume 3, 9.1.1).
	 */
	smp_store_release(at, entry);
}

/*
 * The view's own table below the entry @at of level @level: the one that is
 * there, or a copy of the shared one, or of the large page split into the next
 * smaller ones. NULL if there is no memory; a view that was given some tables
 * but not all maps the same as before.
 */
static u64 *own_table(struct ept *v, u64 *at, unsigned int level)
{
	u64 old = *at, *table, phys;
	unsigned int i;

	if (is_table(old, level) && (old & ENTRY_OWN))
		return ept_table(v, old);
	table = ept_table_new(v, &phys);
	if (!table)
		return NULL;
	for (i = 0; i < EPT_TABLE_ENTRIES; i++)
		table[i] = shared(ept_child(v, old, level, i), level - 1);
	set_entry(at, ept_table_entry(phys) | ENTRY_OWN);
	return table;
}

static int set_page(struct ept *v, u64 gpa, u64 entry)
{
	unsigned int level;
	u64 *table = v->root;

	for (level = EPT_LEVELS; level > EPT_4K; level--) {
		table = own_table(v, &table[ept_index(gpa, level)], level);
		if (!table)
			return -ENOMEM;
	}
	set_entry(&table[ept_index(gpa, EPT_4K)], entry);
	return 0;
}

static bool is_page(const struct ept *e, u64 addr)
{
	return addr < e->end && !(addr % ept_size(EPT_4K));
}

static const struct ept *home_of(const struct ept *view)
{
	while (view->base)
		view = view->base;
	return view;
}

/* Which combinations are a misconfiguration: SDM 29.3.3.1 */
static bool prot_exists(const struct ept *e, unsigned int prot)
{
	if (prot & ~(unsigned int)ENTRY_PROT)
		return false;
	if ((prot & EPT_WRITE) && !(prot & EPT_READ))
		return false;
	return prot != EPT_EXEC || e->exec_only;
}

int ept_view_map_page(struct ept *view, u64 gpa, u64 hpa, unsigned int prot)
{
	struct ept_leaf to;

	if (!view->base || !is_page(view, gpa) || !is_page(view, hpa) ||
	    !prot_exists(view, prot))
		return -EINVAL;
	if (!prot)
		return set_page(view, gpa, 0);
	if (ept_lookup(home_of(view), hpa, &to))
		return -EINVAL;
	return set_page(view, gpa, ept_leaf_entry(hpa, EPT_4K, to.type, prot));
}

int ept_view_reset_page(struct ept *view, u64 gpa)
{
	struct ept_leaf at, here;
	u64 entry;

	if (!view->base || !is_page(view, gpa))
		return -EINVAL;
	ept_lookup(home_of(view), gpa, &at);
	entry = ept_leaf_entry(gpa, EPT_4K, at.type, at.prot);
	/* If nothing is to be done, no tables are made for it. */
	if (!ept_lookup(view, gpa, &here) &&
	    (here.level > EPT_4K || here.entry == entry))
		return 0;
	return set_page(view, gpa, entry);
}

struct each {
	const struct ept *e;
	u64 start, end;
	int (*fn)(void *arg, const struct ept_leaf *leaf);
	void *arg;
};

static int each_below(const struct each *x, const u64 *table, u64 gpa,
		      unsigned int level)
{
	unsigned int i = 0;
	int ret = 0;

	if (gpa < x->start) { /* what lies below costs nothing */
		i = (x->start - gpa) >> ept_shift(level);
		gpa += (u64)i << ept_shift(level);
	}
	for (; i < EPT_TABLE_ENTRIES && gpa < x->end && !ret;
	     i++, gpa += ept_size(level)) {
		u64 entry = READ_ONCE(table[i]);
		struct ept_leaf leaf;

		if (!ept_is_present(entry))
			continue;
		if (!ept_is_leaf(entry, level)) {
			ret = each_below(x, ept_table(x->e, entry), gpa,
					 level - 1);
			continue;
		}
		ept_fill_leaf(gpa, entry, level, &leaf);
		ret = x->fn(x->arg, &leaf);
	}
	return ret;
}

int ept_for_each(const struct ept *e, u64 start, u64 end,
		 int (*fn)(void *arg, const struct ept_leaf *leaf), void *arg)
{
	struct each x = { e, start, min(end, e->end), fn, arg };

	return start < x.end ? each_below(&x, e->root, 0, EPT_LEVELS) : 0;
}

struct diff {
	const struct ept *a, *b;
	int (*fn)(void *arg, const struct ept_leaf *a,
		  const struct ept_leaf *b);
	void *arg;
};

static int diff_entry(const struct diff *d, u64 gpa, u64 a, u64 b,
		      unsigned int level)
{
	struct ept_leaf la, lb;
	unsigned int i;
	int ret = 0;

	/* The same page, or a table that both share */
	if (a == b)
		return 0;
	if (!is_table(a, level) && !is_table(b, level)) {
		ept_fill_leaf(gpa, a, level, &la);
		ept_fill_leaf(gpa, b, level, &lb);
		return d->fn(d->arg, &la, &lb);
	}
	for (i = 0; i < EPT_TABLE_ENTRIES && !ret; i++)
		ret = diff_entry(d, gpa + ((u64)i << ept_shift(level - 1)),
				 ept_child(d->a, a, level, i),
				 ept_child(d->b, b, level, i), level - 1);
	return ret;
}

int ept_diff(const struct ept *a, const struct ept *b,
	     int (*fn)(void *arg, const struct ept_leaf *a,
		       const struct ept_leaf *b),
	     void *arg)
{
	struct diff d = { a, b, fn, arg };

	if (a->ops != b->ops)
		return -EINVAL;
	return diff_entry(&d, 0, ept_table_entry(a->root_phys),
			  ept_table_entry(b->root_phys), EPT_LEVELS + 1);
}
