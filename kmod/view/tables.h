/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all views have in common: the IDT and the entry points of the stubs, the
 * page tables of the gate view, and the pages that differ from view to view.
 */
#ifndef SKYIPC_VIEW_TABLES_H
#define SKYIPC_VIEW_TABLES_H

#include <linux/types.h>

struct ept;

/* gate.S and tramp.S, and those for machines with protection keys */
extern const u8 skyipc_gate_page[], skyipc_tramp_page[];
extern const u8 skyipc_gate_page_pkru[], skyipc_tramp_page_pkru[];

/* Where views have their own pages: at home they are these. */
enum view_place {
	VIEW_PLACE_SAVE,	/* view_save_page; kernel only */
	VIEW_PLACE_PAGE,	/* at VIEW_PAGE_AT, in programs */
	VIEW_PLACE_THREAD,	/* at VIEW_THREAD_AT, in the gate view */
	VIEW_PLACE_LIST,	/* at VIEW_LIST_AT, in the gate view */
	VIEW_PLACES
};

/* With root on, and home. May sleep. 0 or -errno, with nothing left */
int view_tables_make(struct ept *home);
/*
 * Of another root, whose home that is. Views that there are stay those of the old
 * one. -ENOMEM: as before
 */
int view_tables_anew(struct ept *home);
/* No view is left. */
void view_tables_free(void);

/* As ept.h has them, for a view in which the stubs are in place already. */
int view_create(struct ept **view);
void view_put(struct ept *view);
/* In @view, @place is this page of Linux's. */
int view_set(struct ept *view, enum view_place place, const void *page);
/* Also where nobody may sleep, if it has been set before. */
int view_set_again(struct ept *view, enum view_place place, const void *page);
/* In @view, the top-level page table @from is @to. */
int view_set_pgd(struct ept *view, const void *from, const void *to);

/* Of the root that the tables are of: an entry for slot 0, not enabled */
u64 view_home_entry(void);
u64 view_epoch(void);

/*
 * The kernel's half of the gate view leads to @at, too, as that of the calling
 * thread does: where there has been nothing so far, there may be memory by now.
 */
void view_gate_reaches(const void *at);
/* The top-level page table of the gate view */
const void *view_gate_pgd(void);
/* Pages to be mapped by programs */
unsigned long view_tramp_pfn(void);
unsigned long view_page_pfn(void);

#endif
