/* SPDX-License-Identifier: MIT */
/* ept_test.c - home, on the memory of real machines */
#include "testlib.h"

#include "ept.h"
#include "ept_memory.h"
#include "mtrr_layouts.h"

struct walk {
	const struct mtrr_state *m;
	u64 next, pages, sample;
	unsigned int leaf_max;
};

/* Do all pages in [start, end) have the type of the first? The slow way */
static bool ref_uniform(const struct mtrr_state *m, u64 start, u64 end)
{
	u64 step = 4096;
	unsigned int odd;
	u8 type = mtrr_ref_type(m, start, &odd);

	if (mtrr_ref_type(m, end - 1, &odd) != type)
		return false;
	for (u64 a = start; a < end; a += step)
		if (mtrr_ref_type(m, a, &odd) != type)
			return false;
	return true;
}

static int check_leaf(void *arg, const struct ept_leaf *leaf)
{
	struct walk *w = arg;
	u64 size = ept_size(leaf->level), up;
	unsigned int odd;

	/* one after the other, without gaps, each to itself */
	assert_int_equal(leaf->gpa, w->next);
	assert_int_equal(leaf->hpa, leaf->gpa);
	w->next += size;
	assert_int_equal(leaf->gpa % size, 0);
	assert_int_equal(leaf->prot, RWX);
	/* PAT not ignored, no bits that are reserved */
	assert_int_equal(leaf->entry & ~GENMASK_ULL(51, 12),
			 RWX | (u64)leaf->type << 3 |
				 (leaf->level > EPT_4K ? 0x80 : 0));
	if (w->pages++ % w->sample && leaf->level == w->leaf_max)
		return 0;
	assert_int_equal(leaf->type, mtrr_ref_type(w->m, leaf->gpa, &odd));
	assert_int_equal(leaf->type, mtrr_ref_type(w->m, w->next - 1, &odd));
	/* as large as can be */
	assert_true(leaf->level <= w->leaf_max);
	if (leaf->level == w->leaf_max)
		return 0;
	up = ept_size(leaf->level + 1);
	/* looked at once for each larger page that is not there */
	if (leaf->gpa % up == 0)
		assert_false(ref_uniform(w->m, leaf->gpa, leaf->gpa + up));
	return 0;
}

/* Home has what 4 levels reach, however wide addresses are. */
static u64 end_of(unsigned int bits)
{
	return 1ull << (bits < 48 ? bits : 48);
}

/* Addresses at which types change, and others, by ept_lookup() */
static void check_lookups(const struct ept *e, const struct mtrr_state *m)
{
	u64 end = end_of(m->phys_bits);

	for (unsigned int i = 0; i <= mtrr_vars(m); i++) {
		u64 base = i ? m->var[i - 1].base & (end - 4096) : 0xa0000;

		for (int d = -2; d <= 2; d++) {
			u64 gpa = base + (u64)(int64_t)(d * 4096) + 8;
			struct ept_leaf leaf;
			unsigned int odd;

			if (gpa >= end)
				continue;
			assert_int_equal(ept_lookup(e, gpa, &leaf), 0);
			assert_true(leaf.gpa <= gpa &&
				    gpa < leaf.gpa + ept_size(leaf.level));
			assert_int_equal(leaf.hpa, leaf.gpa);
			assert_int_equal(leaf.prot, RWX);
			assert_int_equal(leaf.type,
					 mtrr_ref_type(m, gpa, &odd));
		}
	}
}

static void check_home(const struct mtrr_layout *l, unsigned int bits, u64 cap)
{
	struct ept_config cfg = { .cap = cap };
	struct mtrr_state m;
	struct memory mem;
	struct ept_leaf leaf;
	struct ept *home;
	u64 tables, pages = 0;

	mtrr_layout_state(l, bits, &m);
	cfg.mtrr = &m;
	memory_init(&mem);
	/* A mask with holes, repeated all over a wide address space */
	if (l->odd == MTRR_ODD_HOLES && bits >= 48) {
		assert_int_equal(ept_check(&cfg, NULL), EPT_BAD_MTRR);
		assert_int_equal(ept_home_create(&cfg, &ops, &mem, &home),
				 -EOPNOTSUPP);
		assert_null(home);
		memory_end(&mem);
		return;
	}
	assert_int_equal(ept_check(&cfg, &tables), EPT_FINE);
	home = home_of(&mem, &m, cap);
	assert_int_equal(ept_tables(home), tables);
	assert_int_equal(mem.live, tables + 1);
	assert_int_equal(ept_end(home), end_of(bits));
	assert_int_equal(ept_eptp(home) & 0xfff, 0x1e);
	{
		struct walk w = { &m, 0, 0, bits > 40 ? 997 : 1,
				  cap & EPT_CAP_1G ? EPT_1G : EPT_2M };

		assert_int_equal(ept_for_each(home, 0, ~0ull, check_leaf, &w),
				 0);
		assert_int_equal(w.next, end_of(bits));
		pages = w.pages;
	}
	/* Every entry of every table but the root leads somewhere. */
	assert_true(pages + tables - 1 <= tables * 512);
	check_lookups(home, &m);
	assert_int_equal(ept_lookup(home, end_of(bits), &leaf), -ENOENT);
	assert_int_equal(ept_lookup(home, ~0ull, &leaf), -ENOENT);
	ept_put(home);
	memory_end(&mem);
}

static void homes(void **state)
{
	static const unsigned int bits[] = { 36, 39, 40, 46, 48 };

	(void)state;
	for (unsigned int i = 0; i < mtrr_layouts_count; i++)
		for (unsigned int b = 0; b < ARRAY_SIZE(bits); b++) {
			if (bits[b] > 40 && slowness > 1 && i % 4)
				continue;
			check_home(&mtrr_layouts[i], bits[b], CAP_1G);
			/* Beyond 40 bits, 2 MB pages take too much memory. */
			if (bits[b] <= 40)
				check_home(&mtrr_layouts[i], bits[b], CAP_2M);
		}
}

/* 52 bits, as servers have: of those, 48 */
static void widest(void **state)
{
	(void)state;
	check_home(layout_with("52 bits"), 52, CAP_1G);
	if (slowness == 1) {
		check_home(layout_with("S2600WFT"), 52, CAP_1G);
		check_home(layout_with("a mask without its upper"), 52, CAP_1G);
	}
}

/* How many tables it takes, counted by hand */
static void counts(void **state)
{
	struct mtrr_state m;
	struct ept_config cfg = { .mtrr = &m, .cap = CAP_1G };
	u64 n;

	(void)state;
	memset(&m, 0, sizeof(m)); /* all UC */
	m.phys_bits = 36;
	assert_int_equal(ept_check(&cfg, &n), EPT_FINE);
	assert_int_equal(n, 1 + 1);
	m.phys_bits = 39;
	assert_int_equal(ept_check(&cfg, &n), EPT_FINE);
	assert_int_equal(n, 1 + 1);
	m.phys_bits = 40;
	assert_int_equal(ept_check(&cfg, &n), EPT_FINE);
	assert_int_equal(n, 1 + 2);
	m.phys_bits = 48;
	assert_int_equal(ept_check(&cfg, &n), EPT_FINE);
	assert_int_equal(n, 1 + 512);
	m.phys_bits = 52;
	assert_int_equal(ept_check(&cfg, &n), EPT_FINE);
	assert_int_equal(n, 1 + 512);
	cfg.cap = CAP_2M;
	assert_int_equal(ept_check(&cfg, &n), EPT_FINE);
	assert_int_equal(n, 1 + 512 + 512 * 512);
	m.phys_bits = 36;
	assert_int_equal(ept_check(&cfg, &n), EPT_FINE);
	assert_int_equal(n, 1 + 1 + 64);
	/* One page that is different: its 1 GB, and its 2 MB */
	m.def_type = MTRR_DEF_ENABLED;
	m.cap = 1;
	m.var[0].base = 0x123456000 | MEM_WC;
	m.var[0].mask = 0xffffff000 | MTRR_MASK_VALID;
	assert_int_equal(ept_check(&cfg, &n), EPT_FINE);
	assert_int_equal(n, 1 + 1 + 64 + 1);
	cfg.cap = CAP_1G;
	assert_int_equal(ept_check(&cfg, &n), EPT_FINE);
	assert_int_equal(n, 1 + 1 + 1 + 1);
}

static void refusals(void **state)
{
	static const struct {
		u64 take;
		unsigned int bits;
		enum ept_refusal why;
	} rows[] = {
		{ 0, 39, EPT_FINE },
		{ 0, 52, EPT_FINE },
		{ EPT_CAP_1G | EPT_CAP_EXEC_ONLY, 39, EPT_FINE },
		{ EPT_CAP_WALK4, 39, EPT_NO_WALK4 },
		{ EPT_CAP_WALK4, 48, EPT_NO_WALK4 },
		{ EPT_CAP_WALK4, 52, EPT_NO_WALK4 },
		{ EPT_CAP_WB, 39, EPT_NO_WB },
		{ EPT_CAP_2M, 39, EPT_NO_2M },
		{ 0, 53, EPT_BAD_MTRR },
		{ 0, 31, EPT_BAD_MTRR },
		{ 0, 0, EPT_BAD_MTRR },
		{ 0, 255, EPT_BAD_MTRR },
	};
	struct memory mem;
	struct mtrr_state m;
	struct ept *home;
	u64 n;

	(void)state;
	memory_init(&mem);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ept_config cfg = { &m, CAP_1G & ~rows[i].take, 0 };

		memset(&m, 0, sizeof(m));
		m.phys_bits = rows[i].bits;
		assert_int_equal(ept_check(&cfg, &n), rows[i].why);
		if (rows[i].why == EPT_FINE)
			continue;
		assert_int_equal(n, 0);
		home = (struct ept *)&mem;
		assert_int_equal(ept_home_create(&cfg, &ops, &mem, &home),
				 -EOPNOTSUPP);
		assert_null(home);
	}
	/* Every other page is different: nobody waits for that to end. */
	{
		struct ept_config cfg = { &m, CAP_1G, 0 };

		memset(&m, 0, sizeof(m));
		m.phys_bits = 52;
		m.def_type = MTRR_DEF_ENABLED;
		m.cap = 1;
		m.var[0].base = 0x1000 | MEM_WB;
		m.var[0].mask = 0x1000 | MTRR_MASK_VALID;
		assert_int_equal(ept_check(&cfg, &n), EPT_BAD_MTRR);
	}
	/* As much memory as is granted, and not a table more */
	{
		struct ept_config cfg = { &m, CAP_1G, 0 };

		surface(&m);
		assert_int_equal(ept_check(&cfg, &n), EPT_FINE);
		cfg.max_tables = n;
		assert_int_equal(ept_check(&cfg, NULL), EPT_FINE);
		cfg.max_tables = n - 1;
		assert_int_equal(ept_check(&cfg, NULL), EPT_TOO_BIG);
		assert_int_equal(ept_home_create(&cfg, &ops, &mem, &home),
				 -EOPNOTSUPP);
	}
	assert_int_equal(mem.used, 0);
	memory_end(&mem);
	for (unsigned int i = 0; i < EPT_REFUSALS; i++)
		assert_in_range(strlen(ept_refusal_text(i)), 5, 79);
	assert_null(ept_refusal_text(EPT_REFUSALS));
	ept_put(NULL);
}

/* Every allocation fails once. */
static void no_memory_for_home(void **state)
{
	struct mtrr_state m;
	struct ept_config cfg = { &m, CAP_2M, 0 };
	u64 n, failures = 0;

	(void)state;
	mtrr_layout_state(layout_with("AMI BIOS, 5 GB"), 0, &m);
	assert_int_equal(ept_check(&cfg, &n), EPT_FINE);
	for (;; failures++) {
		struct memory mem;
		struct ept *home;
		int err;

		memory_init(&mem);
		mem.fail_after = failures;
		err = ept_home_create(&cfg, &ops, &mem, &home);
		if (!err)
			ept_put(home);
		else
			assert_null(home);
		memory_end(&mem);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
	}
	assert_int_equal(failures, n + 1); /* tables, and struct ept */
}

static int stop_at(void *arg, const struct ept_leaf *leaf)
{
	u64 *seen = arg;

	*seen = leaf->gpa;
	return leaf->gpa >= 2 * GB ? -EINTR : 0;
}

static void walking(void **state)
{
	struct memory mem;
	struct mtrr_state m;
	struct ept *home;
	u64 seen = 0;

	(void)state;
	memory_init(&mem);
	surface(&m);
	home = home_of(&mem, &m, CAP_1G);
	assert_int_equal(ept_for_each(home, 0, ~0ull, stop_at, &seen), -EINTR);
	assert_int_equal(seen, 2 * GB);
	/* Only pages that begin in the range, or that it begins in */
	seen = 1;
	assert_int_equal(ept_for_each(home, 5, 5, stop_at, &seen), 0);
	assert_int_equal(ept_for_each(home, 1ull << 39, ~0ull, stop_at, &seen),
			 0);
	assert_int_equal(ept_for_each(home, ~0ull, ~0ull, stop_at, &seen), 0);
	assert_int_equal(seen, 1);
	assert_int_equal(ept_for_each(home, 0xa1234, 0xa1235, stop_at, &seen),
			 0);
	assert_int_equal(seen, 0xa1000);
	assert_int_equal(ept_for_each(home, GB + 5, 2 * GB, stop_at, &seen), 0);
	assert_int_equal(seen, GB);
	assert_int_equal(ept_for_each(home, 5 * GB, ~0ull, stop_at, &seen),
			 -EINTR);
	assert_int_equal(seen, 5 * GB);
	ept_put(home);
	memory_end(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(homes),
		cmocka_unit_test(widest),
		cmocka_unit_test(counts),
		cmocka_unit_test(refusals),
		cmocka_unit_test(no_memory_for_home),
		cmocka_unit_test(walking),
	};

	return cmocka_run_group_tests_name("ept", tests, NULL, NULL);
}
