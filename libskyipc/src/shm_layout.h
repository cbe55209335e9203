/* SPDX-License-Identifier: MIT */
/*
 * shm_layout.h - what a channel looks like in shared memory
 *
 * A channel belongs to one calling thread. It is a ring of request slots,
 * written by the client only, and a ring of reply slots, written by the server
 * only; slot i of the one answers slot i of the other. A slot is one cache
 * line: a short call moves the request's line to the server and the reply's
 * line back, nothing else.
 *
 * There is no shared head or tail. Each side keeps its cursor to itself and
 * looks at the next slot's sequence number, the low 16 bits of the position
 * plus one. (The rings hold at most 2^12 slots, so an older value in the same
 * slot always differs.) The head word is stored last and loaded first.
 *
 * Three more lines, 128 bytes apart so that no adjacent-line prefetch couples
 * writers: what the server says about its waiting, what the client says about
 * its waiting, and how far the server has accepted. The first two are read by
 * the other side on every call but written only when somebody parks or moves
 * to another CPU, so they stay in both caches. The third is written on every
 * call but read only by a client that is about to park.
 *
 * Everything here can be changed by the peer at any time, to anything. Each
 * word is loaded once into private memory and checked there. No index, cursor
 * or length is kept here.
 */
#ifndef SKY_SHM_LAYOUT_H
#define SKY_SHM_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "skyipc.h"
#include "util.h"

#define SHM_DEPTH_MAX 4096u

/* One slot of either ring. */
struct shm_slot {
	/* sequence:16, flags:16, code:32 (operation, or status) */
	_Alignas(64) _Atomic uint64_t head;
	/* where the long part is: see flags.h */
	_Atomic uint64_t ext;
	_Atomic uint64_t w[SKYIPC_WORDS];
};

static_assert(sizeof(struct shm_slot) == 64, "a slot is one cache line");

/* How a side waits: word that the other side looks at after publishing. */
#define SHM_AWAKE 0u  /* looks at the ring by itself */
#define SHM_PARKED 1u /* must be woken: exchange to SHM_AWAKE, then wake */

struct shm_side {
	_Alignas(128) _Atomic uint32_t park;
	_Atomic uint32_t cpu; /* where it runs, plus one; 0: not known */
};

struct shm_chan_head {
	struct shm_side server;
	struct shm_side client;
	/* requests accepted: position, stored before the handler runs */
	_Alignas(128) _Atomic uint64_t accepted;
};

static_assert(offsetof(struct shm_chan_head, client) == 128, "own line");
static_assert(offsetof(struct shm_chan_head, accepted) == 256, "own line");
static_assert(sizeof(struct shm_chan_head) == 384, "whole lines");

/* Where the rings start; @depth is a power of two. */
static inline size_t shm_req_offset(void)
{
	return sizeof(struct shm_chan_head);
}

static inline size_t shm_rep_offset(uint32_t depth)
{
	return shm_req_offset() +
	       align_up((size_t)depth * sizeof(struct shm_slot), 128);
}

static inline size_t shm_chan_size(uint32_t depth)
{
	return align_up(shm_rep_offset(depth) +
				(size_t)depth * sizeof(struct shm_slot),
			4096);
}

static inline uint16_t shm_seq(uint64_t pos)
{
	return (uint16_t)(pos + 1);
}

static inline uint64_t shm_head(uint64_t pos, uint32_t flags, uint32_t code)
{
	return (uint64_t)shm_seq(pos) | (uint64_t)flags << 16 |
	       (uint64_t)code << 32;
}

static inline uint32_t shm_head_flags(uint64_t head)
{
	return (uint32_t)(head >> 16) & 0xffff;
}

static inline uint32_t shm_head_code(uint64_t head)
{
	return (uint32_t)(head >> 32);
}

/* Is the slot for @pos filled? Acquire: pairs with shm_publish(). */
static inline int shm_ready(struct shm_slot *slot, uint64_t pos, uint64_t *head)
{
	*head = atomic_load_explicit(&slot->head, memory_order_acquire);
	return (uint16_t)*head == shm_seq(pos);
}

/*
 * The same question between shm_side.park = SHM_PARKED and sleeping.
 * Sequentially consistent: with shm_publish() and the load of park after it,
 * this is Dekker's pattern; one of the two sides sees the other's store, so
 * no wake-up is lost.
 */
static inline int shm_ready_sc(struct shm_slot *slot, uint64_t pos)
{
	uint64_t head = atomic_load_explicit(&slot->head, memory_order_seq_cst);

	return (uint16_t)head == shm_seq(pos);
}

/*
 * The words, one by one: compilers do not unroll a loop of atomic accesses at
 * -O2, and it would be a third of a call.
 */
static_assert(SKYIPC_WORDS == 6, "as written below");

/* Before the head: relaxed stores, ordered by shm_publish(). */
static inline void shm_put(struct shm_slot *slot, const uint64_t *w,
			   uint64_t ext)
{
	atomic_store_explicit(&slot->ext, ext, memory_order_relaxed);
	atomic_store_explicit(&slot->w[0], w[0], memory_order_relaxed);
	atomic_store_explicit(&slot->w[1], w[1], memory_order_relaxed);
	atomic_store_explicit(&slot->w[2], w[2], memory_order_relaxed);
	atomic_store_explicit(&slot->w[3], w[3], memory_order_relaxed);
	atomic_store_explicit(&slot->w[4], w[4], memory_order_relaxed);
	atomic_store_explicit(&slot->w[5], w[5], memory_order_relaxed);
}

/* After the head: relaxed loads, ordered by shm_ready(). Each once. */
static inline void shm_get(struct shm_slot *slot, uint64_t *w)
{
	w[0] = atomic_load_explicit(&slot->w[0], memory_order_relaxed);
	w[1] = atomic_load_explicit(&slot->w[1], memory_order_relaxed);
	w[2] = atomic_load_explicit(&slot->w[2], memory_order_relaxed);
	w[3] = atomic_load_explicit(&slot->w[3], memory_order_relaxed);
	w[4] = atomic_load_explicit(&slot->w[4], memory_order_relaxed);
	w[5] = atomic_load_explicit(&slot->w[5], memory_order_relaxed);
}

/*
 * Publish a slot and say whether the other side must be woken. Release for
 * the words before it (pairs with shm_ready()); sequentially consistent
 * against the load of park (pairs with shm_ready_sc()). On x86 this is one
 * xchg, whose wait for the line is hidden: nobody can answer before it anyway.
 */
static inline int shm_publish(struct shm_slot *slot, uint64_t head,
			      struct shm_side *other)
{
	atomic_store_explicit(&slot->head, head, memory_order_seq_cst);
	return atomic_load_explicit(&other->park, memory_order_seq_cst) !=
	       SHM_AWAKE;
}

#endif
