/* SPDX-License-Identifier: MIT */
#include "mtrr_checks.h"

#include "testlib.h"

#include "mtrr_layouts.h"

u64 mtrr_seed = 1;

u64 mtrr_random(void)
{
	mtrr_seed ^= mtrr_seed << 13;
	mtrr_seed ^= mtrr_seed >> 7;
	mtrr_seed ^= mtrr_seed << 17;
	return mtrr_seed * 0x2545f4914f6cdd1dull;
}

u64 mtrr_below(u64 n)
{
	return mtrr_random() % n;
}

/* One page looked up: type, oddness, and how far it is said to reach */
static void check_at(const struct mtrr_state *m, u64 addr)
{
	u64 top = 1ull << m->phys_bits, last;
	struct mtrr_piece p;
	unsigned int odd;

	assert_int_equal(mtrr_lookup(m, addr, &p), 0);
	assert_int_equal(p.type, mtrr_ref_type(m, addr, &odd));
	assert_int_equal(p.odd, odd);
	assert_int_equal(p.start, addr);
	assert_true(p.end > addr && p.end <= top && !(p.end & 0xfff));
	/* Its last page, and some between */
	last = p.end - 0x1000;
	for (unsigned int i = 0; i < 6; i++) {
		u64 a = i ? addr + mtrr_below(p.end - addr) : last;

		assert_int_equal(mtrr_ref_type(m, a, &odd), p.type);
		assert_int_equal(odd, p.odd);
	}
}

/* An address and its neighbours */
static void check_around(const struct mtrr_state *m, u64 addr)
{
	u64 top = 1ull << m->phys_bits;
	static const int64_t steps[] = { -0x200000, -0x1000, -1,      0,
					 1,	    0x1000,  0x200000 };

	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++)
		if (addr + (u64)steps[i] < top)
			check_at(m, addr + (u64)steps[i]);
}

void mtrr_check_everywhere(const struct mtrr_state *m)
{
	u64 top = 1ull << m->phys_bits, bits = top - 0x1000;

	check_around(m, 0);
	check_around(m, top - 1);
	for (u64 a = 0; a <= 0x110000; a += 0x1000)
		check_at(m, a);
	for (unsigned int b = 21; b < m->phys_bits; b++)
		check_around(m, 1ull << b);
	for (unsigned int i = 0; i < mtrr_vars(m); i++) {
		u64 base = m->var[i].base & bits, mask = m->var[i].mask & bits;

		check_around(m, base);
		check_around(m, base & mask);
		check_around(m, (base & mask) + (mask & -mask));
	}
	for (unsigned int i = 0; i < 50; i++)
		check_at(m, mtrr_below(top));
}
