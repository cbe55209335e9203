/* SPDX-License-Identifier: MIT */
/* mtrr_random_test.c - memory types of layouts that no machine has */
#include "testlib.h"

#include "mtrr.h"
#include "mtrr_checks.h"
#include "mtrr_layouts.h"

static u64 random_type(unsigned int sane)
{
	static const u8 types[] = { MEM_UC, MEM_WB, MEM_WB, MEM_WT,
				    MEM_UC, MEM_WC, MEM_WP };

	return mtrr_below(sane) ? types[mtrr_below(ARRAY_SIZE(types))]
				: mtrr_below(256);
}

static void random_state(struct mtrr_state *m)
{
	u64 top, low;

	memset(m, 0, sizeof(*m));
	m->phys_bits = 32 + (unsigned int)mtrr_below(21);
	top = 1ull << m->phys_bits;
	m->cap = mtrr_below(12) | (mtrr_below(4) ? MTRR_CAP_FIXED : 0) |
		 MTRR_CAP_WC;
	m->def_type = random_type(50) | (mtrr_below(3) ? MTRR_DEF_FIXED : 0) |
		      (mtrr_below(20) ? MTRR_DEF_ENABLED : 0);
	for (unsigned int i = 0; i < MTRR_FIXED_REGS; i++)
		for (unsigned int j = 0; j < 64; j += 8)
			m->fixed[i] |= random_type(100) << j;
	for (unsigned int i = 0; i < mtrr_vars(m); i++) {
		/* sizes of all magnitudes, close to each other */
		low = 12 + mtrr_below(m->phys_bits - 11);
		m->var[i].base =
			(mtrr_below(4) ? mtrr_below(16) << (m->phys_bits - 4) |
						 mtrr_below(16) << low
				       : mtrr_random()) &
			(top - 0x1000);
		m->var[i].mask = (top - 1) & ~((1ull << low) - 1);
		if (!mtrr_below(4)) /* holes */
			m->var[i].mask &= mtrr_random() | mtrr_random();
		m->var[i].mask &= ~0xfffull;
		m->var[i].base |= random_type(50);
		if (mtrr_below(6))
			m->var[i].mask |= MTRR_MASK_VALID;
	}
}

static void at_random(void **state)
{
	unsigned int rounds = 3000 / slowness;

	(void)state;
	mtrr_seed = 0x5eed;
	for (unsigned int n = 0; n < rounds; n++) {
		struct mtrr_state m;

		random_state(&m);
		mtrr_check_everywhere(&m);
	}
}

/*
 * Small enough to look at every page: ranges are multiples of 16 MB in 4 GB, so
 * that there are 256 places. Extents must be exactly the runs of equal type.
 */
static void exhaustively(void **state)
{
	unsigned int rounds = 3000 / slowness;

	(void)state;
	mtrr_seed = 0xe4a57;
	for (unsigned int n = 0; n < rounds; n++) {
		struct mtrr_state m;
		struct mtrr_piece p;
		u8 type[257];
		unsigned int odd, all = 0;

		random_state(&m);
		m.phys_bits = 32;
		m.def_type = MTRR_DEF_ENABLED | random_type(50);
		for (unsigned int i = 0; i < mtrr_vars(&m); i++) {
			m.var[i].base = mtrr_below(256) << 24 | random_type(50);
			m.var[i].mask = (mtrr_random() & 0xff000000) |
					(mtrr_below(6) ? MTRR_MASK_VALID : 0);
		}
		for (unsigned int i = 0; i < 256; i++) {
			type[i] = mtrr_ref_type(&m, (u64)i << 24, &odd);
			all |= odd;
		}
		type[256] = 0xff;
		for (u64 a = 0; a < 1ull << 32; a = p.end) {
			assert_int_equal(mtrr_extent(&m, a, 1ull << 32, &p), 0);
			assert_int_equal(p.end & 0xffffff, 0);
			for (u64 i = a >> 24; i < p.end >> 24; i++)
				assert_int_equal(type[i], p.type);
			assert_int_not_equal(type[p.end >> 24], p.type);
		}
		/* Pieces end where a register says, which may change nothing.
		 */
		for (u64 a = 0; a < 1ull << 32; a += 1ull << 24) {
			assert_int_equal(mtrr_lookup(&m, a, &p), 0);
			assert_int_equal(p.type, type[a >> 24]);
		}
		assert_int_equal(mtrr_check(&m, 0) & MTRR_ODD_OVERLAP,
				 all & MTRR_ODD_OVERLAP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_random),
		cmocka_unit_test(exhaustively),
	};

	return cmocka_run_group_tests_name("mtrr at random", tests, NULL, NULL);
}
