/* SPDX-License-Identifier: MIT */
/* map_use.c - the replicated map: what a program calls all the time */
#include <errno.h>

#include "context.h"
#include "hash.h"
#include "map.h"
#include "table_find.h"

/* Begin an operation: 0, -EMSGSIZE, -EINVAL. */
static int put_op(const struct nr_map_context *c, struct pooled_op *op,
		  const void *key, size_t klen, size_t vlen, unsigned flags)
{
	if (klen >= NR_KEY_MAX || vlen >= NR_VALUE_MAX)
		return -EMSGSIZE;
	if (flags > NR_REPLACE)
		return -EINVAL;
	*op = (struct pooled_op){
		.word = hash_bytes(key, klen, map_seed(c)),
		.kind = MAP_PUT,
		.flags = flags & 15,
		.klen = klen & (NR_KEY_MAX - 1),
		.vlen = (uint32_t)vlen,
	};
	return 0;
}

static int remove_op(const struct nr_map_context *c, struct pooled_op *op,
		     const void *key, size_t klen)
{
	int err = put_op(c, op, key, klen, 0, 0);

	op->kind = MAP_REMOVE;
	return err;
}

NR_PUBLIC int nr_map_put(struct nr_map_context *c, const void *key, size_t klen,
			 const void *value, size_t vlen, unsigned flags)
{
	struct pooled_op op;
	int err = put_op(c, &op, key, klen, vlen, flags);

	return err ? err
		   : pooled_do(&c->base, &op, key, value,
			       table_record(klen, vlen));
}

NR_PUBLIC int nr_map_remove(struct nr_map_context *c, const void *key,
			    size_t klen)
{
	struct pooled_op op;
	int err = remove_op(c, &op, key, klen);

	return err ? err : pooled_do(&c->base, &op, key, NULL, 0);
}

/* ---- asynchronously ----------------------------------------------------- */

NR_PUBLIC int nr_map_submit_put(struct nr_map_context *c, const void *key,
				size_t klen, const void *value, size_t vlen,
				unsigned flags, uint64_t tag)
{
	struct pooled_op op;
	int err = put_op(c, &op, key, klen, vlen, flags);

	return err ? err
		   : pooled_submit(&c->base, &op, key, value,
				   table_record(klen, vlen), tag);
}

NR_PUBLIC int nr_map_submit_remove(struct nr_map_context *c, const void *key,
				   size_t klen, uint64_t tag)
{
	struct pooled_op op;
	int err = remove_op(c, &op, key, klen);

	return err ? err : pooled_submit(&c->base, &op, key, NULL, 0, tag);
}

NR_PUBLIC int nr_map_poll(struct nr_map_context *c, struct nr_done *done,
			  unsigned n)
{
	return pooled_poll(&c->base, done, n);
}

NR_PUBLIC int nr_map_wait(struct nr_map_context *c, struct nr_done *done,
			  unsigned n, unsigned min)
{
	return pooled_wait(&c->base, done, n, min);
}

/* ---- reads -------------------------------------------------------------- */

/* Into @value, as much as there is room for: nr_map_get()'s result */
static int take(const struct table_entry *e, void *value, size_t room)
{
	size_t n = e->vlen < room ? e->vlen : room;

	if (n)
		memcpy(value, e->value, n);
	return (int)e->vlen;
}

/*
 * What a program does most, so without a call from here to the table. Where the
 * entry is it knows before it has the lock, and does not wait for either alone.
 */
static __attribute__((noinline)) int get_bytes(struct nr_map_context *c,
					       const void *key, size_t klen,
					       void *value, size_t room)
{
	struct table_key k = { .bytes = key, .len = (uint32_t)klen };
	struct nr_context *context = c->base.context;
	const struct table *t = context->replica->object;
	struct table_entry e;
	int ret = -ENOENT;

	if (klen >= NR_KEY_MAX)
		return -ENOENT;
	k.hash = hash_bytes(key, klen, map_seed(c));
	table_prefetch(t, k.hash);
	context_read_begin(context);
	if (table_find_in(t, table_bucket(t, k.hash), &k, &e))
		ret = take(&e, value, room);
	context_read_end(context);
	return ret;
}

/*
 * Likewise, of a key that is a word: the fewer instructions this has, the more
 * lookups a processor has under way while it waits for memory. So what is rare
 * is called where there is nothing else left to do, and nothing has to be saved
 * for that.
 */
static __attribute__((noinline)) int
end_elsewhere(struct nr_map_context *c, const void *key, void *value,
	      size_t room, struct bucket *b, uint64_t hash)
{
	const struct table_key k = { hash, key, sizeof(uint64_t) };
	const struct table *t = c->base.context->replica->object;
	struct table_entry e;
	int ret = table_find_in(t, b, &k, &e) ? take(&e, value, room) : -ENOENT;

	context_read_end(c->base.context);
	return ret;
}

/* From where the lock has been had */
static inline int get_locked(struct nr_map_context *c, const void *key,
			     void *value, size_t room, uint64_t hash)
{
	const struct table *t = c->base.context->replica->object;
	struct bucket *b = table_bucket(t, hash);
	uint64_t word, got;

	memcpy(&word, key, sizeof(word));
	if (likely(room >= sizeof(got)) &&
	    table_find_word(b, hash, word, &got)) {
		memcpy(value, &got, sizeof(got));
		context_read_end(c->base.context);
		return sizeof(got);
	}
	if (slots_like(b, hash) || has_list(b))
		return end_elsewhere(c, key, value, room, b, hash);
	context_read_end(c->base.context);
	return -ENOENT;
}

static cold __attribute__((noinline)) int get_slowly(struct nr_map_context *c,
						     const void *key,
						     void *value, size_t room,
						     uint64_t hash)
{
	context_read_begin(c->base.context);
	return get_locked(c, key, value, room, hash);
}

static inline int get_word(struct nr_map_context *c, const void *key,
			   void *value, size_t room)
{
	struct nr_context *context = c->base.context;
	uint64_t word, hash;

	memcpy(&word, key, sizeof(word));
	hash = hash_word(word, map_seed(c));
	table_prefetch(context->replica->object, hash);
	if (unlikely(!context_read_try(context)))
		return get_slowly(c, key, value, room, hash);
	return get_locked(c, key, value, room, hash);
}

NR_PUBLIC int nr_map_get(struct nr_map_context *c, const void *key, size_t klen,
			 void *value, size_t room)
{
	return likely(klen == sizeof(uint64_t))
		       ? get_word(c, key, value, room)
		       : get_bytes(c, key, klen, value, room);
}

static void ask_count(const void *object, struct pooled_query *q)
{
	q->ret = (int64_t)((const struct table *)object)->count;
}

NR_PUBLIC uint64_t nr_map_count(struct nr_map_context *c)
{
	struct pooled_query q = { ask_count, 0 };

	return (uint64_t)pooled_ask(&c->base, &q);
}

struct each {
	struct pooled_query q;
	int (*fn)(const void *key, size_t klen, const void *value, size_t vlen,
		  void *arg);
	void *arg;
};

static int call_each(const struct table_entry *at, void *arg)
{
	const struct each *e = arg;

	return e->fn(at->key, at->klen, at->value, at->vlen, e->arg);
}

static void ask_each(const void *object, struct pooled_query *q)
{
	q->ret = table_each(object, call_each, q);
}

NR_PUBLIC int nr_map_each(struct nr_map_context *c,
			  int (*fn)(const void *key, size_t klen,
				    const void *value, size_t vlen, void *arg),
			  void *arg)
{
	struct each e = { { ask_each, 0 }, fn, arg };

	return (int)pooled_ask(&c->base, &e.q);
}
