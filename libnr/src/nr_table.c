/* SPDX-License-Identifier: MIT */
/* nr_table.c - the sequential table alone: it gets its memory itself */
#include <errno.h>

#include "hash.h"
#include "nr_table.h"
#include "table_find.h"
#include "util.h"

struct nr_table {
	struct table table;
};

NR_PUBLIC int nr_table_create(struct nr_table **out)
{
	struct nr_table *t = mem_alloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	if (table_init(&t->table, hash_seed())) {
		mem_free(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

NR_PUBLIC void nr_table_destroy(struct nr_table *t)
{
	if (!t)
		return;
	table_fini(&t->table);
	mem_free(t);
}

static struct table_key key_of(const struct nr_table *t, const void *key,
			       size_t klen)
{
	return (struct table_key){ hash_bytes(key, klen, t->table.seed), key,
				   (uint32_t)klen };
}

/* It goes on without, if there is no memory. */
static void add_buckets(struct table *t)
{
	uint32_t bits = table_wants_now(t);
	struct bucket *buckets =
		bits ? mem_node_alloc(table_bytes(bits), -1, NR_MEMORY_ANY)
		     : NULL;

	if (buckets)
		table_add(t, buckets, bits);
}

NR_PUBLIC int nr_table_put(struct nr_table *t, const void *key, size_t klen,
			   const void *value, size_t vlen, unsigned flags)
{
	struct table_key k;
	int ret;

	if (klen >= NR_KEY_MAX || vlen >= NR_VALUE_MAX)
		return -EMSGSIZE;
	if (flags > NR_REPLACE)
		return -EINVAL;
	k = key_of(t, key, klen);
	ret = table_put(&t->table, &k, value, (uint32_t)vlen, flags);
	/* It may take two records. */
	while (ret == -ENOMEM &&
	       !arena_more(&t->table.arena, table_record(klen, vlen)))
		ret = table_put(&t->table, &k, value, (uint32_t)vlen, flags);
	if (!ret)
		add_buckets(&t->table);
	return ret;
}

NR_PUBLIC int nr_table_remove(struct nr_table *t, const void *key, size_t klen)
{
	struct table_key k;

	if (klen >= NR_KEY_MAX)
		return -ENOENT;
	k = key_of(t, key, klen);
	return table_remove(&t->table, &k);
}

NR_PUBLIC const void *nr_table_get(const struct nr_table *t, const void *key,
				   size_t klen, size_t *vlen)
{
	struct table_entry e;
	struct table_key k;

	if (klen >= NR_KEY_MAX)
		return NULL;
	k = key_of(t, key, klen);
	if (!table_find(&t->table, &k, &e))
		return NULL;
	if (vlen)
		*vlen = e.vlen;
	return e.value;
}

NR_PUBLIC uint64_t nr_table_count(const struct nr_table *t)
{
	return t->table.count;
}

struct each {
	int (*fn)(const void *key, size_t klen, const void *value, size_t vlen,
		  void *arg);
	void *arg;
};

static int call_each(const struct table_entry *at, void *arg)
{
	const struct each *e = arg;

	return e->fn(at->key, at->klen, at->value, at->vlen, e->arg);
}

NR_PUBLIC int nr_table_each(const struct nr_table *t,
			    int (*fn)(const void *key, size_t klen,
				      const void *value, size_t vlen,
				      void *arg),
			    void *arg)
{
	struct each e = { fn, arg };

	return table_each(&t->table, call_each, &e);
}
