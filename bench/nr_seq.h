/* SPDX-License-Identifier: MIT */
/*
 * The sequential structures that libnr replicates, for peers that put a lock
 * around them.
 */
#ifndef BENCH_NR_SEQ_H
#define BENCH_NR_SEQ_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <nr_items.h>
#include <nr_sorted.h>
#include <nr_table.h>

#include "nr_pages.h"

/** A number whose bytes are in the order of numbers. */
static inline uint64_t nr_ordered_key(uint64_t key)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap64(key);
#else
	return key;
#endif
}

struct seq {
	struct nr_table *table;
	struct nr_sorted *sorted;
	struct nr_items *items;
	struct nr_pagetable *pages;
	uint64_t keys; /* are below that */
};

/* ------------------------------------------------------------------ map -- */

static inline int seq_map_create(struct seq *s)
{
	return nr_table_create(&s->table);
}

static inline int seq_map_get(const struct seq *s, uint64_t key,
			      uint64_t *value)
{
	const void *got = nr_table_get(s->table, &key, sizeof(key), NULL);

	if (!got)
		return -ENOENT;
	memcpy(value, got, sizeof(*value));
	return 0;
}

static inline int seq_map_put(struct seq *s, uint64_t key, uint64_t value)
{
	return nr_table_put(s->table, &key, sizeof(key), &value, sizeof(value),
			    0);
}

static inline int seq_map_remove(struct seq *s, uint64_t key, uint64_t *value)
{
	(void)value;
	return nr_table_remove(s->table, &key, sizeof(key));
}

static inline uint64_t seq_map_count(const struct seq *s)
{
	return nr_table_count(s->table);
}

/* ---------------------------------------------------------- ordered map -- */

static inline int seq_omap_create(struct seq *s)
{
	return nr_sorted_create(&s->sorted);
}

static inline int seq_omap_get(const struct seq *s, uint64_t key,
			       uint64_t *value)
{
	uint64_t bytes = nr_ordered_key(key);
	struct nr_entry e;
	int err =
		nr_sorted_find(s->sorted, &bytes, sizeof(bytes), NR_EQUAL, &e);

	if (!err)
		memcpy(value, e.value, sizeof(*value));
	return err;
}

static inline int seq_omap_put(struct seq *s, uint64_t key, uint64_t value)
{
	uint64_t bytes = nr_ordered_key(key);

	return nr_sorted_put(s->sorted, &bytes, sizeof(bytes), &value,
			     sizeof(value), 0);
}

static inline int seq_omap_remove(struct seq *s, uint64_t key, uint64_t *value)
{
	uint64_t bytes = nr_ordered_key(key);

	(void)value;
	return nr_sorted_remove(s->sorted, &bytes, sizeof(bytes));
}

static inline uint64_t seq_omap_count(const struct seq *s)
{
	return nr_sorted_count(s->sorted);
}

/* ---------------------------------------------------------------- queue -- */

static inline int seq_queue_create(struct seq *s)
{
	return nr_items_create(NR_FIFO, &s->items);
}

static inline int seq_queue_get(const struct seq *s, uint64_t key,
				uint64_t *value)
{
	const void *first = nr_items_first(s->items, NULL, NULL);

	(void)key;
	if (!first)
		return -ENOENT;
	memcpy(value, first, sizeof(*value));
	return 0;
}

static inline int seq_queue_put(struct seq *s, uint64_t key, uint64_t value)
{
	(void)key;
	return nr_items_put(s->items, &value, sizeof(value), 0);
}

static inline int seq_queue_remove(struct seq *s, uint64_t key, uint64_t *value)
{
	int err = seq_queue_get(s, key, value);

	return err ? err : nr_items_drop(s->items);
}

static inline uint64_t seq_queue_count(const struct seq *s)
{
	return nr_items_count(s->items);
}

/* -------------------------------------------------------- address space -- */

static inline int seq_vspace_create(struct seq *s)
{
	return nr_pagetable_create(NULL, &s->pages);
}

static inline int seq_vspace_get(const struct seq *s, uint64_t key,
				 uint64_t *value)
{
	struct nr_page page;
	int err = nr_pagetable_resolve(s->pages, nr_page_va(key), &page);

	return err ? err : nr_page_value(&page, value);
}

static inline int seq_vspace_put(struct seq *s, uint64_t key, uint64_t value)
{
	(void)value;
	return nr_page_put(nr_pagetable_map(s->pages, nr_page_va(key),
					    nr_page_frame(key), NR_PAGE_4K,
					    NR_PAGE_4K, NR_PAGE_WRITE));
}

static inline int seq_vspace_remove(struct seq *s, uint64_t key,
				    uint64_t *value)
{
	(void)value;
	return nr_pagetable_unmap(s->pages, nr_page_va(key), NR_PAGE_4K);
}

static inline uint64_t seq_vspace_count(const struct seq *s)
{
	uint64_t n = 0, value;

	for (uint64_t key = 0; key < s->keys; key++)
		n += !seq_vspace_get(s, key, &value);
	return n;
}

static inline void seq_destroy(struct seq *s)
{
	nr_pagetable_destroy(s->pages);
	nr_table_destroy(s->table);
	nr_sorted_destroy(s->sorted);
	nr_items_destroy(s->items);
}

#endif /* BENCH_NR_SEQ_H */
