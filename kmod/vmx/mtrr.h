/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * mtrr.h - what memory type the MTRRs give to a physical address
 *
 * The home EPT has to give every guest-physical page the type that it had
 * before: with EPT the MTRRs no longer take part (SDM volume 3, 29.3.7.2), so
 * an MMIO page that the firmware made uncacheable would be cached otherwise.
 *
 * The caller reads the MSRs of one CPU into a struct mtrr_state; nothing here
 * touches a register. See SDM volume 3, 12.11.
 */
#ifndef VMX_MTRR_H
#define VMX_MTRR_H

#include "types.h"

#define MSR_MTRR_CAP 0x0feu
#define MSR_MTRR_PHYS_BASE(n) (0x200u + 2 * (n))
#define MSR_MTRR_PHYS_MASK(n) (0x201u + 2 * (n))
#define MSR_MTRR_DEF_TYPE 0x2ffu

#define MTRR_CAP_COUNT 0xffu /* variable ranges */
#define MTRR_CAP_FIXED BIT_ULL(8)
#define MTRR_CAP_WC BIT_ULL(10)

#define MTRR_DEF_FIXED BIT_ULL(10)
#define MTRR_DEF_ENABLED BIT_ULL(11)

#define MTRR_MASK_VALID BIT_ULL(11)

/* IA32_MTRRCAP counts them in eight bits. */
#define MTRR_VARS_MAX 255u
/* 64K_00000, 16K_80000, 16K_A0000, 4K_C0000 to 4K_F8000 */
#define MTRR_FIXED_REGS 11u
#define MTRR_FIXED_END 0x100000ull

/* Memory types, as in the MTRRs, in bits 5:3 of an EPT entry and in an EPTP */
enum {
	MEM_UC = 0,
	MEM_WC = 1,
	MEM_WT = 4,
	MEM_WP = 5,
	MEM_WB = 6,
};

struct mtrr_var {
	u64 base;
	u64 mask;
};

/* The MTRRs of one CPU, as RDMSR gives them */
struct mtrr_state {
	u64 cap;
	u64 def_type;
	u64 fixed[MTRR_FIXED_REGS];
	struct mtrr_var var[MTRR_VARS_MAX]; /* cap says how many */
	/*
	 * CPUID.80000008H:EAX[7:0]. Not boot_cpu_data.x86_phys_bits, from
	 * which Linux takes the bits that hold key numbers: the MTRRs go by
	 * what CPUID says.
	 */
	unsigned int phys_bits;
};

/* What is odd about the registers or about an address. */
enum {
	/* The processor cannot be in this state; a mistake in reading it? */
	MTRR_ODD_PHYS_BITS = BIT(0), /* not 32 to 52 */
	MTRR_ODD_TYPE = BIT(1), /* a type that does not exist; taken as UC */
	MTRR_ODD_RESERVED = BIT(2), /* a reserved bit; ignored */
	MTRR_ODD_WIDE = BIT(3), /* an address bit that is too high; ignored */
	/* The SDM leaves open what happens, or warns of it. */
	MTRR_ODD_OVERLAP = BIT(4), /* types that don't mix; taken as UC */
	MTRR_ODD_HOLES = BIT(5),   /* a mask with holes; done as the CPU does */
	MTRR_ODD_ALIGN = BIT(6),   /* a base within its range; rounded down */
	/* Every access is uncached: some firmware forgot something. */
	MTRR_ODD_DISABLED = BIT(7),
	/* Too many pieces to look at all of them */
	MTRR_ODD_PIECES = BIT(8),
};

/* The states that the processor's own checks make impossible */
#define MTRR_IMPOSSIBLE                                                        \
	(MTRR_ODD_PHYS_BITS | MTRR_ODD_TYPE | MTRR_ODD_RESERVED | MTRR_ODD_WIDE)

/* A piece of the physical address space that has one type */
struct mtrr_piece {
	u64 start; /* the address that was asked for */
	u64 end;   /* the first address that may differ, or that isn't there */
	u8 type;
	u16 odd; /* of MTRR_ODD_TYPE and MTRR_ODD_OVERLAP */
};

/* How many variable ranges there are. */
static inline unsigned int mtrr_vars(const struct mtrr_state *m)
{
	return m->cap & MTRR_CAP_COUNT;
}

/* The MSR of fixed[i]. */
u32 mtrr_fixed_msr(unsigned int i);

/*
 * The type of @addr, and how far it reaches from there. @end may be less than
 * the furthest possible: two neighbouring pieces can have the same type. Below
 * 2^phys_bits only; beyond, -ERANGE.
 */
int mtrr_lookup(const struct mtrr_state *m, u64 addr, struct mtrr_piece *p);

/* The same, with neighbours of one type put together, but not beyond @limit. */
int mtrr_extent(const struct mtrr_state *m, u64 addr, u64 limit,
		struct mtrr_piece *p);

/*
 * All that is odd, 0 if nothing is. Looks at every piece of the address space,
 * at most @max_pieces of them (0: as many as there are).
 */
unsigned int mtrr_check(const struct mtrr_state *m, u64 max_pieces);

/* What one MTRR_ODD_ bit means, in a line for people. */
const char *mtrr_odd_text(unsigned int bit);

/*
 * The first MSR in which two CPUs differ, with both values: 1, or 0 if they
 * agree. SDM 12.11.8: all processors must have the same.
 */
int mtrr_differ(const struct mtrr_state *a, const struct mtrr_state *b,
		u32 *msr, u64 *va, u64 *vb);

#endif
