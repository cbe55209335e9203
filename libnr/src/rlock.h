/* SPDX-License-Identifier: MIT */
/*
 * rlock.h - distributed reader lock
 *
 * Every reader has a line of its own that says whether it reads; the writer has
 * a flag that readers look at. (The lock of Calciu et al., after Vyukov's
 * distributed reader-writer mutex.) A reader sets its own word and then looks
 * at the flag, the writer sets the flag and then looks at all readers' words:
 * Dekker's pattern, all four sequentially consistent, so one sees the other,
 * and then the reader gives way.
 *
 * That is writer preference, and would starve readers. So a reader that waits
 * says since which section; a writer that finds one that RLOCK_BYPASS sections
 * have gone before lets it in: it sets that reader's word to reading in its
 * place, and waits until it has read, as for any other. Nobody else can come
 * between, so the bound is exact.
 *
 * Writers exclude each other with the gate; readers that wait sleep there, too.
 */
#ifndef NR_RLOCK_H
#define NR_RLOCK_H

#include "gate.h"
#include "nr.h"

#ifdef NR_TEST_POINTS
#define RLOCK_BYPASS 2u
#else
#define RLOCK_BYPASS 64u
#endif

enum reader_state {
	READER_AWAY = 0,
	READER_READING,
	READER_WAITING,
};

/* Written by its owner, but for WAITING -> READING. */
struct reader {
	apart _Atomic uint32_t state;
	/* while waiting: the number of the section it waits since */
	_Atomic uint32_t since;
	uint64_t reads; /* statistics of the owner */
	struct gate_waits waits;
	struct rlock *lock;
};

struct rlock {
	struct {
		apart struct gate gate; /* writers, and whoever sleeps */
	};
	struct {
		/* Read by every reader; written by the gate's owner. */
		apart _Atomic uint32_t writer;
		_Atomic uint32_t section; /* counts them */
	};
	/* Readers, changed by the gate's owner only. */
	struct {
		apart struct reader **readers;
		uint32_t n;
		uint32_t cap;
	};
};

/* Slow half of reading: a writer is there, or wants to be. */
void rlock_read_wait(struct reader *r, struct rlock *l) cold;

static inline void rlock_read_begin(struct reader *r, struct rlock *l)
{
	/* This and the load: Dekker with rlock_write_begin(). The load
	 * also acquires what rlock_write_end() has released. */
	xchg_seq_cst(&r->state, READER_READING);
	if (unlikely(load_seq_cst(&l->writer)) && !mutant(READER_BLIND))
		rlock_read_wait(r, l);
}

/* ... without waiting; 0: a writer is there. */
static inline int rlock_read_try(struct reader *r, struct rlock *l)
{
	/* As in rlock_read_begin(). */
	xchg_seq_cst(&r->state, READER_READING);
	if (!load_seq_cst(&l->writer))
		return 1;
	store_release(&r->state, READER_AWAY);
	return 0;
}

static inline void rlock_read_end(struct reader *r)
{
	/* Release pairs with the load in rlock_write_begin(): what was read is
	 * not written before. */
	store_release_or_relaxed(&r->state, READER_AWAY, RELAXED_READER);
}

/* Slow half of writing: this reader is there, or wants to be. */
void rlock_write_wait(struct rlock *l, struct reader *r, uint32_t section) cold;

/* The gate's owner: keep readers out, and wait for those that are in. */
static inline void rlock_write_begin(struct rlock *l)
{
	uint32_t section = load_relaxed(&l->section) + 1;
	struct reader **at = l->readers;

	invariant(!load_relaxed(&l->writer));
	store_relaxed(&l->section, section);
	/* This and the loads: Dekker with rlock_read_begin(). The loads also
	 * acquire what rlock_read_end() has released. */
	xchg_seq_cst(&l->writer, 1);
	for (uint32_t n = l->n; n; n--, at++)
		if (unlikely(load_seq_cst(&(*at)->state)))
			rlock_write_wait(l, *at, section);
}

static inline void rlock_write_end(struct rlock *l)
{
	/* Release pairs with the load in rlock_read_begin() and
	 * rlock_read_wait(). */
	store_release_or_relaxed(&l->writer, 0, RELAXED_WRITER);
}

/*
 * The gate's owner: one reader more, -ENOMEM; one less. The list of them, which
 * every section goes through, is on @node.
 */
int rlock_add(struct rlock *l, struct reader *r, int node, enum nr_memory how);
void rlock_del(struct rlock *l, struct reader *r);

/* Nobody may use it. */
void rlock_fini(struct rlock *l);

#endif
