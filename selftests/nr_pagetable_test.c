/* SPDX-License-Identifier: MIT */
/* nr_pagetable_test.c - libnr's page tables, against an array */
#include "nr_pagetable_model.h"

static struct model model;

/* As hardware may see it: physical addresses are others, and not in order. */
#define OTHER UINT64_C(0x000a5a5a5a000000)

static uint64_t other_phys(const void *table, void *arg)
{
	return (uint64_t)(uintptr_t)table ^ *(uint64_t *)arg;
}

static void *other_table(uint64_t phys, void *arg)
{
	return (void *)(uintptr_t)(phys ^ *(uint64_t *)arg);
}

static unsigned flushes;

static void count_flush(uint64_t root, void *arg)
{
	(void)arg;
	assert_true(root != 0);
	flushes++;
}

static void resolve(const struct nr_pagetable *t, struct model *m, uint64_t va)
{
	struct nr_page page;

	model_check(m, va, nr_pagetable_resolve(t, va, &page), &page);
}

static int step(struct nr_pagetable *t, struct model *m)
{
	struct model_range r = model_draw(m);

	switch (below(m, 3)) {
	case 0:
		assert_int_equal(nr_pagetable_map(t, r.va, r.frame, r.len,
						  r.bytes, r.rights),
				 model_map(m, &r));
		break;
	case 1:
		assert_int_equal(nr_pagetable_unmap(t, r.va, r.len),
				 model_change(m, &r, 1));
		break;
	default:
		assert_int_equal(nr_pagetable_protect(t, r.va, r.len, r.rights),
				 model_change(m, &r, 0));
	}
	resolve(t, m, r.va);
	resolve(t, m, r.va + r.len - 1);
	if (r.va > m->base)
		resolve(t, m, r.va - 1);
	if (r.va + r.len - m->base < WINDOW)
		resolve(t, m, r.va + r.len);
	return 0;
}

static void like_an_array(const struct nr_page_memory *memory, uint64_t base)
{
	struct nr_pagetable *t;
	struct nr_page page;

	memset(&model, 0, sizeof(model));
	model.base = base;
	model.random = base >> 12;
	assert_int_equal(nr_pagetable_create(memory, &t), 0);
	for (unsigned n = 0; n < 3000 / slowness; n++) {
		step(t, &model);
		for (unsigned i = 0; i < 20; i++)
			resolve(t, &model, base + below(&model, WINDOW));
		if (n % 500 == 99)
			check_tables((const struct pagetable *)t);
	}
	for (uint64_t i = 0; i < MODEL_PAGES; i++)
		resolve(t, &model, base + i * NR_PAGE_4K + i % NR_PAGE_4K);
	check_tables((const struct pagetable *)t);
	/* All of it, and nothing is left but the root. */
	nr_pagetable_unmap(t, base, WINDOW);
	assert_int_equal(nr_pagetable_unmap(t, base, WINDOW), -ENOENT);
	assert_int_equal(nr_pagetable_resolve(t, base, &page), -ENOENT);
	assert_true(count_tables(&((const struct pagetable *)t)->pages,
				 nr_pagetable_root(t), 3, 0) == 1);
	nr_pagetable_destroy(t);
}

static void numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(model_bases); i++)
		like_an_array(NULL, model_bases[i]);
}

static void addresses(void **state)
{
	uint64_t mask = OTHER;
	struct nr_page_memory memory = { other_phys, other_table, count_flush,
					 &mask };

	(void)state;
	flushes = 0;
	like_an_array(&memory, model_bases[1]);
	assert_true(flushes > 0);
}

/* An independent walk, by the book. */
static uint64_t entry_at(const struct nr_pagetable *t, uint64_t va,
			 unsigned steps)
{
	uint64_t e = nr_pagetable_root(t);

	for (unsigned i = 0; i < steps; i++)
		e = nr_pagetable_table(
			t, e & 0xffffffffff000)[va >> (39 - 9 * i) & 511];
	return e;
}

/* Bits as Intel's manual has them. */
static void format(void **state)
{
	uint64_t va = UINT64_C(0xffff812345678000), size = NR_PAGE_1G;
	struct nr_pagetable *t;

	(void)state;
	assert_int_equal(nr_pagetable_create(NULL, &t), 0);
	assert_int_equal(nr_pagetable_map(t, va, 0xabcdef000, 4096, NR_PAGE_4K,
					  NR_PAGE_WRITE | NR_PAGE_USER),
			 0);
	assert_true(entry_at(t, va, 4) == UINT64_C(0x8000000abcdef067));
	for (unsigned steps = 1; steps < 4; steps++)
		assert_true((entry_at(t, va, steps) >> 52) == 1 &&
			    (entry_at(t, va, steps) & 0xfff) == 0x27);
	assert_int_equal(nr_pagetable_protect(t, va, 4096, NR_PAGE_EXEC), 0);
	assert_true(entry_at(t, va, 4) == UINT64_C(0xabcdef021));
	assert_int_equal(nr_pagetable_protect(t, va, 4096,
					      NR_PAGE_EXEC | NR_PAGE_THROUGH |
						      NR_PAGE_UNCACHED |
						      NR_PAGE_GLOBAL),
			 0);
	assert_true(entry_at(t, va, 4) == UINT64_C(0xabcdef139));
	assert_int_equal(nr_pagetable_map(t, size, 3 * size, size, NR_PAGE_1G,
					  NR_PAGE_EXEC),
			 0);
	assert_true(entry_at(t, size, 2) == UINT64_C(0xc00000a1));
	/* A hole of a page: two levels more, each of them full but for it. */
	assert_int_equal(nr_pagetable_unmap(t, size + 4096, 4096), 0);
	assert_true(entry_at(t, size, 2) >> 52 == 512);
	assert_true(entry_at(t, size, 3) >> 52 == 511);
	assert_true(entry_at(t, size + 4096, 4) == 0);
	assert_true(entry_at(t, size + 8192, 4) == UINT64_C(0xc0002021));
	assert_true(entry_at(t, size + NR_PAGE_2M, 3) == UINT64_C(0xc02000a1));
	nr_pagetable_destroy(t);
}

static void refused(void **state)
{
	struct nr_page_memory half = { .phys = other_phys };
	uint64_t top = UINT64_C(1) << 47, big = UINT64_C(1) << 40;
	struct nr_pagetable *t;
	struct nr_page page;

	(void)state;
	assert_int_equal(nr_pagetable_create(&half, &t), -EINVAL);
	assert_int_equal(nr_pagetable_create(NULL, &t), 0);
	assert_int_equal(nr_pagetable_map(t, 0, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(nr_pagetable_map(t, 1, 0, 4096, 0, 0), -EINVAL);
	assert_int_equal(nr_pagetable_map(t, 0, 1, 4096, 0, 0), -EINVAL);
	assert_int_equal(nr_pagetable_map(t, 0, 0, 4097, 0, 0), -EINVAL);
	assert_int_equal(nr_pagetable_map(t, 0, 0, 4096, 8192, 0), -EINVAL);
	assert_int_equal(nr_pagetable_map(t, 0, 0, 4096, 0, 64), -EINVAL);
	assert_int_equal(
		nr_pagetable_map(t, 4096, 0, NR_PAGE_2M, NR_PAGE_2M, 0),
		-EINVAL);
	assert_int_equal(nr_pagetable_map(t, top, 0, 4096, 0, 0), -EINVAL);
	assert_int_equal(nr_pagetable_map(t, top - 4096, 0, 8192, 0, 0),
			 -EINVAL);
	assert_int_equal(nr_pagetable_map(t, 0 - top - 4096, 0, 8192, 0, 0),
			 -EINVAL);
	assert_int_equal(nr_pagetable_map(t, UINT64_MAX - 4095, 0, 8192, 0, 0),
			 -EINVAL);
	assert_int_equal(nr_pagetable_map(t, 0, UINT64_C(1) << 52, 4096, 0, 0),
			 -EINVAL);
	assert_int_equal(
		nr_pagetable_map(t, 0, (UINT64_C(1) << 52) - 4096, 8192, 0, 0),
		-EINVAL);
	assert_int_equal(nr_pagetable_map(t, 0, 0, big, NR_PAGE_4K, 0),
			 -EMSGSIZE);
	assert_int_equal(nr_pagetable_map(t, 0, 4096, big, NR_PAGE_ANY, 0),
			 -EMSGSIZE);
	/* A TiB of the largest pages is a few tables. */
	assert_int_equal(nr_pagetable_map(t, 0, 0, big, NR_PAGE_ANY, 0), 0);
	assert_int_equal(nr_pagetable_map(t, big - 4096, 0, 4096, 0, 0),
			 -EEXIST);
	assert_int_equal(nr_pagetable_resolve(t, big - 1, &page), 0);
	assert_true(page.bytes == NR_PAGE_1G);
	assert_int_equal(nr_pagetable_resolve(t, big, &page), -ENOENT);
	assert_int_equal(nr_pagetable_resolve(t, top, &page), -ENOENT);
	assert_int_equal(nr_pagetable_unmap(t, 0, 0), -EINVAL);
	assert_int_equal(nr_pagetable_unmap(t, 0, 2 * top), -EINVAL);
	assert_int_equal(nr_pagetable_protect(t, 0, 4096, 64), -EINVAL);
	assert_int_equal(nr_pagetable_unmap(t, 0, top), 0);
	assert_int_equal(nr_pagetable_unmap(t, 0 - top, top), -ENOENT);
	nr_pagetable_destroy(t);
	nr_pagetable_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format),
		cmocka_unit_test(refused),
		cmocka_unit_test(numbers),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests_name("page tables", tests, NULL, NULL);
}
