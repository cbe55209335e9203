/* SPDX-License-Identifier: MIT */
#include "ept_memory.h"

#include "testlib.h"

#define FIRST_TABLE 0x7000ull

static bool may_fail(struct memory *mem)
{
	if (!mem->fail_after)
		return true;
	if (mem->fail_after != UINT64_MAX)
		mem->fail_after--;
	return false;
}

static u64 *table_alloc(void *ctx, u64 *phys)
{
	struct memory *mem = ctx;

	if (may_fail(mem))
		return NULL;
	if (mem->used == mem->room) {
		mem->room = mem->room * 2 + 64;
		mem->tables =
			realloc(mem->tables, mem->room * sizeof(*mem->tables));
		assert_non_null(mem->tables);
	}
	mem->tables[mem->used] = calloc(512, 8);
	assert_non_null(mem->tables[mem->used]);
	*phys = FIRST_TABLE + mem->used * 4096;
	mem->live++;
	return mem->tables[mem->used++];
}

static u64 *table_at(void *ctx, u64 phys)
{
	struct memory *mem = ctx;
	u64 n = (phys - FIRST_TABLE) / 4096;

	assert_int_equal(phys % 4096, FIRST_TABLE % 4096);
	assert_true(n < mem->used);
	assert_non_null(mem->tables[n]); /* else it was freed */
	return mem->tables[n];
}

static void table_free(void *ctx, u64 *table, u64 phys)
{
	struct memory *mem = ctx;

	assert_ptr_equal(table_at(ctx, phys), table);
	free(table);
	mem->tables[(phys - FIRST_TABLE) / 4096] = NULL;
	mem->live--;
}

static void *small_alloc(void *ctx, size_t size)
{
	struct memory *mem = ctx;

	if (may_fail(mem))
		return NULL;
	mem->live++;
	return calloc(1, size);
}

static void small_free(void *ctx, void *p)
{
	((struct memory *)ctx)->live--;
	free(p);
}

const struct ept_ops ops = { table_alloc, table_free, table_at, small_alloc,
			     small_free };

void memory_init(struct memory *mem)
{
	memset(mem, 0, sizeof(*mem));
	mem->fail_after = UINT64_MAX;
}

void memory_end(struct memory *mem)
{
	assert_int_equal(mem->live, 0);
	free(mem->tables);
}

u64 memory_sum(const struct memory *mem)
{
	u64 sum = 0;

	for (size_t i = 0; i < mem->used; i++)
		for (unsigned int j = 0; mem->tables[i] && j < 512; j++)
			sum = (sum ^ mem->tables[i][j]) * 0x100000001b3 + i;
	return sum;
}

struct ept *home_of(struct memory *mem, const struct mtrr_state *m, u64 cap)
{
	struct ept_config cfg = { .mtrr = m, .cap = cap };
	struct ept *home;

	assert_int_equal(ept_home_create(&cfg, &ops, mem, &home), 0);
	return home;
}

const struct mtrr_layout *layout_with(const char *what)
{
	for (unsigned int i = 0; i < mtrr_layouts_count; i++)
		if (strstr(mtrr_layouts[i].name, what))
			return &mtrr_layouts[i];
	fail();
	return NULL;
}

void surface(struct mtrr_state *m)
{
	mtrr_layout_state(layout_with("Surface"), 0, m);
}
