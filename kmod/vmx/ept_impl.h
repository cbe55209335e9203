/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * ept_impl.h - what ept.c and ept_view.c share
 */
#ifndef VMX_EPT_IMPL_H
#define VMX_EPT_IMPL_H

#include "ept.h"

/*
 * In a view, an entry that points to a table of its own has this bit; what it
 * copies of others has not, and in home none has. The processor ignores it in
 * entries that point to tables (SDM 29.3.2, bits 62:52).
 */
#define ENTRY_OWN BIT_ULL(52)

#define ENTRY_ADDR GENMASK_ULL(51, 12)
#define ENTRY_PROT (EPT_READ | EPT_WRITE | EPT_EXEC)

struct ept {
	const struct ept_ops *ops;
	void *ctx;
	u64 *root;
	u64 root_phys;
	u64 end;
	u64 tables;
	bool exec_only;
	/* of a view: whose tables it shares, for all that is its own */
	struct ept *base;
	/* how many share its tables, and are they all that it is kept for? */
	u64 views;
	bool put;
};

static inline u64 *ept_table(const struct ept *e, u64 entry)
{
	return e->ops->table_at(e->ctx, entry & ENTRY_ADDR);
}

static inline bool ept_is_present(u64 entry)
{
	return entry & ENTRY_PROT;
}

/* Does an entry of this level map a page, rather than point to a table? */
static inline bool ept_is_leaf(u64 entry, unsigned int level)
{
	return level == EPT_4K || (entry & EPT_LARGE);
}

static inline unsigned int ept_index(u64 gpa, unsigned int level)
{
	return (gpa >> ept_shift(level)) % EPT_TABLE_ENTRIES;
}

/* An entry that maps a page */
static inline u64 ept_leaf_entry(u64 hpa, unsigned int level, u8 type,
				 unsigned int prot)
{
	return hpa | prot | ((u64)type << EPT_TYPE_SHIFT) |
	       (level == EPT_4K ? 0 : EPT_LARGE);
}

static inline u64 ept_table_entry(u64 phys)
{
	return phys | ENTRY_PROT;
}

/*
 * What entry @i of the table under @entry is: read from there, or what it would
 * be if a large page were split. @level is that of @entry.
 */
static inline u64 ept_child(const struct ept *e, u64 entry, unsigned int level,
			    unsigned int i)
{
	if (!ept_is_present(entry))
		return 0;
	if (!ept_is_leaf(entry, level))
		return READ_ONCE(ept_table(e, entry)[i]);
	entry += (u64)i << ept_shift(level - 1);
	return level - 1 == EPT_4K ? entry & ~EPT_LARGE : entry;
}

u64 *ept_table_new(struct ept *e, u64 *phys);
void ept_table_drop(struct ept *e, u64 *table, u64 phys);
/* Fill @leaf; false if nothing is mapped. */
bool ept_fill_leaf(u64 gpa, u64 entry, unsigned int level,
		   struct ept_leaf *leaf);

#endif
