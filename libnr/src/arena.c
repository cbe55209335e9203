/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <errno.h>
#include <string.h>

#include "atomics.h"
#include "util.h"

#ifdef NR_TEST_POINTS
#define CHUNK_FIRST 256u /* so that a short test sees it grow */
#define CHUNKS_FIRST 2u
#else
#define CHUNK_FIRST 65536u
#define CHUNKS_FIRST 16u
#endif

#define UNITS_MAX (UINT64_C(1) << ARENA_UNIT_BITS)

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
	return (uint64_t)(a->n - 1) << ARENA_UNIT_BITS | unit;
}

/* Units of the last chunk. */
static uint64_t left(const struct arena *a)
{
	return a->n ? arena_chunks(a)[a->n - 1].units - a->used : 0;
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
	if (units > left(a))
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

/* ---- chunks ------------------------------------------------------------- */

/* How many chunks there is room to know of in chunk @i; 0: it is another one
 * that has it. */
static uint32_t room_in(uint32_t i)
{
	if (i < CHUNKS_FIRST)
		return i ? 0 : CHUNKS_FIRST;
	return i & (i - 1) ? 0 : 2 * i;
}

/* Of @n chunks, the one that has it. */
static uint32_t room_of(uint32_t n)
{
	return n <= CHUNKS_FIRST ? 0 : 1u << log2_of(n - 1);
}

static size_t room_bytes(uint32_t i)
{
	return room_in(i) * sizeof(struct arena_chunk);
}

static size_t bytes_of(const struct arena *a, uint32_t i)
{
	return arena_chunks(a)[i].units * ARENA_UNIT + room_bytes(i);
}

size_t arena_wants(const struct arena *a, size_t bytes, unsigned tries)
{
	uint64_t units, least, all = min_u64(a->all, UNITS_MAX / 2);

	if (a->n == ARENA_CHUNKS)
		return 0;
	class_of(units_of(bytes), &units);
	/* No reference is 0, so the first unit of all stays free; and a full
	 * bucket's entry may want a short record, too (table.c). */
	least = max_u64((units + 4) * ARENA_UNIT + room_bytes(a->n),
			CHUNK_FIRST);
	if (tries && (all >> (tries - 1)) * ARENA_UNIT <= least)
		return 0;
	return max_u64(least, (all >> tries) * ARENA_UNIT);
}

/* What is left of the last chunk is kept for what fits. */
static void put_rest_away(struct arena *a)
{
	uint64_t rest;

	while ((rest = left(a)) > 0) {
		uint64_t take = rest > 8 ? UINT64_C(1) << log2_of(rest) : rest;
		unsigned class;

		take = min_u64(take, ARENA_MAX / ARENA_UNIT);
		class = class_of(take, &take);
		push(a, class, ref_of(a, a->used));
		a->used += take;
	}
}

/*
 * Behind the @units of a chunk at @at there is room to know all: there they are
 * known from now on, with those @n that already are.
 */
static void move_chunks(struct arena *a, void *at, uint64_t units, uint32_t n)
{
	struct arena_chunk *chunks = (void *)((char *)at + units * ARENA_UNIT);

	if (n)
		memcpy(chunks, arena_chunks(a), n * sizeof(*chunks));
	/* Release pairs with arena_chunks(): what has been copied. */
	store_release_or_relaxed(&a->chunks, chunks, RELAXED_CHUNKS);
}

static void set_chunk(struct arena *a, uint32_t i, void *at, uint64_t units)
{
	uintptr_t first =
		(uintptr_t)(((uint64_t)i << ARENA_UNIT_BITS) * ARENA_UNIT);

	arena_chunks(a)[i] =
		(struct arena_chunk){ (uintptr_t)at - first, units };
}

void arena_add(struct arena *a, void *chunk, size_t bytes)
{
	size_t room = room_bytes(a->n);
	uint64_t units = (bytes - room) / ARENA_UNIT;

	put_rest_away(a);
	if (room)
		move_chunks(a, chunk, units, a->n);
	set_chunk(a, a->n, chunk, units);
	a->used = !a->n;
	a->all += units;
	a->n++;
}

int arena_first(struct arena *a, size_t bytes)
{
	size_t size = arena_wants(a, bytes, 0);
	void *chunk = mem_policy_alloc(size);

	if (!chunk)
		return -ENOMEM;
	arena_add(a, chunk, size);
	return 0;
}

int arena_more(struct arena *a, size_t bytes)
{
	size_t size;

	for (unsigned tries = 0; (size = arena_wants(a, bytes, tries));
	     tries++) {
		void *chunk = mem_node_alloc(size, -1, NR_MEMORY_ANY);

		if (chunk) {
			arena_add(a, chunk, size);
			return 0;
		}
	}
	return -ENOMEM;
}

/* ---- all of it ---------------------------------------------------------- */

/* NULL: there is no memory. */
static void *copy_of(const struct arena *a, uint32_t i)
{
	uint64_t used = i + 1 < a->n ? arena_chunks(a)[i].units : a->used;
	void *copy = mem_policy_alloc(bytes_of(a, i));

	if (copy)
		memcpy(copy, arena_chunk(a, i), used * ARENA_UNIT);
	return copy;
}

int arena_clone(struct arena *to, const struct arena *from)
{
	uint32_t home = room_of(from->n);
	struct arena a = *from;
	void *copy;

	if (!from->n) {
		*to = a;
		return 0;
	}
	copy = copy_of(from, home);
	if (!copy)
		return -ENOMEM;
	/* That is zero: none of them has units. */
	move_chunks(&a, copy, arena_chunks(from)[home].units, 0);
	set_chunk(&a, home, copy, arena_chunks(from)[home].units);
	for (uint32_t i = 0; copy && i < from->n; i++) {
		if (i == home)
			continue;
		copy = copy_of(from, i);
		if (copy)
			set_chunk(&a, i, copy, arena_chunks(from)[i].units);
	}
	if (!copy) {
		arena_fini(&a);
		return -ENOMEM;
	}
	*to = a;
	return 0;
}

void arena_fini(struct arena *a)
{
	uint32_t home = room_of(a->n);

	for (uint32_t i = 0; i < a->n; i++)
		if (i != home && arena_chunks(a)[i].units)
			mem_node_free(arena_chunk(a, i), bytes_of(a, i));
	if (a->n)
		mem_node_free(arena_chunk(a, home), bytes_of(a, home));
	a->n = 0;
}
