/* SPDX-License-Identifier: MIT */
/*
 * pooled.h - replicated structures whose memory goes through their log
 *
 * What the ready-made ones have in common. Every replica's structure lies in an
 * arena, and is in the same state after the same updates, down to the
 * references in there; so all of them find no room for the same update. That
 * one has changed nothing. Whoever asked for it takes pool->gate, maps a chunk
 * for every replica on its node, and puts an operation with all of them into
 * the log: each replica takes its own.
 *
 * Under pool->gate the list of replicas stays as it is, and nothing of the kind
 * is on its way: before a replica comes or goes all have applied what they have
 * been given.
 */
#ifndef NR_POOLED_H
#define NR_POOLED_H

#include "arena.h"
#include "gate.h"
#include "nr.h"
#include "util.h"

/* Kinds of operations; the structure's own come after. */
enum pooled_kind { POOLED_CHUNK = 0, POOLED_EXTRA, POOLED_OWN };

struct pooled_op {
	/* The structure's; or bytes of the chunk; or what was wanted. */
	uint64_t word;
	uint32_t kind : 4;
	uint32_t flags : 4;
	uint32_t klen : 24;
	uint32_t vlen;	       /* or how many pieces */
	unsigned char bytes[]; /* a key, then a value; or pieces */
};

/* What a replica is given. */
struct pooled_piece {
	const void *object; /* whose it is */
	void *memory;
};

struct pooled_result {
	int32_t ret;
	/* An update that found no room: chunks there were; else what
	 * pooled_type's wants says. */
	uint32_t wants;
};

/* A structure. */
struct pooled_type {
	size_t arena; /* where in the object it is */
	/*
	 * An operation; -ENOMEM: the arena has no room, nothing has been done.
	 * @asked: somebody waits for it on this replica.
	 */
	int (*update)(void *object, const struct pooled_op *op, int asked);
	/*
	 * If not NULL: after @op, which returned @ret, 0 or more: should there
	 * be more of something else than chunks? 0: no.
	 */
	uint32_t (*wants)(const void *object, const struct pooled_op *op,
			  int ret);
	/* ... of what, when it is asked for; 0: there is enough. */
	uint64_t (*extra)(const void *object);
	size_t (*extra_bytes)(uint64_t what);
	/* ... and that is it. */
	void (*add_extra)(void *object, void *memory, uint64_t what);
};

struct pooled_replica {
	const void *object;
	int node;
};

struct pooled {
	struct nr *nr;
	const struct pooled_type *type;
	enum nr_memory memory;
	struct gate gate; /* what follows; and who grows */
	struct pooled_replica *replicas;
	uint32_t n;
};

/* An asynchronous update. */
struct pooled_ticket {
	_Alignas(8) struct pooled_result result;
	uint64_t tag;
	size_t bytes; /* that it may want of the arena */
};

struct pooled_context {
	struct pooled *pool;
	struct nr_context *context;
	struct pooled_ticket *tickets; /* as many as context has; or NULL */
	uint64_t submitted;
};

/* What nr_read() is asked; the caller's own, and so is what is behind it. */
struct pooled_query {
	void (*fn)(const void *object, struct pooled_query *q);
	int64_t ret;
};

static inline struct arena *pooled_arena(const struct pooled_type *type,
					 const void *object)
{
	return (void *)((char *)(uintptr_t)object + type->arena);
}

/* What a replica of @object has been given by @op. */
void *pooled_piece(const void *object, const struct pooled_op *op);

/* For nr_ops: update and read. Here, so that @type is known there. */
static inline void pooled_update(const struct pooled_type *type, void *object,
				 const void *bytes, void *result)
{
	const struct pooled_op *op = bytes;
	struct pooled_result r = { 0, 0 };

	switch (op->kind) {
	case POOLED_CHUNK:
		arena_add(pooled_arena(type, object), pooled_piece(object, op),
			  op->word);
		break;
	case POOLED_EXTRA:
		type->add_extra(object, pooled_piece(object, op), op->word);
		break;
	default:
		r.ret = type->update(object, op, result != NULL);
		if (r.ret == -ENOMEM)
			r.wants = pooled_arena(type, object)->n;
		else if (r.ret >= 0 && type->wants)
			r.wants = type->wants(object, op, r.ret);
	}
	if (result)
		memcpy(result, &r, sizeof(r));
}

void pooled_read(const void *object, const void *op, size_t len, void *result);

static inline int64_t pooled_ask(struct pooled_context *c,
				 struct pooled_query *q)
{
	nr_read(c->context, q, sizeof(*q), NULL);
	return q->ret;
}

/* An operation in one piece; @small has room for some, others are on the heap.
 * NULL: there is no memory. */
#define POOLED_SMALL 256u
struct pooled_op *pooled_make(void *small, const struct pooled_op *head,
			      const void *key, const void *value);
void pooled_unmake(void *small, struct pooled_op *op);

static inline size_t pooled_len(const struct pooled_op *op)
{
	return sizeof(*op) + op->klen + op->vlen;
}

/*
 * Do @head with @key and @value behind it; where there is no room for what
 * needs @bytes of the arena, make some. Return: what the structure did; or
 * -ENOMEM.
 */
int pooled_do(struct pooled_context *c, const struct pooled_op *head,
	      const void *key, const void *value, size_t bytes);

/* May we wait for pool->gate, and for the replica's? */
enum pooled_way { POOLED_WAIT, POOLED_TRY };

/*
 * An allocation of @bytes found no room among @chunks chunks: 0: try again,
 * there is some; or, if we may not wait, somebody is in the way; -ENOMEM.
 */
int pooled_grow(struct pooled_context *c, size_t bytes, uint32_t chunks,
		enum pooled_way way) cold;

/* More of what pooled_type's extra says; if there is memory and nobody else is
 * at it. */
void pooled_extra(struct pooled_context *c, enum pooled_way way) cold;

/* Asynchronously: as pooled_do(); nr_map_submit_put(), nr_map_poll() and
 * nr_map_wait() say the rest. */
int pooled_submit(struct pooled_context *c, const struct pooled_op *head,
		  const void *key, const void *value, size_t bytes,
		  uint64_t tag);
int pooled_poll(struct pooled_context *c, struct nr_done *done, unsigned n);
int pooled_wait(struct pooled_context *c, struct nr_done *done, unsigned n,
		unsigned min);

/* @pool is zero; @arg: for init and clone, instead of what @attr has. 0, or
 * what nr_create() says. */
int pooled_create(struct pooled *pool, const struct pooled_type *type,
		  const struct nr_ops *ops, const struct nr_attr *attr,
		  void *arg);
int pooled_destroy(struct pooled *pool); /* 0 or -EBUSY */

/* @bytes: of the structure that begins with it, the rest zero. 0, or what
 * nr_register() says. */
int pooled_register(struct pooled *pool, const struct nr_context_attr *attr,
		    size_t bytes, struct pooled_context **out);
void pooled_leave(struct pooled_context *c); /* NULL is ignored */
int pooled_replica_add(struct pooled *pool, int place);
int pooled_replica_remove(struct pooled *pool, uint32_t replica);

#endif
