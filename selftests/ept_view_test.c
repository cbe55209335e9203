/* SPDX-License-Identifier: MIT */
/* ept_view_test.c - views of home: what differs, and what is shared */
#include "testlib.h"

#include "ept.h"
#include "ept_memory.h"
#include "mtrr_layouts.h"

struct differences {
	unsigned int n;
	struct ept_leaf a[16], b[16];
};

static int note_difference(void *arg, const struct ept_leaf *a,
			   const struct ept_leaf *b)
{
	struct differences *d = arg;

	assert_true(d->n < ARRAY_SIZE(d->a));
	d->a[d->n] = *a;
	d->b[d->n] = *b;
	d->n++;
	return 0;
}

/* A view that differs in exactly these pages, given from below */
static void differs_in(const struct ept *view, const struct ept *home,
		       const u64 (*pages)[2], unsigned int n, unsigned int prot)
{
	struct differences d = { .n = 0 }, back = { .n = 0 };

	assert_int_equal(ept_diff(home, view, note_difference, &d), 0);
	assert_int_equal(ept_diff(view, home, note_difference, &back), 0);
	assert_int_equal(d.n, n);
	assert_int_equal(back.n, n);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(d.a[i].gpa, pages[i][0]);
		assert_int_equal(d.a[i].hpa, pages[i][0]);
		assert_int_equal(d.a[i].level, EPT_4K);
		assert_int_equal(d.b[i].gpa, pages[i][0]);
		assert_int_equal(d.b[i].level, EPT_4K);
		assert_int_equal(d.b[i].prot, prot);
		assert_int_equal(d.b[i].hpa, prot ? pages[i][1] : 0);
		assert_int_equal(back.a[i].entry, d.b[i].entry);
		assert_int_equal(back.b[i].entry, d.a[i].entry);
		assert_int_equal(back.a[i].gpa, d.a[i].gpa);
	}
}

static void views(void **state)
{
	/*
	 * In the same 2 MB, in the same 1 GB, in the same 512 GB; where home
	 * has 4 KB pages already; WB memory backed by UC and the reverse
	 */
	static const u64 pages[][2] = {
		{ 0xb8000, 0x5000 },	    { 0x40000000, 0x12345000 },
		{ 0x40001000, 0x12346000 }, { 0x40a00000, 0xfee00000 },
		{ 0xfee00000, 0x40001000 }, { 0x3fffffff000, 0x0 },
	};
	/* root; PDPT, PD, PT at 0; PD, PT at 1 GB; PT; PD, PT at 3 GB ... */
	static const u64 tables[] = { 4, 6, 6, 7, 9, 12 };
	struct memory mem;
	struct mtrr_state m;
	struct ept *home, *view;
	u64 sum, home_tables;
	unsigned int odd;

	(void)state;
	memory_init(&mem);
	surface(&m);
	m.phys_bits = 42; /* its mask of 39 bits repeats, which is fine */
	home = home_of(&mem, &m, CAP_1G);
	home_tables = ept_tables(home);
	sum = memory_sum(&mem);
	assert_int_equal(ept_view_create(home, &view), 0);
	assert_int_equal(ept_tables(view), 1);
	assert_int_equal(ept_views(home), 1);
	assert_int_not_equal(ept_eptp(view), ept_eptp(home));
	assert_int_equal(ept_eptp(view) & 0xfff, 0x1e);
	assert_int_equal(ept_end(view), ept_end(home));
	differs_in(view, home, pages, 0, RWX);
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		struct ept_leaf leaf;

		assert_int_equal(
			ept_view_map_page(view, pages[i][0], pages[i][1], RWX),
			0);
		assert_int_equal(ept_tables(view), tables[i]);
		differs_in(view, home, pages, i + 1, RWX);
		assert_int_equal(ept_lookup(view, pages[i][0] + 7, &leaf), 0);
		assert_int_equal(leaf.hpa, pages[i][1]);
		/* the type of the memory, not of the address */
		assert_int_equal(leaf.type,
				 mtrr_ref_type(&m, pages[i][1], &odd));
	}
	assert_int_equal(ept_tables(home), home_tables);
	/* Home is what it was, to the bit: its tables came first. */
	{
		struct memory first = mem;

		first.used = home_tables;
		assert_int_equal(memory_sum(&first), sum);
	}
	/* All that lies around is identity, with the right types. */
	for (u64 gpa = 0x40000000 - 8 * MB; gpa < 0x40000000 + 16 * MB;
	     gpa += 4096) {
		struct ept_leaf leaf;
		bool mapped = false;

		for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++)
			mapped |= pages[i][0] == gpa;
		if (mapped)
			continue;
		assert_int_equal(ept_lookup(view, gpa, &leaf), 0);
		assert_int_equal(leaf.hpa, leaf.gpa);
		assert_int_equal(leaf.prot, RWX);
		assert_int_equal(leaf.type, mtrr_ref_type(&m, gpa, &odd));
		assert_int_equal(leaf.entry & 0x300, 0);
		/* split as far as needed, and no further */
		if (gpa < 0x40000000)
			assert_int_equal(leaf.level, EPT_2M); /* as at home */
		else if (gpa < 0x40200000 ||
			 (gpa >= 0x40a00000 && gpa < 0x40c00000))
			assert_int_equal(leaf.level, EPT_4K);
		else
			assert_int_equal(leaf.level, EPT_2M);
	}
	/* Mapping again costs nothing, and the last one counts. */
	assert_int_equal(
		ept_view_map_page(view, 0x40000000, 0x777000, EPT_READ), 0);
	assert_int_equal(ept_tables(view), tables[5]);
	{
		struct ept_leaf leaf;

		assert_int_equal(ept_lookup(view, 0x40000000, &leaf), 0);
		assert_int_equal(leaf.hpa, 0x777000);
		assert_int_equal(leaf.prot, EPT_READ);
	}
	/* Back, one by one */
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++)
		assert_int_equal(ept_view_reset_page(view, pages[i][0]), 0);
	{
		struct differences d = { .n = 0 };

		assert_int_equal(ept_diff(home, view, note_difference, &d), 0);
		assert_int_equal(d.n, 0);
	}
	assert_int_equal(ept_tables(view), tables[5]);
	ept_put(view);
	assert_int_equal(ept_views(home), 0);
	assert_int_equal(mem.live, home_tables + 1);
	assert_int_equal(memory_sum(&mem), sum);
	ept_put(home);
	memory_end(&mem);
}

/* Resetting what is as at home makes no tables. */
static void reset_nothing(void **state)
{
	struct memory mem;
	struct mtrr_state m;
	struct ept *home, *view;

	(void)state;
	memory_init(&mem);
	surface(&m);
	home = home_of(&mem, &m, CAP_1G);
	assert_int_equal(ept_view_create(home, &view), 0);
	assert_int_equal(ept_view_reset_page(view, 0x40000000), 0);
	assert_int_equal(ept_view_reset_page(view, 0xb8000), 0);
	assert_int_equal(ept_tables(view), 1);
	assert_int_equal(ept_view_map_page(view, 0xb8000, 0, 0), 0);
	assert_int_equal(ept_tables(view), 4);
	assert_int_equal(ept_view_reset_page(view, 0xb8000), 0);
	assert_int_equal(ept_view_reset_page(home, 0xb8000), -EINVAL);
	assert_int_equal(ept_view_reset_page(view, 0xb8001), -EINVAL);
	assert_int_equal(ept_view_reset_page(view, ept_end(view)), -EINVAL);
	ept_put(home);
	ept_put(view);
	memory_end(&mem);
}

static void rights(void **state)
{
	static const u64 page[][2] = { { 0x1000, 0x2000 } };
	struct memory mem;
	struct mtrr_state m;

	(void)state;
	surface(&m);
	for (unsigned int exec_only = 0; exec_only < 2; exec_only++) {
		struct ept *home, *view;

		memory_init(&mem);
		home = home_of(&mem, &m,
			       exec_only ? CAP_1G
					 : CAP_1G & ~EPT_CAP_EXEC_ONLY);
		for (unsigned int prot = 0; prot < 32; prot++) {
			bool fine = prot == 0 || prot == EPT_READ ||
				    prot == (EPT_READ | EPT_WRITE) ||
				    prot == (EPT_READ | EPT_EXEC) ||
				    prot == RWX ||
				    (prot == EPT_EXEC && exec_only);

			assert_int_equal(ept_view_create(home, &view), 0);
			assert_int_equal(
				ept_view_map_page(view, 0x1000, 0x2000, prot),
				fine ? 0 : -EINVAL);
			if (fine)
				differs_in(view, home, page, 1, prot);
			else
				assert_int_equal(ept_tables(view), 1);
			ept_put(view);
		}
		ept_put(home);
		memory_end(&mem);
	}
}

static void nonsense(void **state)
{
	static const u64 bad[] = {
		1,	    0xfff, 0x1001,     1ull << 39, (1ull << 39) + 4096,
		1ull << 52, ~0ull, ~0ull << 12
	};
	struct memory mem;
	struct mtrr_state m;
	struct ept *home, *view;

	(void)state;
	memory_init(&mem);
	surface(&m);
	home = home_of(&mem, &m, CAP_1G);
	assert_int_equal(ept_view_create(home, &view), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(ept_view_map_page(view, bad[i], 0, RWX),
				 -EINVAL);
		assert_int_equal(ept_view_map_page(view, 0, bad[i], RWX),
				 -EINVAL);
		assert_int_equal(ept_view_map_page(view, 0, bad[i], 0),
				 -EINVAL);
	}
	/* Home is not to be changed. */
	assert_int_equal(ept_view_map_page(home, 0, 0x1000, RWX), -EINVAL);
	assert_int_equal(ept_tables(view), 1);
	/* The last page, and onto itself */
	assert_int_equal(ept_view_map_page(view, (1ull << 39) - 4096,
					   (1ull << 39) - 4096, RWX),
			 0);
	differs_in(view, home, NULL, 0, RWX);
	ept_put(view);
	ept_put(home);
	memory_end(&mem);
}

/* A view of a view has what that has, and what it has itself. */
static void views_of_views(void **state)
{
	static const u64 pages[][2] = { { 0x40000000, 0x1000 },
					{ 0x40001000, 0x2000 },
					{ 0xc0000000, 0x3000 } };

	(void)state;
	for (unsigned int order = 0; order < 6; order++) {
		static const unsigned int orders[][3] = {
			{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
			{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
		};
		struct memory mem;
		struct mtrr_state m;
		struct ept *e[3]; /* home, a view, a view of that */
		u64 sum, live;

		memory_init(&mem);
		surface(&m);
		e[0] = home_of(&mem, &m, CAP_1G);
		assert_int_equal(ept_view_create(e[0], &e[1]), 0);
		assert_int_equal(
			ept_view_map_page(e[1], pages[0][0], pages[0][1], RWX),
			0);
		sum = memory_sum(&mem);
		live = mem.live;
		assert_int_equal(ept_view_create(e[1], &e[2]), 0);
		assert_int_equal(ept_views(e[1]), 1);
		assert_int_equal(ept_tables(e[2]), 1);
		differs_in(e[2], e[0], pages, 1, RWX);
		/* In the very table that the other one has made */
		assert_int_equal(
			ept_view_map_page(e[2], pages[1][0], pages[1][1], RWX),
			0);
		assert_int_equal(ept_tables(e[2]), 4);
		assert_int_equal(
			ept_view_map_page(e[2], pages[2][0], pages[2][1], RWX),
			0);
		differs_in(e[2], e[0], pages, 3, RWX);
		differs_in(e[1], e[0], pages, 1, RWX);
		if (order == 4) {
			ept_put(e[2]);
			assert_int_equal(mem.live, live);
			assert_int_equal(memory_sum(&mem), sum);
			e[2] = NULL;
		}
		for (unsigned int i = 0; i < 3; i++)
			ept_put(e[orders[order][i]]);
		memory_end(&mem);
	}
}

static int stop_differing(void *arg, const struct ept_leaf *a,
			  const struct ept_leaf *b)
{
	(void)b;
	*(u64 *)arg = a->gpa;
	return -EINTR;
}

static void stopping(void **state)
{
	struct memory mem;
	struct mtrr_state m;
	struct ept *home, *view;
	u64 seen = 0;

	(void)state;
	memory_init(&mem);
	surface(&m);
	home = home_of(&mem, &m, CAP_1G);
	assert_int_equal(ept_view_create(home, &view), 0);
	assert_int_equal(ept_view_map_page(view, 0x3000, 0x1000, RWX), 0);
	assert_int_equal(ept_view_map_page(view, 0x5000, 0x1000, RWX), 0);
	assert_int_equal(ept_diff(home, view, stop_differing, &seen), -EINTR);
	assert_int_equal(seen, 0x3000);
	ept_put(home);
	ept_put(view);
	memory_end(&mem);
}

/* Views of one home do not see each other, and are put back in any order. */
static void any_order(void **state)
{
	static const u64 pages[][2] = { { 0x40000000, 0x1000 },
					{ 0x40200000, 0x2000 },
					{ 0x80000000, 0x3000 } };

	(void)state;
	for (unsigned int order = 0; order < 24; order++) {
		struct memory mem;
		struct mtrr_state m;
		struct ept *e[4]; /* home, and three views */
		unsigned int at[4] = { 0, 1, 2, 3 }, code = order;
		u64 live;

		memory_init(&mem);
		surface(&m);
		e[0] = home_of(&mem, &m, CAP_1G);
		for (unsigned int i = 1; i < 4; i++) {
			assert_int_equal(ept_view_create(e[0], &e[i]), 0);
			assert_int_equal(ept_views(e[0]), i);
			assert_int_equal(
				ept_view_map_page(e[i], pages[i - 1][0],
						  pages[i - 1][1], RWX),
				0);
		}
		live = mem.live;
		assert_int_equal(live, ept_tables(e[0]) + ept_tables(e[1]) +
					       ept_tables(e[2]) +
					       ept_tables(e[3]) + 4);
		for (unsigned int i = 4; i > 0; i--) {
			unsigned int n = code % i, who;

			code /= i;
			who = at[n];
			at[n] = at[i - 1];
			at[i - 1] = who;
		}
		for (unsigned int i = 0; i < 4; i++) {
			/* Those that are left map what they did. */
			for (unsigned int j = i; j < 4; j++) {
				struct ept_leaf leaf;
				u64 gpa = pages[(at[j] + 2) % 3][0];

				assert_int_equal(
					ept_lookup(e[at[j]], gpa, &leaf), 0);
				if (at[j])
					assert_int_equal(leaf.hpa,
							 pages[at[j] - 1][1]);
				assert_int_equal(
					ept_lookup(e[at[j]], 5 * GB, &leaf), 0);
				assert_int_equal(leaf.hpa, 5 * GB);
			}
			ept_put(e[at[i]]);
		}
		memory_end(&mem);
	}
}

/* Every allocation fails once: the view maps what it did, and can go on. */
static void no_memory_for_views(void **state)
{
	static const u64 page[][2] = { { 0x40001000, 0x5000 } };
	struct memory mem;
	struct mtrr_state m;
	struct ept *home, *view;
	u64 live, n;

	(void)state;
	memory_init(&mem);
	surface(&m);
	home = home_of(&mem, &m, CAP_1G);
	live = mem.live;
	for (n = 0; n < 2; n++) {
		mem.fail_after = n;
		assert_int_equal(ept_view_create(home, &view), -ENOMEM);
		assert_null(view);
		assert_int_equal(mem.live, live);
		assert_int_equal(ept_views(home), 0);
	}
	for (n = 0;; n++) {
		int err;

		mem.fail_after = UINT64_MAX;
		assert_int_equal(ept_view_create(home, &view), 0);
		mem.fail_after = n;
		err = ept_view_map_page(view, page[0][0], page[0][1], RWX);
		if (!err) {
			ept_put(view);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		differs_in(view, home, page, 0, RWX);
		mem.fail_after = UINT64_MAX;
		assert_int_equal(
			ept_view_map_page(view, page[0][0], page[0][1], RWX),
			0);
		differs_in(view, home, page, 1, RWX);
		assert_int_equal(ept_tables(view), 4);
		ept_put(view);
		assert_int_equal(mem.live, live);
	}
	assert_int_equal(n, 3); /* PDPT, PD, PT */
	assert_int_equal(mem.live, live);
	ept_put(home);
	memory_end(&mem);
}

/* Pages all over, many, against an array that says what to expect */
static void many_pages(void **state)
{
	enum { PAGES = 300 };
	struct memory mem;
	struct mtrr_state m;
	struct ept *home, *view;
	static u64 gpa[PAGES], hpa[PAGES];
	u64 x = 88172645463325252u;

	(void)state;
	memory_init(&mem);
	surface(&m);
	home = home_of(&mem, &m, CAP_1G);
	assert_int_equal(ept_view_create(home, &view), 0);
	for (unsigned int i = 0; i < PAGES; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		gpa[i] = x % (1ull << 39) & ~0xfffull;
		if (i % 3)
			gpa[i] = (gpa[i] % (4 * MB)) & ~0xfffull;
		hpa[i] = x >> 11 & ((1ull << 39) - 1) & ~0xfffull;
		assert_int_equal(ept_view_map_page(view, gpa[i], hpa[i], RWX),
				 0);
	}
	for (unsigned int i = 0; i < PAGES; i++) {
		struct ept_leaf leaf;
		unsigned int last = i;

		for (unsigned int j = i; j < PAGES; j++)
			if (gpa[j] == gpa[i])
				last = j;
		assert_int_equal(ept_lookup(view, gpa[i], &leaf), 0);
		assert_int_equal(leaf.hpa, hpa[last]);
		assert_int_equal(ept_lookup(home, gpa[i], &leaf), 0);
		assert_int_equal(leaf.hpa, leaf.gpa);
	}
	for (unsigned int i = 0; i < PAGES; i++)
		assert_int_equal(ept_view_reset_page(view, gpa[i]), 0);
	differs_in(view, home, NULL, 0, RWX);
	ept_put(view);
	ept_put(home);
	memory_end(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(views),
		cmocka_unit_test(reset_nothing),
		cmocka_unit_test(rights),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(views_of_views),
		cmocka_unit_test(stopping),
		cmocka_unit_test(any_order),
		cmocka_unit_test(no_memory_for_views),
		cmocka_unit_test(many_pages),
	};

	return cmocka_run_group_tests_name("ept views", tests, NULL, NULL);
}
