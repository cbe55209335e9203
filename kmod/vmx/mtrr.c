// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * mtrr.c - what memory type the MTRRs give to a physical address
 *
 * The rules are those of SDM volume 3, 12.11.4.1. The hardware compares each
 * address with every range; we do the same, but for each range also compute
 * where its answer changes next, so that the address space is walked piece by
 * piece and not page by page.
 */
#include "mtrr.h"

#define PAGE_BITS 12

/* First address and first MSR of each kind of fixed range, and its size */
static const struct {
	u32 start;
	u32 end;
	u8 shift; /* log2 of what one byte of the register stands for */
	u8 reg;	  /* first in mtrr_state.fixed */
} fixed_kinds[] = {
	{ 0x00000, 0x80000, 16, 0 },
	{ 0x80000, 0xc0000, 14, 1 },
	{ 0xc0000, 0x100000, 12, 3 },
};

u32 mtrr_fixed_msr(unsigned int i)
{
	static const u16 msrs[MTRR_FIXED_REGS] = {
		0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
		0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
	};

	return i < MTRR_FIXED_REGS ? msrs[i] : 0;
}

static bool type_exists(u64 type)
{
	return type == MEM_UC || type == MEM_WC || type == MEM_WT ||
	       type == MEM_WP || type == MEM_WB;
}

static u64 space_end(const struct mtrr_state *m)
{
	return 1ull << m->phys_bits;
}

/* The bits that take part in comparing an address */
static u64 addr_bits(const struct mtrr_state *m)
{
	return GENMASK_ULL(m->phys_bits - 1, PAGE_BITS);
}

static bool phys_bits_ok(const struct mtrr_state *m)
{
	return m->phys_bits >= 32 && m->phys_bits <= 52;
}

static bool fixed_enabled(const struct mtrr_state *m)
{
	return (m->cap & MTRR_CAP_FIXED) && (m->def_type & MTRR_DEF_FIXED);
}

/* A type as it is used: one that does not exist is uncacheable, and odd. */
static void set_type(struct mtrr_piece *p, u64 type)
{
	p->odd = type_exists(type) ? 0 : MTRR_ODD_TYPE;
	p->type = p->odd ? MEM_UC : type;
}

static void lookup_fixed(const struct mtrr_state *m, struct mtrr_piece *p)
{
	unsigned int k = 0, n;

	while (p->start >= fixed_kinds[k].end)
		k++;
	n = (p->start - fixed_kinds[k].start) >> fixed_kinds[k].shift;
	p->end = fixed_kinds[k].start + ((u64)(n + 1) << fixed_kinds[k].shift);
	set_type(p,
		 (m->fixed[fixed_kinds[k].reg + n / 8] >> (n % 8 * 8)) & 0xff);
}

/*
 * The next address after @addr at which a range begins or ceases to match, or
 * @end if it does not before. @base and @mask are cut down to the bits that
 * count. Masks may have holes: the hardware only compares.
 */
static u64 next_change(u64 base, u64 mask, u64 addr, u64 end)
{
	u64 differ = (addr ^ base) & mask, next, top, free_bits;

	if (!mask) /* matches everything */
		return end;
	if (!differ) {
		/*
		 * Counting up, the first bit compared to change is the lowest
		 * one, and that is a mismatch.
		 */
		next = (addr | ((mask & -mask) - 1)) + 1;
		return min(next, end);
	}
	/* The smallest higher address that agrees with base under the mask */
	top = 1ull << (63 - __builtin_clzll(differ));
	if (base & top) {
		/* bits above stay, bits below start again from nothing */
		next = (addr & ~(top | (top - 1)) & ~mask) | (base & mask);
		return min(next, end);
	}
	/*
	 * The address is past its chance: a bit above that is free must rise.
	 * There always is one, if only beyond the address space.
	 */
	free_bits = ~addr & ~mask & ~(top | (top - 1));
	free_bits &= -free_bits;
	next = (((addr & ~(free_bits - 1)) | free_bits) & ~mask) |
	       (base & mask);
	return min(next, end);
}

/*
 * Two ranges over one address (SDM 12.11.4.1, 2b): 0, or odd. What is UC stays
 * so, whatever is said of it.
 */
static unsigned int mix(u8 *type, u8 other)
{
	if (*type == other)
		return 0;
	if (other == MEM_UC) {
		*type = MEM_UC;
		return 0;
	}
	if ((*type == MEM_WT && other == MEM_WB) ||
	    (*type == MEM_WB && other == MEM_WT)) {
		*type = MEM_WT;
		return 0;
	}
	return MTRR_ODD_OVERLAP;
}

static void lookup_var(const struct mtrr_state *m, struct mtrr_piece *p)
{
	unsigned int i, n = mtrr_vars(m), matches = 0, overlap = 0, odd = 0;
	u64 bits = addr_bits(m);
	u8 type = 0;

	for (i = 0; i < n; i++) {
		u64 base = m->var[i].base & bits;
		u64 mask = m->var[i].mask & bits;
		struct mtrr_piece one;

		if (!(m->var[i].mask & MTRR_MASK_VALID))
			continue;
		p->end = next_change(base & mask, mask, p->start, p->end);
		if ((p->start ^ base) & mask)
			continue;
		set_type(&one, m->var[i].base & 0xff);
		odd |= one.odd;
		if (!matches++)
			type = one.type;
		else
			overlap |= mix(&type, one.type);
	}
	if (!matches) {
		set_type(p, m->def_type & 0xff);
		return;
	}
	/*
	 * Whatever was mixed before, UC wins. What the SDM calls undefined is
	 * taken as UC as well: slow, but never wrong.
	 */
	if (overlap && type != MEM_UC) {
		odd |= MTRR_ODD_OVERLAP;
		type = MEM_UC;
	}
	p->type = type;
	p->odd = odd;
}

int mtrr_lookup(const struct mtrr_state *m, u64 addr, struct mtrr_piece *p)
{
	if (!phys_bits_ok(m))
		return -EINVAL;
	if (addr >= space_end(m))
		return -ERANGE;
	p->start = addr;
	p->end = space_end(m);
	p->type = MEM_UC;
	p->odd = 0;
	if (!(m->def_type & MTRR_DEF_ENABLED))
		return 0;
	if (fixed_enabled(m)) {
		if (addr < MTRR_FIXED_END) {
			lookup_fixed(m, p);
			return 0;
		}
	}
	lookup_var(m, p);
	return 0;
}

int mtrr_extent(const struct mtrr_state *m, u64 addr, u64 limit,
		struct mtrr_piece *p)
{
	struct mtrr_piece next;
	int err = mtrr_lookup(m, addr, p);

	if (err)
		return err;
	while (p->end < limit && p->end < space_end(m)) {
		mtrr_lookup(m, p->end, &next);
		if (next.type != p->type)
			break;
		p->end = next.end;
		p->odd |= next.odd;
	}
	return 0;
}

static unsigned int check_var(const struct mtrr_state *m,
			      const struct mtrr_var *v)
{
	u64 bits = addr_bits(m), mask = v->mask & bits;
	unsigned int odd = 0;

	if (!(v->mask & MTRR_MASK_VALID))
		return 0;
	if (!type_exists(v->base & 0xff))
		odd |= MTRR_ODD_TYPE;
	if ((v->base & GENMASK_ULL(11, 8)) || (v->mask & GENMASK_ULL(10, 0)))
		odd |= MTRR_ODD_RESERVED;
	if ((v->base | v->mask) & ~(bits | GENMASK_ULL(11, 0)))
		odd |= MTRR_ODD_WIDE;
	/* A mask without holes is ones from its lowest one to the top. */
	if (mask && mask + (mask & -mask) != space_end(m))
		odd |= MTRR_ODD_HOLES;
	if (v->base & bits & ~mask)
		odd |= MTRR_ODD_ALIGN;
	return odd;
}

/* What is odd at some address: fixed ranges, and where others meet */
static unsigned int check_pieces(const struct mtrr_state *m, u64 max)
{
	unsigned int odd = 0;
	struct mtrr_piece p;
	u64 addr, n = 0;

	for (addr = 0; addr < space_end(m); addr = p.end) {
		if (max && n++ >= max)
			return odd | MTRR_ODD_PIECES;
		mtrr_lookup(m, addr, &p);
		odd |= p.odd;
	}
	return odd;
}

unsigned int mtrr_check(const struct mtrr_state *m, u64 max_pieces)
{
	unsigned int odd = 0, i;

	if (!phys_bits_ok(m))
		return MTRR_ODD_PHYS_BITS;
	if (m->def_type & ~(0xffull | MTRR_DEF_FIXED | MTRR_DEF_ENABLED))
		odd |= MTRR_ODD_RESERVED;
	if (!type_exists(m->def_type & 0xff))
		odd |= MTRR_ODD_TYPE;
	if (!(m->def_type & MTRR_DEF_ENABLED))
		return odd | MTRR_ODD_DISABLED;
	for (i = 0; i < mtrr_vars(m); i++)
		odd |= check_var(m, &m->var[i]);
	return odd | check_pieces(m, max_pieces);
}

const char *mtrr_odd_text(unsigned int bit)
{
	switch (bit) {
	case MTRR_ODD_PHYS_BITS:
		return "MTRR: addresses do not have 32 to 52 bits";
	case MTRR_ODD_TYPE:
		return "MTRR: a memory type that does not exist";
	case MTRR_ODD_RESERVED:
		return "MTRR: a reserved bit is set";
	case MTRR_ODD_WIDE:
		return "MTRR: a range beyond the address space";
	case MTRR_ODD_OVERLAP:
		return "MTRR: ranges overlap whose types do not mix";
	case MTRR_ODD_HOLES:
		return "MTRR: the mask of a range has holes";
	case MTRR_ODD_ALIGN:
		return "MTRR: a range does not begin where its size says";
	case MTRR_ODD_DISABLED:
		return "MTRR: disabled, all memory is uncached";
	case MTRR_ODD_PIECES:
		return "MTRR: memory types change too often";
	default:
		return NULL;
	}
}

static bool differ(u32 at, u64 a, u64 b, u32 *msr, u64 *va, u64 *vb)
{
	if (a == b)
		return false;
	*msr = at;
	*va = a;
	*vb = b;
	return true;
}

int mtrr_differ(const struct mtrr_state *a, const struct mtrr_state *b,
		u32 *msr, u64 *va, u64 *vb)
{
	unsigned int i;

	if (differ(MSR_MTRR_CAP, a->cap, b->cap, msr, va, vb) ||
	    differ(MSR_MTRR_DEF_TYPE, a->def_type, b->def_type, msr, va, vb))
		return 1;
	if (a->cap & MTRR_CAP_FIXED)
		for (i = 0; i < MTRR_FIXED_REGS; i++)
			if (differ(mtrr_fixed_msr(i), a->fixed[i], b->fixed[i],
				   msr, va, vb))
				return 1;
	for (i = 0; i < mtrr_vars(a); i++)
		if (differ(MSR_MTRR_PHYS_BASE(i), a->var[i].base,
			   b->var[i].base, msr, va, vb) ||
		    differ(MSR_MTRR_PHYS_MASK(i), a->var[i].mask,
			   b->var[i].mask, msr, va, vb))
			return 1;
	return 0;
}
