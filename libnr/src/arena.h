/* SPDX-License-Identifier: MIT */
/*
 * arena.h - memory of a sequential structure that is replicated
 *
 * Replicas must do the same, so what an update does may not depend on whether
 * memory could be had on one node. An arena therefore never asks for memory: it
 * is given chunks, and an allocation that does not fit into those says so, on
 * every replica that has been given as many, and has had as many allocations.
 * Who wants to update gets the next chunk, for all replicas, before he asks for
 * it to be added (pooled_grow.c).
 *
 * What has been allocated is named by a reference, which is the same on every
 * replica: so a clone is a copy of the bytes.
 */
#ifndef NR_ARENA_H
#define NR_ARENA_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "mem.h"

/* The chunk's number in the upper 28 bits, the unit below; 0: none. */
typedef uint64_t arena_ref;

#define ARENA_UNIT 16u
#define ARENA_UNIT_BITS 36u /* a chunk may have a tebibyte */
#define ARENA_CHUNKS (UINT32_C(1) << (64 - ARENA_UNIT_BITS))

/*
 * One free list for 1 to 8 units, and four for each doubling: an allocation
 * wastes a fifth at most. What is freed is used for the same class again.
 */
#define ARENA_CLASSES 108u
#define ARENA_MAX (UINT64_C(1) << 30) /* bytes of one allocation */

struct arena_chunk {
	uintptr_t from; /* where it is, less what its references begin with */
	uint64_t units; /* for allocations; 0: there is none */
};

struct arena {
	/* Behind the units of one of them: so where there is memory for a
	 * chunk there is memory to know it. Atomic for who looks beside
	 * updates: where they are now, and where they were before, all are
	 * known that he has been led to. */
	_Atomic(struct arena_chunk *) chunks;
	uint64_t used; /* units of the last chunk */
	uint64_t all;  /* units of all chunks */
	uint32_t n;
	arena_ref free[ARENA_CLASSES];
};

/* Acquire pairs with move_chunks(): whoever has led us to a chunk has ordered
 * where it is, but not where that is known now. (No point: it would be most of
 * them.) */
static inline struct arena_chunk *arena_chunks(const struct arena *a)
{
	return atomic_load_explicit(&a->chunks, memory_order_acquire);
}

static inline void *arena_at(const struct arena *a, arena_ref ref)
{
	/* Modulo 2^64, so the number in the upper bits needs no mask. */
	return (void *)(arena_chunks(a)[ref >> ARENA_UNIT_BITS].from +
			ref * ARENA_UNIT);
}

/* Where chunk @i begins. */
static inline unsigned char *arena_chunk(const struct arena *a, uint32_t i)
{
	return arena_at(a, (uint64_t)i << ARENA_UNIT_BITS);
}

/* 0: there is no room, and nothing has been done. */
arena_ref arena_alloc(struct arena *a, size_t bytes);
void arena_free(struct arena *a, arena_ref ref, size_t bytes);

/* Are both of the same class? */
int arena_same(size_t bytes, size_t other);

/*
 * Bytes of the chunk that an allocation of @bytes wants: as many as there are,
 * which makes growing rare; after so many @tries, for which there was no
 * memory, half as many each time, but what the allocation needs. 0: less will
 * not do.
 */
size_t arena_wants(const struct arena *a, size_t bytes, unsigned tries);

/* It is the arena's now: zeroed, and as long as arena_wants() said. */
void arena_add(struct arena *a, void *chunk, size_t bytes);

/* @a is empty: a chunk with the thread's policy that an allocation of @bytes
 * wants. 0 or -ENOMEM. */
int arena_first(struct arena *a, size_t bytes);

/* Of nobody's but the caller's: a chunk that an allocation of @bytes wants, the
 * longest that can be had. 0 or -ENOMEM. */
int arena_more(struct arena *a, size_t bytes);

/* @to is zero; its memory has the thread's policy. 0 or -ENOMEM. */
int arena_clone(struct arena *to, const struct arena *from);
void arena_fini(struct arena *a);

#endif
