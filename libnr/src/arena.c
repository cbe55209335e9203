/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <errno.h>
#include <string.h>

#include "util.h"

#ifdef NR_TEST_POINTS
#define CHUNK_FIRST 256u /* so that a short test sees it grow */
#else
#define CHUNK_FIRST 65536u
#endif

static unsigned log2_of(uint64_t n)
{
	return 63 - (unsigned)__builtin_clzll(n);
}

/* The class of allocations of @units, and how many units those have. */
static unsigned class_of(uint64_t units, uint64_t *rounded)
{
	unsigned shift;
	uint64_t quarter;

	if (units <= 8) {
		*rounded = units;
		return (unsigned)units - 1;
	}
	shift = log2_of(units - 1) - 2;
	quarter = (units + (UINT64_C(1) << shift) - 1) >> shift;
	*rounded = quarter << shift;
	/* 5 to 8 quarters of 2^(shift + 2) units; shift is 1 after 8 units */
	return 8 + 4 * (shift - 1) + (unsigned)quarter - 5;
}

static uint64_t units_of(size_t bytes)
{
	return (bytes + ARENA_UNIT - 1) / ARENA_UNIT;
}

int arena_same(size_t bytes, size_t other)
{
	uint64_t rounded;

	return class_of(units_of(bytes), &rounded) ==
	       class_of(units_of(other), &rounded);
}

static arena_ref ref_of(const struct arena *a, uint64_t unit)
{
	return (uint64_t)(a->n - 1) << 56 | unit;
}

/* A free block begins with the reference of the next one. */
static void push(struct arena *a, unsigned class, arena_ref ref)
{
	memcpy(arena_at(a, ref), &a->free[class], sizeof(ref));
	a->free[class] = ref;
}

arena_ref arena_alloc(struct arena *a, size_t bytes)
{
	uint64_t units;
	unsigned class = class_of(units_of(bytes), &units);
	arena_ref ref = a->free[class];

	if (ref) {
		memcpy(&a->free[class], arena_at(a, ref), sizeof(ref));
		return ref;
	}
	if (!a->n || units > a->units[a->n - 1] - a->used)
		return 0;
	ref = ref_of(a, a->used);
	a->used += units;
	return ref;
}

void arena_free(struct arena *a, arena_ref ref, size_t bytes)
{
	uint64_t units;

	push(a, class_of(units_of(bytes), &units), ref);
}

size_t arena_wants(const struct arena *a, size_t bytes, int least)
{
	uint64_t units, all = 0;

	if (a->n == ARENA_CHUNKS)
		return 0;
	class_of(units_of(bytes), &units);
	/* No reference is 0, so the first unit of all stays free. */
	units = max_u64(units + 1, CHUNK_FIRST / ARENA_UNIT);
	for (uint32_t i = 0; i < a->n && !least; i++)
		all += a->units[i];
	return max_u64(units, all) * ARENA_UNIT;
}

/* What is left of the last chunk is kept for what fits. */
static void put_rest_away(struct arena *a)
{
	uint64_t left = a->n ? a->units[a->n - 1] - a->used : 0;

	while (left) {
		uint64_t take = left > 8 ? UINT64_C(1) << log2_of(left) : left;
		unsigned class;

		take = min_u64(take, ARENA_MAX / ARENA_UNIT);
		class = class_of(take, &take);
		push(a, class, ref_of(a, a->used));
		a->used += take;
		left -= take;
	}
}

void arena_add(struct arena *a, void *chunk, size_t bytes)
{
	put_rest_away(a);
	a->chunk[a->n] = chunk;
	a->units[a->n] = bytes / ARENA_UNIT;
	a->used = !a->n;
	a->n++;
}

int arena_more(struct arena *a, size_t bytes)
{
	for (int least = 0; least < 2; least++) {
		size_t size = arena_wants(a, bytes, least);
		void *chunk =
			size ? mem_node_alloc(size, -1, NR_MEMORY_ANY) : NULL;

		if (chunk) {
			arena_add(a, chunk, size);
			return 0;
		}
	}
	return -ENOMEM;
}

int arena_clone(struct arena *to, const struct arena *from)
{
	struct arena a = *from;

	for (a.n = 0; a.n < from->n; a.n++) {
		uint64_t used = from->units[a.n];
		void *chunk = mem_policy_alloc(used * ARENA_UNIT);

		if (!chunk) {
			arena_fini(&a);
			return -ENOMEM;
		}
		if (a.n == from->n - 1)
			used = from->used;
		memcpy(chunk, from->chunk[a.n], used * ARENA_UNIT);
		a.chunk[a.n] = chunk;
	}
	*to = a;
	return 0;
}

void arena_fini(struct arena *a)
{
	for (uint32_t i = 0; i < a->n; i++)
		mem_node_free(a->chunk[i], a->units[i] * ARENA_UNIT);
	a->n = 0;
}
