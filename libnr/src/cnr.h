/* SPDX-License-Identifier: MIT */
/*
 * cnr.h - a structure with several logs
 *
 * Each log is one of nr.h, with its own replicas, combiner locks, reader locks
 * and contexts; the structure that it updates on a node is a *part*, and the
 * parts of all logs on that node lead to one object. So what touches one log is
 * what it is there: batches, helping, reads. What touches several is an entry
 * in each of them, with the same operation, and is done on a replica when all
 * of their parts have *arrived* at it, once, by who is at the entry of the log
 * with the lowest number, its *leader*.
 *
 * Waiting for the others cannot go in a circle. Entries of several logs are put
 * there under cnr->scan: so they are in the same order in all logs, and the
 * first one that anybody on a replica waits at is one that all can come to. Who
 * waits for another part of his replica waits for its arrival or its gate, and
 * who waits for room in a log has entries in none that are not written (he
 * writes empty ones instead, and takes others). Threads that help another
 * replica wait for none of the gates that its own threads have (cnr_help.c).
 *
 * Why it is linearizable: an update of one log is done at the moment at which
 * that log's completed tail passes it; one of several when the last of theirs
 * does. All of them have, before anybody sees that it has been done. A read of
 * one log is as in NR. One of several looks at parts that stand still, and
 * makes sure that none of them was behind its log's completed tail after the
 * last of them had stopped: so at that moment all of these were where the parts
 * are.
 */
#ifndef NR_CNR_INTERNAL_H
#define NR_CNR_INTERNAL_H

#include "context.h"
#include "nr_cnr.h"

struct cnr_replica {
	struct nr_cnr *cnr;
	struct cnr_replica *next; /* under cnr->admin */
	void *object;
	uint32_t id;
	int node;
	size_t object_bytes;
	size_t bytes;
	/* Only tried: who helps it with an operation in several logs. */
	struct gate helping;
	struct replica *parts[]; /* by log */
};

/* What a part has for a structure. */
struct part {
	/* Read by every update of one log. */
	struct cnr_replica *replica;
	uint32_t log;
	struct {
		/* Written for what is in several. */
		apart int taken;	 /* by the leader: it has its gate */
		int helped;		 /* by a helper: likewise */
		struct part *next_taken; /* ... and this one, too */
		struct gate_waits waits; /* hints */
		/* Combiners of other parts who wait for its gate */
		_Atomic uint32_t wanted;
		/* Index + 1 of the entry at which its combiner waits */
		_Atomic uint64_t arrived;
		/* ... of the last one that it led, and that has been done */
		_Atomic uint64_t led;
	};
};

struct nr_classes {
	uint32_t nlogs;
	uint32_t n;	/* logs in it */
	uint64_t *bits; /* NULL: nothing may be added */
};

struct nr_cnr {
	struct nr_cnr_ops ops;
	void *arg;
	struct nr_parts parts;
	enum nr_memory memory;
	uint32_t nlogs;
	uint32_t next_id;
	struct gate admin; /* who comes and goes; outside all others */
	struct cnr_replica *replicas; /* ascending numbers */
	struct nr_classes all;
	struct {
		/* Who puts entries into several logs; outside gates of parts */
		apart struct gate scan;
		/* How many; by kind. And entries that had to stay empty. */
		uint64_t put[3];
		uint64_t empty;
	};
	apart struct nr *logs[];
};

struct nr_cnr_context {
	struct nr_cnr *cnr;
	struct cnr_replica *replica;
	struct nr_classes classes; /* of the operation that is being begun */
	/* Of what has been submitted: a ring of logs. */
	uint32_t *order;
	uint32_t mask;
	uint32_t head; /* next to reap */
	uint32_t tail; /* next to submit */
	struct nr_context *logs[];
};

/* ---- entries of several logs -------------------------------------------- */

/*
 * In the length of an entry: it is one of several logs. So it is long, and its
 * copy on the heap is one of these; or none: then it is empty.
 */
#define CNR_SEVERAL (UINT32_C(1) << 30)

/* An entry: the @at-th of @log. */
struct spot {
	uint64_t at;
	uint32_t log;
};

/* What every one of them has; those that do not lead have no more. */
struct post {
	struct spot leader;
	uint64_t at; /* its own index */
};

enum several_kind { SEVERAL_UPDATE = 0, SEVERAL_READ, SEVERAL_VISIT };

/* Done on replica @id; an update on all, and its result is given there. */
struct several {
	struct post post;
	enum several_kind kind;
	uint32_t id;
	const void *op; /* of an update: behind the places */
	size_t len;
	/* result; of a visit: given to it */
	void *to;
	void (*visit)(struct cnr_replica *r, const struct several *s);
	uint32_t n;
	struct spot in[]; /* the leader's first */
};

static inline struct part *part_of(const struct replica *r)
{
	return r->object;
}

/*
 * The entry that leads, which is still there: a replica on which it has not
 * been done is not past it. Waits until it has been written.
 */
const struct several *cnr_leader(const struct nr_cnr *cnr,
				 const struct spot *leader);

/*
 * Do @what, of which kind, id, op, len, to and visit are filled in, in the logs
 * of @set, and return when that is so on @r. 0 or -ENOMEM.
 */
int cnr_several(struct cnr_replica *r, const struct nr_classes *set,
		const struct several *what);

/* The combiner of @p, applying its log, is at such an entry (cnr_meet.c). */
void cnr_meet(struct part *p, const struct post *post);

/*
 * All its parts have stopped at @s, with readers out: raise all completed
 * tails, and do it.
 */
void cnr_do(struct cnr_replica *r, const struct several *s);

/* Has @r done it? */
static inline int cnr_done(struct cnr_replica *r, const struct spot *leader)
{
	/* Acquire pairs with cnr_set_done(): what was done. */
	return load_acquire(&part_of(r->parts[leader->log])->led) > leader->at;
}

static inline void cnr_set_done(struct cnr_replica *r,
				const struct spot *leader)
{
	/* Release pairs with cnr_done(). */
	store_release_or_relaxed(&part_of(r->parts[leader->log])->led,
				 leader->at + 1, RELAXED_LED);
}

/* Has its combiner come to the entry, and waits there until it is done? */
static inline int cnr_arrived(const struct part *p, uint64_t at)
{
	/* Acquire pairs with follow(): what that part has applied. */
	return load_acquire(&p->arrived) == at + 1;
}

/* A part that has been kept where it is, with readers out: past @at, and on. */
void cnr_let_go(struct replica *r, uint64_t at);

/* struct nr_parts' */
void cnr_help(struct replica *r, uint64_t upto, uint64_t most);
int cnr_may_help(struct replica *r);

/* ---- replicas ----------------------------------------------------------- */

/* Only before anybody takes part: one more, by init. 0 or -errno. */
int cnr_replica_make(struct nr_cnr *cnr, uint32_t place);
/* Its object, and all else; the parts are on no list. */
void cnr_replica_destroy(struct cnr_replica *r);

/* ---- classes ------------------------------------------------------------ */

/* -ENOMEM; cnr_classes_fini() */
int cnr_classes_init(struct nr_classes *c, uint32_t nlogs);
void cnr_classes_fini(struct nr_classes *c);
/* The logs of an operation: the only one, or UINT32_MAX: see @c. */
uint32_t cnr_classify(struct nr_classes *c,
		      uint64_t (*fn)(const void *op, size_t len,
				     struct nr_classes *more),
		      const void *op, size_t len);
/* The first log that is @i or higher; nlogs: there is none. */
uint32_t cnr_classes_next(const struct nr_classes *c, uint32_t i);

#define cnr_each_log(i, c)                                                     \
	for (uint32_t i = cnr_classes_next(c, 0); i < (c)->nlogs;              \
	     i = cnr_classes_next(c, i + 1))

#endif
