/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * ept.h - extended page tables: home, and views that differ from it in a few
 * pages
 *
 * Home maps the physical address space to itself, as far as 4 levels reach, with
 * the memory types of the MTRRs and with the largest pages that these allow. A
 * view begins as a copy of home's root table alone; every page that is mapped
 * otherwise costs it a copy of the tables on the way there, and all else stays
 * shared.
 *
 * Accessed and dirty flags are off: the processor never writes to our tables, so
 * they can be shared, compared and relied upon.
 *
 * Nothing here flushes anything. Who changes what a processor may be using has
 * to run INVEPT there afterwards; changes are made so that a processor sees
 * either the old or the new mapping, nothing in between. Callers serialize.
 *
 * See SDM volume 3, 29.3.
 */
#ifndef VMX_EPT_H
#define VMX_EPT_H

#include "mtrr.h"
#include "types.h"
#include "vmx_arch.h"

/*
 * The low byte of an EPTP: write-back tables, no accessed and dirty flags, 4
 * levels (SDM 25.6.11). The gate writes it to make an entry of the EPTP list
 * valid (view/gate.h: it is to be no instruction of one byte).
 */
#define EPTP_LOW 0x1eu

static_assert(EPTP_LOW == (MEM_WB | EPTP_WALK4), "WB, 4 levels");

/*
 * Servers say that their addresses have 52 bits, and have nothing where a fifth
 * level would be needed: all it would do is to make each walk longer, and to take
 * 30 MB more. Where there is something (vmx_machine.beyond) there is no root.
 * Whatever goes there all the same is an EPT violation (SDM 29.3.2), and home is
 * left.
 */
#define EPT_LEVELS 4u
#define EPT_ADDR_BITS 48u

#define EPT_TABLE_ENTRIES 512u

/*
 * Memory types that change more often are a mistake in reading the MTRRs, or a
 * mask with holes that nobody meant, and would cost a table for each change.
 */
#define EPT_PIECES_MAX 65536u

/* Levels of entries, counted from the bottom */
enum {
	EPT_4K = 1,
	EPT_2M = 2,
	EPT_1G = 3,
};

/* log2 of what one entry of a level maps */
static inline unsigned int ept_shift(unsigned int level)
{
	return 12 + 9 * (level - 1);
}

static inline u64 ept_size(unsigned int level)
{
	return 1ull << ept_shift(level);
}

/* Where memory comes from. Each may be called from the functions below only. */
struct ept_ops {
	/* A page of zeros, and its physical address; NULL if there is none */
	u64 *(*table_alloc)(void *ctx, u64 *phys);
	void (*table_free)(void *ctx, u64 *table, u64 phys);
	/* The table at a physical address that table_alloc gave */
	u64 *(*table_at)(void *ctx, u64 phys);
	/* For what describes a root: zeroed, small */
	void *(*alloc)(void *ctx, size_t size);
	void (*free)(void *ctx, void *p);
};

struct ept_config {
	const struct mtrr_state *mtrr; /* has the physical address width */
	u64 cap;		       /* IA32_VMX_EPT_VPID_CAP */
	/* Refuse to use more tables than this; 0: as many as it takes */
	u64 max_tables;
};

enum ept_refusal {
	EPT_FINE,
	EPT_NO_WALK4, /* no page walks of 4 levels */
	EPT_NO_WB,    /* tables cannot be write-back */
	EPT_NO_2M,    /* no 2 MB pages */
	EPT_BAD_MTRR, /* the MTRRs cannot be as they were read */
	EPT_TOO_BIG,  /* more than max_tables */
	EPT_REFUSALS
};

struct ept;

/* Can home be built? What it would take is left in @tables if not NULL. */
enum ept_refusal ept_check(const struct ept_config *cfg, u64 *tables);
const char *ept_refusal_text(enum ept_refusal why);

/*
 * Build home. -EOPNOTSUPP if ept_check() refuses, -ENOMEM with nothing left
 * behind. To be given back by ept_put().
 */
int ept_home_create(const struct ept_config *cfg, const struct ept_ops *ops,
		    void *ctx, struct ept **home);

/*
 * A view of @base, home or another view, in which nothing differs yet. What is
 * mapped in a view that has views of its own, these may see or not: so map
 * before. The tables of @base stay as long as the last of its views; all are put
 * back in any order. 0 or -ENOMEM
 */
int ept_view_create(struct ept *base, struct ept **view);

/*
 * In this view the page at @gpa is the page at @hpa, with the rights in @prot
 * (EPT_READ, EPT_WRITE, EPT_EXEC) or none. It has the memory type that home
 * gives to @hpa. -EINVAL for home itself, for addresses that are no pages or
 * beyond the address space, and for rights that the processor does not know
 * (SDM 29.3.3.1); -ENOMEM with the view unchanged.
 */
int ept_view_map_page(struct ept *view, u64 gpa, u64 hpa, unsigned int prot);

/* The page at @gpa is as it is at home. Its tables stay with the view. */
int ept_view_reset_page(struct ept *view, u64 gpa);

/* Free what only this root uses. NULL is fine. */
void ept_put(struct ept *e);

/* What is loaded into the VMCS, or put into the EPTP list */
u64 ept_eptp(const struct ept *e);

/* How many tables are this root's own. */
u64 ept_tables(const struct ept *e);
/* How many views it has. */
u64 ept_views(const struct ept *e);
/* The first address that is not mapped any more. */
u64 ept_end(const struct ept *e);

/* What a guest-physical address is mapped to */
struct ept_leaf {
	u64 gpa; /* the first address of the page */
	u64 hpa;
	u64 entry;	    /* as in the table */
	unsigned int level; /* of that entry: EPT_4K, EPT_2M, EPT_1G */
	unsigned int prot;
	u8 type;
};

/* -ENOENT if nothing is mapped there; then @leaf has gpa and level. */
int ept_lookup(const struct ept *e, u64 gpa, struct ept_leaf *leaf);

/*
 * Call @fn for each page mapped in [start, end), from below. What is not 0 ends
 * it and is returned.
 */
int ept_for_each(const struct ept *e, u64 start, u64 end,
		 int (*fn)(void *arg, const struct ept_leaf *leaf), void *arg);

/*
 * Call @fn for each page that two roots map differently, from below: the
 * largest pages of which that can be said, @a and @b as they map it, prot 0 if
 * they do not. Tables that both share are not looked into. What is not 0 ends
 * it and is returned. Both must have the same ept_ops.
 */
int ept_diff(const struct ept *a, const struct ept *b,
	     int (*fn)(void *arg, const struct ept_leaf *a,
		       const struct ept_leaf *b),
	     void *arg);

#endif
