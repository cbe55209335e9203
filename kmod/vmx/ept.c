// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * ept.c - home: the physical address space, mapped to itself
 */
#include "ept_impl.h"

static const char *const refusal_texts[] = {
	[EPT_FINE] = "EPT can be built",
	[EPT_NO_WALK4] = "EPT: no page walks of 4 levels",
	[EPT_NO_WB] = "EPT: tables cannot be write-back",
	[EPT_NO_2M] = "EPT: no 2 MB pages",
	[EPT_BAD_MTRR] = "EPT: the MTRRs make no sense",
	[EPT_TOO_BIG] = "EPT: the tables would take too much memory",
};

static_assert(ARRAY_SIZE(refusal_texts) == EPT_REFUSALS, "one for each");

const char *ept_refusal_text(enum ept_refusal why)
{
	return why < EPT_REFUSALS ? refusal_texts[why] : NULL;
}

u64 *ept_table_new(struct ept *e, u64 *phys)
{
	u64 *table = e->ops->table_alloc(e->ctx, phys);

	if (table)
		e->tables++;
	return table;
}

void ept_table_drop(struct ept *e, u64 *table, u64 phys)
{
	e->tables--;
	e->ops->table_free(e->ctx, table, phys);
}

/* What is being built, and the piece of memory of one type that we are in */
struct build {
	struct ept *e;
	const struct mtrr_state *mtrr;
	struct mtrr_piece piece;
	u64 end;
	unsigned int leaf_max; /* the largest pages */
};

static void build_init(struct build *b, const struct ept_config *cfg)
{
	memset(b, 0, sizeof(*b));
	b->mtrr = cfg->mtrr;
	b->end = 1ull << min(cfg->mtrr->phys_bits, EPT_ADDR_BITS);
	b->leaf_max = cfg->cap & EPT_CAP_1G ? EPT_1G : EPT_2M;
}

/*
 * Has all of what an entry at @gpa maps one type, and is there at all?
 * Addresses only go up: what is known of memory from b->piece.start on holds
 * for @gpa.
 */
static bool uniform(struct build *b, u64 gpa, unsigned int level)
{
	u64 end = gpa + ept_size(level);

	if (end > b->piece.end)
		mtrr_extent(b->mtrr, gpa, end, &b->piece);
	return end <= b->piece.end;
}

/* The tables under an entry whose memory has one type: none if it is a leaf */
static u64 count_uniform(const struct build *b, unsigned int level)
{
	u64 n = 0, below = 1;

	for (; level > b->leaf_max; level--) {
		n += below;
		below *= EPT_TABLE_ENTRIES;
	}
	return n;
}

/* The tables under the entry for @gpa */
static u64 count(struct build *b, u64 gpa, unsigned int level)
{
	u64 at, n = 1;

	if (level == EPT_4K)
		return 0;
	if (uniform(b, gpa, level))
		return count_uniform(b, level);
	for (at = gpa; at < gpa + ept_size(level) && at < b->end;
	     at += ept_size(level - 1))
		n += count(b, at, level - 1);
	return n;
}

enum ept_refusal ept_check(const struct ept_config *cfg, u64 *tables)
{
	struct build b;
	u64 n;

	if (tables)
		*tables = 0;
	/*
	 * What else is odd about the MTRRs is for the caller to judge; home
	 * then has the types that mtrr_lookup() gives.
	 */
	if (mtrr_check(cfg->mtrr, EPT_PIECES_MAX) &
	    (MTRR_ODD_PHYS_BITS | MTRR_ODD_PIECES))
		return EPT_BAD_MTRR;
	if (!(cfg->cap & EPT_CAP_WALK4))
		return EPT_NO_WALK4;
	if (!(cfg->cap & EPT_CAP_WB))
		return EPT_NO_WB;
	if (!(cfg->cap & EPT_CAP_2M))
		return EPT_NO_2M;
	build_init(&b, cfg);
	n = count(&b, 0, EPT_LEVELS + 1);
	if (tables)
		*tables = n;
	if (cfg->max_tables && n > cfg->max_tables)
		return EPT_TOO_BIG;
	return EPT_FINE;
}

/*
 * Free a table of which the first @used entries have been filled in, and all
 * tables below that are this root's own: in home all are.
 */
static void free_tables(struct ept *e, u64 *table, u64 phys, unsigned int level,
			unsigned int used)
{
	unsigned int i;

	for (i = 0; level > EPT_4K && i < used; i++) {
		u64 entry = table[i];

		if (!ept_is_present(entry) || ept_is_leaf(entry, level))
			continue;
		if (!e->base || (entry & ENTRY_OWN))
			free_tables(e, ept_table(e, entry), entry & ENTRY_ADDR,
				    level - 1, EPT_TABLE_ENTRIES);
	}
	ept_table_drop(e, table, phys);
}

/*
 * The table of entries of @level for the memory from @gpa. Recursion is four
 * deep at most.
 */
static u64 *build_table(struct build *b, u64 gpa, unsigned int level, u64 *phys)
{
	u64 *table = ept_table_new(b->e, phys), below;
	unsigned int i;

	if (!table)
		return NULL;
	for (i = 0; i < EPT_TABLE_ENTRIES && gpa < b->end;
	     i++, gpa += ept_size(level)) {
		if (level <= b->leaf_max && uniform(b, gpa, level)) {
			table[i] = ept_leaf_entry(gpa, level, b->piece.type,
						  ENTRY_PROT);
			continue;
		}
		if (!build_table(b, gpa, level - 1, &below)) {
			free_tables(b->e, table, *phys, level, i);
			return NULL;
		}
		table[i] = ept_table_entry(below);
	}
	return table;
}

int ept_home_create(const struct ept_config *cfg, const struct ept_ops *ops,
		    void *ctx, struct ept **home)
{
	struct ept *e;
	struct build b;

	*home = NULL;
	if (ept_check(cfg, NULL) != EPT_FINE)
		return -EOPNOTSUPP;
	e = ops->alloc(ctx, sizeof(*e));
	if (!e)
		return -ENOMEM;
	build_init(&b, cfg);
	b.e = e;
	e->ops = ops;
	e->ctx = ctx;
	e->end = b.end;
	e->exec_only = cfg->cap & EPT_CAP_EXEC_ONLY;
	e->root = build_table(&b, 0, EPT_LEVELS, &e->root_phys);
	if (!e->root) {
		ops->free(ctx, e);
		return -ENOMEM;
	}
	*home = e;
	return 0;
}

void ept_put(struct ept *e)
{
	struct ept *base;

	if (!e)
		return;
	base = e->base;
	e->put = true;
	if (e->views)
		return; /* they go on */
	free_tables(e, e->root, e->root_phys, EPT_LEVELS, EPT_TABLE_ENTRIES);
	e->ops->free(e->ctx, e);
	if (base && !--base->views && base->put)
		ept_put(base);
}

u64 ept_eptp(const struct ept *e)
{
	return e->root_phys | EPTP_LOW;
}

u64 ept_tables(const struct ept *e)
{
	return e->tables;
}

u64 ept_views(const struct ept *e)
{
	return e->views;
}

u64 ept_end(const struct ept *e)
{
	return e->end;
}
