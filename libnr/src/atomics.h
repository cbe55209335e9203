/* SPDX-License-Identifier: MIT */
/*
 * C11 atomics with the order in the name of every access (after libvsync:
 * Oberhauser et al., VSync, ASPLOS'21), and in the test build a point before
 * each. What an access pairs with is said where it is made. There are no
 * fences: ThreadSanitizer does not know them.
 */
#ifndef NR_ATOMICS_H
#define NR_ATOMICS_H

#include <stdatomic.h>

#include "point.h"

#define load_relaxed(p)                                                        \
	(point(), atomic_load_explicit((p), memory_order_relaxed))
#define load_acquire(p)                                                        \
	(point(), atomic_load_explicit((p), memory_order_acquire))
#define load_seq_cst(p)                                                        \
	(point(), atomic_load_explicit((p), memory_order_seq_cst))

#define store_relaxed(p, v)                                                    \
	(point(), atomic_store_explicit((p), (v), memory_order_relaxed))
#define store_release(p, v)                                                    \
	(point(), atomic_store_explicit((p), (v), memory_order_release))

#define xchg_acq_rel(p, v)                                                     \
	(point(), atomic_exchange_explicit((p), (v), memory_order_acq_rel))
#define xchg_seq_cst(p, v)                                                     \
	(point(), atomic_exchange_explicit((p), (v), memory_order_seq_cst))
#define add_acq_rel(p, v)                                                      \
	(point(), atomic_fetch_add_explicit((p), (v), memory_order_acq_rel))

/* @old is a pointer; it gets what was there if that was something else. */
#define cas_(p, old, new, order)                                               \
	(point(), atomic_compare_exchange_strong_explicit(                     \
			  (p), (old), (new), (order), memory_order_relaxed))
#define cas_relaxed(p, old, new) cas_(p, old, new, memory_order_relaxed)
#define cas_acquire(p, old, new) cas_(p, old, new, memory_order_acquire)
#define cas_release(p, old, new) cas_(p, old, new, memory_order_release)
#define cas_acq_rel(p, old, new) cas_(p, old, new, memory_order_acq_rel)
#define cas_seq_cst(p, old, new) cas_(p, old, new, memory_order_seq_cst)

/* An order that is too weak, if that mutant is on: for TSan to find. */
#define store_release_or_relaxed(p, v, name)                                   \
	(mutant(name) ? store_relaxed(p, v) : store_release(p, v))

#endif
