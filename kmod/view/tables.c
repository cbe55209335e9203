// SPDX-License-Identifier: GPL-2.0-only
#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/desc.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include <asm/io.h>
#include <asm/msr.h>
#include <asm/pgtable.h>
#include <asm/tsc.h>

#include "compat.h"
#include "kcall/park.h"
#include "kcall/pkru.h"
#include "left.h"
#include "layout.h"
#include "save.h"
#include "tables.h"
#include "vmx/ept.h"
#include "vmx/vmx.h"

/*
 * At home; in the views they are others'. Together but for view_save_page, so that
 * they share tables.
 */
static u8 *places;
#define PLACES_ORDER 2

static const void *place_at(enum view_place place)
{
	return place == VIEW_PLACE_SAVE ? (void *)&view_save_page :
					  places + place * PAGE_SIZE;
}

static DEFINE_MUTEX(lock); /* ept.h: callers serialize */
static struct ept *base;	/* home, with the stubs in place */
static u64 home_entry, epoch;
static void *idt, *entries[2];	/* replacements */
static u64 entry_gpa[2], idt_gpa;
static void *gate_tables[12];
static unsigned int gate_tables_used;

static u64 gpa_of(const void *page)
{
	const unsigned long at = (unsigned long)page;

	if (is_vmalloc_addr(page) || (at >= MODULES_VADDR && at < MODULES_END))
		return page_to_phys(vmalloc_to_page(page));
	return __pa(page);
}

/* ---- the stubs ---------------------------------------------------------------- */

/* For objtool: what is near a stub, when it is computed with, is not jumped to. */
static u64 stub(unsigned int vector)
{
	u64 stubs = (u64)view_stubs;

	OPTIMIZER_HIDE_VAR(stubs);
	return stubs + vector * VIEW_STUB_SIZE;
}

static int make_idt(void)
{
	struct desc_ptr at;
	gate_desc *gates;
	unsigned int level;
	pte_t *pte;

	store_idt(&at);
	if (at.size + 1 < 256 * sizeof(gate_desc) || !PAGE_ALIGNED(at.address))
		return -EOPNOTSUPP;
	pte = lookup_address(at.address, &level);
	if (!pte || level != PG_LEVEL_4K)
		return -EOPNOTSUPP;
	idt_gpa = PFN_PHYS(pte_pfn(*pte));
	idt = (void *)get_zeroed_page(GFP_KERNEL);
	if (!idt)
		return -ENOMEM;
	gates = memcpy(idt, (void *)at.address, PAGE_SIZE);
	for (unsigned int i = 0; i < 256; i++) {
		if (!gates[i].bits.p)
			continue;
		view_handlers[i] = gate_offset(&gates[i]);
		gates[i].offset_low = (u16)stub(i);
		gates[i].offset_middle = (u16)(stub(i) >> 16);
		gates[i].offset_high = (u32)(stub(i) >> 32);
	}
	return 0;
}

/* A copy of the page of Linux's text, in which @entry leads to a stub */
static int make_entry(unsigned int i, u64 entry, unsigned int vector)
{
	static const u8 endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	const u64 page = entry & PAGE_MASK;
	u8 *to, *at;
	s64 distance;

	to = i && entry_gpa[0] == slow_virt_to_phys((void *)page) ? entries[0] :
		(void *)get_zeroed_page(GFP_KERNEL);
	if (!to)
		return -ENOMEM;
	if (to != entries[0]) {
		memcpy(to, (void *)page, PAGE_SIZE);
		entries[i] = to;
	}
	view_entries[i] = entry;
	entry_gpa[i] = slow_virt_to_phys((void *)page);
	at = to + offset_in_page(entry);
	if (offset_in_page(entry) + 9 > PAGE_SIZE)
		return -EOPNOTSUPP;
	if (!memcmp(at, endbr, sizeof(endbr))) {
		at += sizeof(endbr);
		entry += sizeof(endbr);
	}
	distance = stub(vector) - (entry + 5);
	if (distance != (s32)distance)
		return -EOPNOTSUPP;
	at[0] = 0xe9;	/* jmp */
	*(s32 *)(at + 1) = distance;
	return 0;
}

static int make_stubs(void)
{
	u64 syscall, sysenter;
	int error = make_idt();

	skyipc_rdmsr(MSR_LSTAR, syscall);
	skyipc_rdmsr(MSR_IA32_SYSENTER_EIP, sysenter);
	if (!error)
		error = make_entry(0, syscall, VIEW_VECTOR_SYSCALL);
	if (!error && sysenter)
		error = make_entry(1, sysenter, VIEW_VECTOR_SYSENTER);
	return error;
}

/* ---- the gate view's page tables ---------------------------------------------- */

static void *gate_table(void)
{
	void *table = (void *)get_zeroed_page(GFP_KERNEL);

	if (table)
		gate_tables[gate_tables_used++] = table;
	return table;
}

/* The table below entry @i, made if there is none; NULL: no memory */
static u64 *below(u64 *table, unsigned int i)
{
	u64 *next;

	if (table[i])
		return __va(table[i] & PTE_PFN_MASK);
	next = gate_table();
	if (next)
		table[i] = __pa(next) | _PAGE_PRESENT | _PAGE_RW | _PAGE_USER |
			   _PAGE_ACCESSED;
	return next;
}

static int gate_map(u64 at, const void *page, u64 flags)
{
	u64 *table = gate_tables[0];

	for (int shift = pgtable_l5_enabled() ? 48 : 39; shift > 12; shift -= 9) {
		table = below(table, at >> shift & 511);
		if (!table)
			return -ENOMEM;
	}
	/* Accessed and dirty already: nobody is to write here. */
	table[at >> 12 & 511] = gpa_of(page) | flags | _PAGE_PRESENT |
		_PAGE_USER | _PAGE_ACCESSED | _PAGE_DIRTY;
	return 0;
}

static int make_gate(void)
{
	u64 *top = gate_table();
	int error;

	if (!top)
		return -ENOMEM;
	/* The kernel's half is the same everywhere: view_gate_reaches() */
	memcpy(top + 256, (u64 *)current->mm->pgd + 256, 256 * 8);
	error = gate_map(VIEW_AT, sky_has_keys() ?
			 skyipc_gate_page_pkru : skyipc_gate_page, 0);
	if (!error)
		error = gate_map(VIEW_THREAD_AT, place_at(VIEW_PLACE_THREAD),
				 _PAGE_NX);
	if (!error)
		error = gate_map(VIEW_LIST_AT, place_at(VIEW_PLACE_LIST),
				 _PAGE_NX | _PAGE_RW);
	return error;
}

/* ---- views -------------------------------------------------------------------- */

/* With the lock held */
static int make_base(struct ept *home)
{
	const unsigned int text = EPT_READ | EPT_EXEC;
	int error = ept_view_create(home, &base);

	if (!error)
		error = ept_view_map_page(base, idt_gpa, __pa(idt), EPT_READ);
	if (!error)
		error = ept_view_map_page(base, entry_gpa[0], __pa(entries[0]),
					  text);
	if (!error && entries[1])
		error = ept_view_map_page(base, entry_gpa[1], __pa(entries[1]),
					  text);
	if (error)
		return error;
	home_entry = ept_eptp(home) & ~0xffull;
	epoch = vmx_epoch();
	return 0;
}

static int make_places(void)
{
	static_assert(VIEW_PLACES <= 1 << PLACES_ORDER);
	places = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO,
					  PLACES_ORDER);
	if (!places)
		return -ENOMEM;
	*(u32 *)(places + VIEW_PLACE_PAGE * PAGE_SIZE + VIEW_PAGE_MASK) =
		view_all_features;
	return 0;
}

int view_tables_make(struct ept *home)
{
	int error;

	view_all_features = xgetbv(XCR_XFEATURE_ENABLED_MASK) &
			    ~XFEATURE_MASK_PKRU;
	view_park_features = sky_park_features();
	view_tsc_mult = div_u64((u64)tsc_khz << VIEW_TSC_SHIFT, USEC_PER_SEC);
	mutex_lock(&lock);
	error = make_places();
	if (!error)
		error = make_stubs();
	if (!error)
		error = make_gate();
	if (!error)
		error = make_base(home);
	mutex_unlock(&lock);
	if (error)
		view_tables_free();
	return error;
}

int view_tables_anew(struct ept *home)
{
	struct ept *old;
	int error;

	mutex_lock(&lock);
	old = base;
	error = make_base(home);
	if (error)
		swap(old, base);
	ept_put(old);
	mutex_unlock(&lock);
	return error;
}

void view_tables_free(void)
{
	mutex_lock(&lock);
	ept_put(base);
	base = NULL;
	while (gate_tables_used)
		free_page((unsigned long)gate_tables[--gate_tables_used]);
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++) {
		free_page((unsigned long)entries[i]);
		entries[i] = NULL;
	}
	free_page((unsigned long)idt);
	idt = NULL;
	free_pages((unsigned long)places, PLACES_ORDER);
	places = NULL;
	mutex_unlock(&lock);
}

int view_create(struct ept **view)
{
	int error;

	mutex_lock(&lock);
	error = ept_view_create(base, view);
	mutex_unlock(&lock);
	return error;
}

void view_put(struct ept *view)
{
	mutex_lock(&lock);
	ept_put(view);
	mutex_unlock(&lock);
}

int view_set_again(struct ept *view, enum view_place place, const void *page)
{
	/* Nobody may execute what is in there, nor is there anything. */
	return ept_view_map_page(view, gpa_of(place_at(place)), gpa_of(page),
				 EPT_READ | EPT_WRITE);
}

int view_set(struct ept *view, enum view_place place, const void *page)
{
	int error;

	mutex_lock(&lock);
	error = view_set_again(view, place, page);
	mutex_unlock(&lock);
	return error;
}

int view_set_pgd(struct ept *view, const void *from, const void *to)
{
	int error;

	mutex_lock(&lock);
	error = ept_view_map_page(view, gpa_of(from), gpa_of(to),
				  EPT_READ | EPT_WRITE);
	mutex_unlock(&lock);
	return error;
}

u64 view_home_entry(void)
{
	return home_entry;
}

u64 view_epoch(void)
{
	return epoch;
}

/*
 * vmalloc's are there from the start (preallocate_vmalloc_pages()); memory that is
 * added may take a new one, which Linux copies to the tables that it knows
 * (sync_global_pgds()). From nothing to something, no CPU remembers.
 */
void view_gate_reaches(const void *at)
{
	const unsigned int i = pgd_index((unsigned long)at);
	u64 *top = gate_tables[0];

	WRITE_ONCE(top[i], READ_ONCE(((u64 *)current->mm->pgd)[i]));
}

const void *view_gate_pgd(void)
{
	return gate_tables[0];
}

unsigned long view_tramp_pfn(void)
{
	return gpa_of(sky_has_keys() ?
		      skyipc_tramp_page_pkru : skyipc_tramp_page) >> PAGE_SHIFT;
}

unsigned long view_page_pfn(void)
{
	return gpa_of(place_at(VIEW_PLACE_PAGE)) >> PAGE_SHIFT;
}
