/* SPDX-License-Identifier: MIT */
/*
 * nr_table - a hash table, bytes to bytes, for one thread
 *
 * Made to be replicated (nr.h). Whoever calls any of these functions for
 * a table that another thread may be using has to lock it, for reading only if
 * nobody changes it. Errors are negative errno values, as in nr.h. No change
 * takes long: to new buckets, entries move a few at a time.
 */
#ifndef NR_TABLE_H
#define NR_TABLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_table;

/** Bytes of a key, and of a value, that are too many. */
#define NR_KEY_MAX (UINT32_C(1) << 24)
#define NR_VALUE_MAX (UINT32_C(1) << 29)

/** Flags of nr_table_put() and nr_map_put(). */
enum nr_put_flags {
	NR_CREATE = 1,	/* only if the key is not there */
	NR_REPLACE = 2, /* only if it is */
};

/** nr_table_create - make an empty table; 0 or -ENOMEM */
int nr_table_create(struct nr_table **out);

/** nr_table_destroy - free it; NULL is ignored */
void nr_table_destroy(struct nr_table *table);

/**
 * nr_table_put - set what a key has
 * @key, @klen:   any bytes, also none.
 * @value, @vlen: likewise; both are copied. Not a value of this table's own.
 * @flags:        0, or one of enum nr_put_flags.
 *
 * Return: 0: the key is new; 1: its value was replaced; -EEXIST, -ENOENT: not
 * done, as @flags want it; -ENOMEM: not done; -EMSGSIZE: not done, NR_KEY_MAX
 * or NR_VALUE_MAX bytes or more; -EINVAL: flags.
 */
int nr_table_put(struct nr_table *table, const void *key, size_t klen,
		 const void *value, size_t vlen, unsigned flags);

/** nr_table_remove - forget a key; 0, or -ENOENT: it was not there */
int nr_table_remove(struct nr_table *table, const void *key, size_t klen);

/**
 * nr_table_get - what does a key have?
 * @vlen: how long it is; may be NULL.
 *
 * Return: the value, readable until the table is next changed; NULL: the key is
 * not there.
 */
const void *nr_table_get(const struct nr_table *table, const void *key,
			 size_t klen, size_t *vlen);

/** nr_table_count - how many keys there are */
uint64_t nr_table_count(const struct nr_table *table);

/**
 * nr_table_each - look at all entries
 * @fn: called for each, in no order; may not change the table. A return that is
 *      not zero ends it.
 *
 * Return: what @fn returned last, or 0.
 */
int nr_table_each(const struct nr_table *table,
		  int (*fn)(const void *key, size_t klen, const void *value,
			    size_t vlen, void *arg),
		  void *arg);

#ifdef __cplusplus
}
#endif

#endif /* NR_TABLE_H */
