/* SPDX-License-Identifier: MIT */
/*
 * log.h - the log of operations that all replicas share
 *
 * A ring of entries, addressed by 64-bit indices that only grow:
 *
 *	head <= every replica's ltail <= ctail <= tail <= head + size
 *
 * A combiner takes room by moving the tail, writes its entries, and makes each
 * one alive. What is alive in a round of the ring has the opposite parity of
 * what is alive in the next, so nobody has to clear anything, and an entry that
 * is not yet written this round cannot be taken for one that is. A replica
 * applies entries in order; its ltail says how far it is. The completed tail
 * (ctail) is the furthest that any replica has got: what is before it has been
 * done, for everybody. The head is a lower bound of all ltails: what is before
 * it may be overwritten. (Calciu et al., ASPLOS'17, 5.1; the parity is NrOS'.)
 *
 * The room is checked with the same tail that the CAS expects, and a head that
 * is too old only makes it smaller; so no entry is overwritten that somebody
 * has not applied.
 */
#ifndef NR_LOG_H
#define NR_LOG_H

#include "atomics.h"
#include "util.h"

/* Operation bytes that fit into an entry of one line. */
#define LOG_ENTRY_HEAD 8u
#define LOG_OP_SIZE (NR_LINE - LOG_ENTRY_HEAD)

/* Least size: so that a batch of one is a quarter of it. */
#define LOG_SIZE_MIN 4u

struct log_entry {
	_Atomic uint32_t alive;
	uint32_t len;
	/* The operation; or, if it is longer, a pointer to a copy, which is
	 * freed by who next writes here. */
	_Alignas(8) unsigned char data[];
};

struct log {
	/* Read by everybody, written by nobody. */
	unsigned char *entries;
	uint64_t size; /* a power of two */
	size_t entry_size;
	size_t op_size; /* bytes of data[] */
	size_t bytes;
	struct {
		apart _Atomic uint64_t head;
		/* Of combiners: the size, or less, see log_keep(). */
		_Atomic uint64_t room;
	};
	struct {
		apart _Atomic uint64_t tail;
	};
	struct {
		apart _Atomic uint64_t ctail;
	};
};

/* @size: a power of two; 0 or -ENOMEM. */
int log_init(struct log *log, uint64_t size, size_t op_size);
void log_fini(struct log *log);

static inline struct log_entry *log_entry(const struct log *log, uint64_t i)
{
	return (void *)(log->entries + (i & (log->size - 1)) * log->entry_size);
}

/* What `alive` is in entry @i when it is: 1 in the first round. */
static inline uint32_t log_parity(const struct log *log, uint64_t i)
{
	return mutant(ALIVE_FLAG) ? 1 : !(i & log->size);
}

static inline int log_alive(const struct log *log, uint64_t i)
{
	/* Acquire pairs with log_write_end(). */
	return load_acquire(&log_entry(log, i)->alive) == log_parity(log, i);
}

static inline int log_long(const struct log *log, uint32_t len)
{
	return len > log->op_size;
}

static inline const void *log_op(const struct log *log,
				 const struct log_entry *e)
{
	void *copy;

	if (likely(!log_long(log, e->len)))
		return e->data;
	memcpy(&copy, e->data, sizeof(copy));
	return copy;
}

static inline int log_take_of(struct log *log, uint64_t n, uint64_t *first,
			      int kept)
{
	/* Relaxed: entries are seen by being alive, not by the tail. */
	uint64_t tail = load_relaxed(&log->tail);

	for (;;) {
		/* Relaxed: it is for who comes next, not for us. */
		uint64_t room = kept ? log->size : load_relaxed(&log->room);
		/* Acquire pairs with log_collected(): all replicas have read
		 * what we are about to overwrite. */
		uint64_t head = load_acquire(&log->head);

		if (tail + n > head + room)
			return 0;
		if (mutant(SPACE_RELOAD))
			tail = load_relaxed(&log->tail);
		if (cas_relaxed(&log->tail, &tail, tail + n)) {
			invariant(tail + n <=
				  load_relaxed(&log->head) + log->size);
			*first = tail;
			return 1;
		}
	}
}

/*
 * Take room for @n entries. 1: they are ours, from *@first on; 0: there is no
 * room before the head moves.
 */
static inline int log_take(struct log *log, uint64_t n, uint64_t *first)
{
	return log_take_of(log, n, first, 0);
}

/*
 * Somebody needs an entry in several logs at once: in each, one is kept for
 * him, so that he has not to wait for ever while others take what room there
 * is. They need more than one to be in his way, and a combiner that has seen
 * the room before can take it only once. One thread at a time keeps.
 */
static inline void log_keep(struct log *log, int keep)
{
	store_relaxed(&log->room, log->size - !!keep);
}

/* ... and takes it, as log_take() does. */
static inline int log_take_kept(struct log *log, uint64_t *at)
{
	return log_take_of(log, 1, at, 1);
}

/* The copy of a long operation that entry @e had the last time. */
void log_drop_copy(struct log *log, const struct log_entry *e) cold;

static inline struct log_entry *log_write_begin(struct log *log, uint64_t i)
{
	struct log_entry *e = log_entry(log, i);

	invariant(mutant(ALIVE_FLAG) || !log_alive(log, i));
	if (mutant(ALIVE_FIRST))
		store_release(&e->alive, log_parity(log, i));
	if (unlikely(log_long(log, e->len)))
		log_drop_copy(log, e);
	point();
	return e;
}

static inline void log_write_end(struct log *log, uint64_t i,
				 struct log_entry *e)
{
	/* Release pairs with log_alive(). */
	store_release_or_relaxed(&e->alive, log_parity(log, i), RELAXED_ALIVE);
	/* Others may have done it before we do anything else. */
	point();
}

/*
 * Write entry @i, which is ours: @op is the operation, or the address of its
 * copy on the heap if it is long.
 */
static inline void log_write(struct log *log, uint64_t i, const void *op,
			     uint32_t len)
{
	struct log_entry *e = log_write_begin(log, i);

	e->len = len;
	if (unlikely(log_long(log, len)))
		memcpy(e->data, &op, sizeof(op));
	else if (likely(len)) /* nothing may be at NULL */
		memcpy(e->data, op, len);
	log_write_end(log, i, e);
}

/* ... which is long; there may be no copy. */
static inline void log_write_long(struct log *log, uint64_t i, const void *copy,
				  uint32_t len)
{
	struct log_entry *e = log_write_begin(log, i);

	e->len = len;
	memcpy(e->data, &copy, sizeof(copy));
	log_write_end(log, i, e);
}

/* Every replica has applied what is before @head. */
static inline void log_collected(struct log *log, uint64_t head)
{
	invariant(head <= load_relaxed(&log->ctail));
	/* Release pairs with log_take(). Collectors take turns, so it only
	 * grows; a smaller one would do no harm. */
	store_release_or_relaxed(&log->head, head, RELAXED_HEAD);
}

/* Somebody has applied everything before @upto. */
static inline void log_completed(struct log *log, uint64_t upto)
{
	/* Seq_cst, as in log_done(): also where it is found far enough. */
	uint64_t ctail = load_seq_cst(&log->ctail);

	invariant(upto <= load_relaxed(&log->tail));
	if (mutant(CTAIL_BACK)) {
		store_release(&log->ctail, upto);
		return;
	}
	/* C11 has no fetch_max. Release pairs with log_done(): who sees it
	 * sees a tail that is not less. Seq_cst: where there are several logs,
	 * all see their completed tails pass in one order. A CAS that fails
	 * has loaded relaxed, so what it found is looked at again. */
	while (ctail < upto && !cas_seq_cst(&log->ctail, &ctail, upto))
		ctail = load_seq_cst(&log->ctail);
}

/* What is before this has been done. */
static inline uint64_t log_done(struct log *log)
{
	/* Acquire pairs with log_completed(); seq_cst: see there. */
	return load_seq_cst(&log->ctail);
}

#endif
