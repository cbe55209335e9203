/* SPDX-License-Identifier: MIT */
/* mtrr_test.c - memory types, against a slow reference and real machines */
#include "testlib.h"

#include "mtrr.h"
#include "mtrr_checks.h"
#include "mtrr_layouts.h"

/* The whole address space in pieces, and in extents: is it what was said? */
static void check_map(const struct mtrr_state *m, const char *map)
{
	u64 top = 1ull << m->phys_bits, addr = 0;
	char text[2048], *at = text;
	struct mtrr_piece p;
	unsigned int odd;

	for (; addr < top; addr = p.end) {
		assert_int_equal(mtrr_extent(m, addr, top, &p), 0);
		/* as far as it goes, and no further */
		if (p.end < top)
			assert_int_not_equal(mtrr_ref_type(m, p.end, &odd),
					     p.type);
		assert_int_equal(mtrr_ref_type(m, p.end - 1, &odd), p.type);
		at += snprintf(at, (size_t)(text + sizeof(text) - at),
			       "%s%s %llX", addr ? "; " : "",
			       mtrr_type_name(p.type),
			       (unsigned long long)p.end);
		assert_true(at < text + sizeof(text));
	}
	assert_int_equal(addr, top);
	if (map)
		assert_string_equal(text, map);
}

static void real_layouts(void **state)
{
	(void)state;
	assert_true(mtrr_layouts_count >= 20);
	for (unsigned int i = 0; i < mtrr_layouts_count; i++) {
		const struct mtrr_layout *l = &mtrr_layouts[i];
		struct mtrr_state m;

		mtrr_layout_state(l, 0, &m);
		mtrr_check_everywhere(&m);
		check_map(&m, l->map);
		assert_int_equal(mtrr_check(&m, 0), l->odd);
		assert_int_equal(mtrr_check(&m, 1000), l->odd);
	}
}

/* The same on CPUs with wider and narrower addresses */
static void other_widths(void **state)
{
	static const unsigned int widths[] = { 32, 36, 39, 40, 46, 48, 52 };

	(void)state;
	for (unsigned int i = 0; i < mtrr_layouts_count; i++)
		for (unsigned int w = 0; w < ARRAY_SIZE(widths); w++) {
			struct mtrr_state m;

			mtrr_layout_state(&mtrr_layouts[i], widths[w], &m);
			mtrr_check_everywhere(&m);
		}
}

/* ---- single rules ------------------------------------------------------ */

static struct mtrr_state plain(void)
{
	struct mtrr_state m;

	memset(&m, 0, sizeof(m));
	m.phys_bits = 36;
	m.cap = MTRR_CAP_FIXED | MTRR_CAP_WC | 8;
	m.def_type = MTRR_DEF_ENABLED | MEM_WB;
	return m;
}

static void var(struct mtrr_state *m, unsigned int i, u64 base, u64 size,
		u8 type)
{
	m->var[i].base = base | type;
	m->var[i].mask =
		(((1ull << m->phys_bits) - 1) & ~(size - 1)) | MTRR_MASK_VALID;
}

static u8 type_at(const struct mtrr_state *m, u64 addr)
{
	struct mtrr_piece p;

	assert_int_equal(mtrr_lookup(m, addr, &p), 0);
	return p.type;
}

static void fixed_ranges(void **state)
{
	static const u32 msrs[MTRR_FIXED_REGS] = { 0x250, 0x258, 0x259, 0x268,
						   0x269, 0x26a, 0x26b, 0x26c,
						   0x26d, 0x26e, 0x26f };
	struct mtrr_state m = plain();

	(void)state;
	for (unsigned int i = 0; i < MTRR_FIXED_REGS; i++)
		m.fixed[i] = 0x0605040100060504ull;
	var(&m, 0, 0, 0x200000, MEM_WP);
	/* off by the flag, off as there are none, off with everything */
	assert_int_equal(type_at(&m, 0), MEM_WP);
	m.def_type |= MTRR_DEF_FIXED;
	m.cap &= ~MTRR_CAP_FIXED;
	assert_int_equal(type_at(&m, 0), MEM_WP);
	m.cap |= MTRR_CAP_FIXED;
	m.def_type &= ~MTRR_DEF_ENABLED;
	assert_int_equal(type_at(&m, 0), MEM_UC);
	m.def_type |= MTRR_DEF_ENABLED;
	assert_int_equal(type_at(&m, 0), MEM_WT);
	assert_int_equal(type_at(&m, 0xffff), MEM_WT);
	assert_int_equal(type_at(&m, 0x10000), MEM_WP);
	assert_int_equal(type_at(&m, 0x7ffff), MEM_WB);
	assert_int_equal(type_at(&m, 0x80000), MEM_WT);
	assert_int_equal(type_at(&m, 0x8c000), MEM_UC);
	assert_int_equal(type_at(&m, 0xbffff), MEM_WB);
	assert_int_equal(type_at(&m, 0xc0000), MEM_WT);
	assert_int_equal(type_at(&m, 0xc4fff), MEM_WC);
	assert_int_equal(type_at(&m, 0xfffff), MEM_WB);
	assert_int_equal(type_at(&m, 0x100000), MEM_WP);
	for (unsigned int i = 0; i <= ARRAY_SIZE(msrs); i++)
		assert_int_equal(mtrr_fixed_msr(i),
				 i < ARRAY_SIZE(msrs) ? msrs[i] : 0);
}

/* Every two types over each other, in both orders, and a third */
static void overlaps(void **state)
{
	static const u8 types[] = { MEM_UC, MEM_WC, MEM_WT, MEM_WP, MEM_WB };

	(void)state;
	for (unsigned int i = 0; i < 125; i++) {
		struct mtrr_state m = plain();
		u8 t[3] = { types[i % 5], types[i / 5 % 5], types[i / 25] };

		for (unsigned int n = 0; n < 3; n++)
			var(&m, n, 0x40000000, 0x10000000u << n, t[n]);
		mtrr_check_everywhere(&m);
	}
	{
		struct mtrr_state m = plain();

		var(&m, 3, 0x40000000, 0x40000000, MEM_WB);
		var(&m, 5, 0x50000000, 0x10000000, MEM_WT);
		assert_int_equal(type_at(&m, 0x50000000), MEM_WT);
		var(&m, 7, 0x58000000, 0x08000000, MEM_UC);
		assert_int_equal(type_at(&m, 0x57fff000), MEM_WT);
		assert_int_equal(type_at(&m, 0x58000000), MEM_UC);
		m.var[7].mask &= ~MTRR_MASK_VALID;
		assert_int_equal(type_at(&m, 0x58000000), MEM_WT);
		/* Beyond the number of registers there is nothing. */
		m.cap = (m.cap & ~0xffull) | 5;
		assert_int_equal(type_at(&m, 0x58000000), MEM_WB);
	}
}

static void all_registers(void **state)
{
	struct mtrr_state m = plain();

	(void)state;
	m.cap |= 255;
	for (unsigned int i = 0; i < 255; i++)
		var(&m, i, 0x1000000ull * i, 0x1000000,
		    i % 2 ? MEM_UC : MEM_WT);
	mtrr_check_everywhere(&m);
	assert_int_equal(type_at(&m, 254ull << 24), MEM_WT);
	assert_int_equal(type_at(&m, 255ull << 24), MEM_WB);
	assert_int_equal(mtrr_check(&m, 256), 0);
	assert_int_equal(mtrr_check(&m, 255), MTRR_ODD_PIECES);
}

/* ---- what is odd ------------------------------------------------------- */

static void oddities(void **state)
{
	static const u64 bad_types[] = { 2, 3, 7, 8, 0x16, 0x80, 0xff };
	struct mtrr_state m = plain();

	(void)state;
	var(&m, 0, 0x80000000, 0x80000000, MEM_UC);
	assert_int_equal(mtrr_check(&m, 0), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_types); i++) {
		struct mtrr_state b = m;

		b.var[1] = b.var[0];
		b.var[1].base = bad_types[i];
		assert_int_equal(mtrr_check(&b, 0), MTRR_ODD_TYPE);
		assert_int_equal(type_at(&b, 0), MEM_UC);
		b.var[1].mask &= ~MTRR_MASK_VALID; /* nobody looks */
		assert_int_equal(mtrr_check(&b, 0), 0);

		b = m;
		b.def_type = MTRR_DEF_ENABLED | bad_types[i];
		assert_int_equal(mtrr_check(&b, 0), MTRR_ODD_TYPE);
		assert_int_equal(type_at(&b, 0), MEM_UC);

		b = m;
		b.fixed[4] = bad_types[i] << 40;
		assert_int_equal(mtrr_check(&b, 0), 0);
		b.def_type |= MTRR_DEF_FIXED;
		assert_int_equal(mtrr_check(&b, 0), MTRR_ODD_TYPE);
	}
	for (unsigned int bit = 8; bit < 64; bit++) {
		struct mtrr_state b = m;

		b.def_type |= BIT_ULL(bit);
		assert_int_equal(mtrr_check(&b, 0),
				 bit == 10 || bit == 11 ? 0
							: MTRR_ODD_RESERVED);
		b = m;
		b.var[0].base |= BIT_ULL(bit);
		assert_int_equal(mtrr_check(&b, 0), bit < 12 ? MTRR_ODD_RESERVED
						    : bit < 31	? MTRR_ODD_ALIGN
						    : bit >= 36 ? MTRR_ODD_WIDE
								: 0);
		mtrr_check_everywhere(&b);
		b = m;
		b.var[0].mask |= BIT_ULL(bit);
		assert_int_equal(mtrr_check(&b, 0), bit == 11 ? 0
						    : bit < 11
							    ? MTRR_ODD_RESERVED
						    : bit < 30	? MTRR_ODD_HOLES
						    : bit >= 36 ? MTRR_ODD_WIDE
								: 0);
	}
	for (unsigned int bit = 0; bit < 8; bit++) {
		struct mtrr_state b = m;

		b.var[0].mask |= BIT_ULL(bit);
		assert_int_equal(mtrr_check(&b, 0), MTRR_ODD_RESERVED);
	}
	/* A mask that is too short at the top repeats the range. */
	m.var[0].mask &= ~BIT_ULL(35);
	assert_int_equal(mtrr_check(&m, 0), MTRR_ODD_HOLES);
	assert_int_equal(type_at(&m, 0x880000000), MEM_UC);
	for (unsigned int bit = 0; bit < 16; bit++)
		assert_int_equal(!mtrr_odd_text(BIT(bit)), bit > 8);
	assert_null(mtrr_odd_text(0));
	assert_null(mtrr_odd_text(3));
}

static void impossible(void **state)
{
	static const unsigned int widths[] = { 0,  1,  11, 12, 31,
					       53, 63, 64, 65, UINT32_MAX };
	struct mtrr_state m = plain();
	struct mtrr_piece p;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(widths); i++) {
		m.phys_bits = widths[i];
		assert_int_equal(mtrr_check(&m, 0), MTRR_ODD_PHYS_BITS);
		assert_int_equal(mtrr_lookup(&m, 0, &p), -EINVAL);
		assert_int_equal(mtrr_extent(&m, 0, 4096, &p), -EINVAL);
	}
	m = plain();
	assert_int_equal(mtrr_lookup(&m, 1ull << 36, &p), -ERANGE);
	assert_int_equal(mtrr_lookup(&m, ~0ull, &p), -ERANGE);
	assert_int_equal(mtrr_lookup(&m, (1ull << 36) - 1, &p), 0);
	assert_int_equal(p.end, 1ull << 36);
	/* An extent ends soon after the limit, and never beyond the top. */
	mtrr_layout_state(&mtrr_layouts[1], 0, &m);
	assert_int_equal(mtrr_extent(&m, 1ull << 32, 2ull << 32, &p), 0);
	assert_int_equal(p.end, 4ull << 32);
	assert_int_equal(mtrr_extent(&m, 1ull << 32, (4ull << 32) + 1, &p), 0);
	assert_int_equal(p.end, 0x410000000);
	m = plain();
	assert_int_equal(mtrr_extent(&m, 0, ~0ull, &p), 0);
	assert_int_equal(p.end, 1ull << 36);
}

static void differences(void **state)
{
	struct mtrr_state a, b;
	u64 va, vb;
	u32 msr;

	(void)state;
	mtrr_layout_state(&mtrr_layouts[1], 0, &a);
	b = a;
	assert_int_equal(mtrr_differ(&a, &b, &msr, &va, &vb), 0);
	b.def_type ^= 6;
	assert_int_equal(mtrr_differ(&a, &b, &msr, &va, &vb), 1);
	assert_int_equal(msr, 0x2ff);
	assert_int_equal(va, a.def_type);
	assert_int_equal(vb, b.def_type);
	for (unsigned int i = 0; i < mtrr_vars(&a); i++) {
		b = a;
		b.var[i].base ^= 0x1000;
		assert_int_equal(mtrr_differ(&a, &b, &msr, &va, &vb), 1);
		assert_int_equal(msr, 0x200 + 2 * i);
		assert_int_equal(va ^ vb, 0x1000);
		b = a;
		b.var[i].mask ^= 0x800;
		assert_int_equal(mtrr_differ(&a, &b, &msr, &va, &vb), 1);
		assert_int_equal(msr, 0x201 + 2 * i);
	}
	for (unsigned int i = 0; i < MTRR_FIXED_REGS; i++) {
		b = a;
		b.fixed[i] ^= 1;
		assert_int_equal(mtrr_differ(&a, &b, &msr, &va, &vb), 1);
		assert_int_equal(msr, mtrr_fixed_msr(i));
	}
	b = a;
	b.cap ^= MTRR_CAP_WC;
	assert_int_equal(mtrr_differ(&a, &b, &msr, &va, &vb), 1);
	assert_int_equal(msr, 0xfe);
	/* What is not there is not compared. */
	b = a;
	b.var[200].base = 1;
	assert_int_equal(mtrr_differ(&a, &b, &msr, &va, &vb), 0);
}

/* How many pieces a walk has: as many as there are edges, not pages */
static void efficiently(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < mtrr_layouts_count; i++) {
		u64 top, n = 0, edges = 88 + 2;
		struct mtrr_state m;
		struct mtrr_piece p;

		mtrr_layout_state(&mtrr_layouts[i], 0, &m);
		top = 1ull << m.phys_bits;
		for (unsigned int v = 0; v < mtrr_vars(&m); v++)
			edges += 2;
		for (u64 a = 0; a < top; a = p.end, n++)
			assert_int_equal(mtrr_lookup(&m, a, &p), 0);
		if (!(mtrr_layouts[i].odd & MTRR_ODD_HOLES))
			assert_true(n <= edges);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_layouts),	 cmocka_unit_test(other_widths),
		cmocka_unit_test(fixed_ranges),	 cmocka_unit_test(overlaps),
		cmocka_unit_test(all_registers), cmocka_unit_test(oddities),
		cmocka_unit_test(impossible),	 cmocka_unit_test(differences),
		cmocka_unit_test(efficiently),
	};

	return cmocka_run_group_tests_name("mtrr", tests, NULL, NULL);
}
