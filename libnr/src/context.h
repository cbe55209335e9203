/* SPDX-License-Identifier: MIT */
/*
 * context.h - a thread's part in a replica
 *
 * A ring of slots for asynchronous updates, and one for a synchronous update,
 * which comes after all of them; one cache line each if operations are short.
 * The thread writes the operation there, the combiner of its replica reads it
 * and writes the result over it. A slot's state says whose turn it is. The line
 * goes to the combiner and back, and that is all that moves between the two.
 */
#ifndef NR_CONTEXT_H
#define NR_CONTEXT_H

#include "replica.h"

enum slot_state {
	SLOT_FREE = 0,
	SLOT_PENDING, /* the combiner's */
	SLOT_DONE,    /* the thread's again, with the result */
};

#define SLOT_HEAD 8u
#define SLOT_WANTED 0x80000000u /* in len: the result is wanted */

struct slot {
	_Atomic uint32_t state;
	uint32_t len;
	/* The operation, or the address of a copy; then the result. */
	_Alignas(8) unsigned char data[];
};

/* What only the thread has to know of a slot. */
struct ticket {
	void *result;
	uint64_t tag;
};

struct nr_context {
	/* The thread's. */
	struct replica *replica;
	struct log *log;
	unsigned char *slots;
	size_t slot_size;
	struct ticket *tickets;
	uint32_t mask;
	uint32_t head; /* next to reap */
	uint32_t tail; /* next to submit */
	size_t bytes;
	uint64_t several;     /* updates in several logs: cnr_use.c */
	struct reader reader; /* on a line of its own */
	struct {
		/* The combiner's: next to collect. */
		apart uint32_t taken;
	};
};

static inline struct slot *context_slot(const struct nr_context *c, uint32_t i)
{
	return (void *)(c->slots + (i & c->mask) * c->slot_size);
}

static inline struct slot *context_sync(const struct nr_context *c)
{
	return (void *)(c->slots + ((size_t)c->mask + 1) * c->slot_size);
}

static inline int slot_done(const struct slot *s)
{
	/* Acquire pairs with answer(). */
	return load_acquire(&s->state) == SLOT_DONE;
}

/*
 * The address of what is to be written into log or slot as @op: itself, or, if
 * it is long, a copy of it on the heap. 0 or -ENOMEM.
 */
int context_copy(struct nr_context *c, const void **op, size_t len);

/* Put @op, which is what context_copy() gave, into a slot that is free. */
void context_fill(struct nr_context *c, struct slot *s, const void *op,
		  uint32_t len, int wanted);

/* ... into the next slot of the ring. -EAGAIN. */
int context_submit(struct nr_context *c, const void *op, uint32_t len,
		   void *result, uint64_t tag);

/* Do as nr_poll() does, without combining. */
unsigned context_reap(struct nr_context *c, uint64_t *tags, unsigned n);

/* Has all been done that it has submitted? */
static inline int context_is_done(const struct nr_context *c)
{
	return likely(c->head == c->tail) ||
	       slot_done(context_slot(c, c->tail - 1));
}

/* Wait until it has, or do it. */
void context_finish(struct nr_context *c);

static inline int caught_up(struct replica *r, uint64_t done)
{
	/* Acquire pairs with apply(). */
	return load_acquire(&r->ltail) >= done;
}

/* Bring its replica to index @done of the log, which has been done. */
void context_catch_up(struct nr_context *c, uint64_t done);

/* What nr_read() does around the structure's own part. */
static inline void context_read_begin(struct nr_context *c)
{
	struct replica *r = c->replica;
	uint64_t done = log_done(c->log);

	if (unlikely(!caught_up(r, done)) && !mutant(READ_STALE))
		context_catch_up(c, done);
	rlock_read_begin(&c->reader, &r->lock);
}

/* ... without waiting; 0: it is behind, or a writer is there. */
static inline int context_read_try(struct nr_context *c)
{
	struct replica *r = c->replica;

	return likely(caught_up(r, log_done(c->log))) &&
	       likely(rlock_read_try(&c->reader, &r->lock));
}

static inline void context_read_end(struct nr_context *c)
{
	rlock_read_end(&c->reader);
	stat_add(c->reader.reads, 1);
}

/*
 * Combiner: collect what is there, put it into the log, apply it, answer. @own,
 * if not NULL, is one of the combiner's own, which has nothing older in slots,
 * and goes first.
 */
void combine(struct replica *r, const struct item *own);

#endif
