/* SPDX-License-Identifier: MIT */
/*
 * nr_sorted - an ordered map, bytes to bytes, for one thread
 *
 * Made to be replicated (nr_omap.h, nr_queue.h). Whoever calls any of these
 * functions for one that another thread may be using has to lock it, for
 * reading only if nobody changes it. Errors are negative errno values, as in
 * nr.h.
 *
 * Keys are in the order of memcmp(); one that another one begins with comes
 * before that. Numbers that are to be in order are written with the largest
 * byte first.
 */
#ifndef NR_SORTED_H
#define NR_SORTED_H

#include <stddef.h>
#include <stdint.h>

#include <nr_table.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_sorted;

/** Which key is looked for? */
enum nr_neighbour {
	NR_EQUAL = 0, /* the key itself */
	NR_AT_LEAST,  /* the first that is not before it */
	NR_AFTER,     /* the first after it */
	NR_AT_MOST,   /* the last that is not after it */
	NR_BEFORE,    /* the last before it */
	NR_FIRST,     /* the first of all; the key is not looked at */
	NR_LAST,      /* the last of all; likewise */
};

/** An entry; readable until the map is next changed. */
struct nr_entry {
	const void *key;
	size_t klen;
	const void *value;
	size_t vlen;
};

/** nr_sorted_create - make an empty one; 0 or -ENOMEM */
int nr_sorted_create(struct nr_sorted **out);

/** nr_sorted_destroy - free it; NULL is ignored */
void nr_sorted_destroy(struct nr_sorted *sorted);

/**
 * nr_sorted_put - set what a key has
 * @key, @klen, @value, @vlen, @flags: as for nr_table_put().
 *
 * Return: as nr_table_put().
 */
int nr_sorted_put(struct nr_sorted *sorted, const void *key, size_t klen,
		  const void *value, size_t vlen, unsigned flags);

/** nr_sorted_remove - forget a key; 0, or -ENOENT: it was not there */
int nr_sorted_remove(struct nr_sorted *sorted, const void *key, size_t klen);

/**
 * nr_sorted_find - a key, or the one next to where it would be
 * @entry: what was found.
 *
 * Return: 0; -ENOENT: there is none; -EINVAL: @which is not known.
 */
int nr_sorted_find(const struct nr_sorted *sorted, const void *key, size_t klen,
		   enum nr_neighbour which, struct nr_entry *entry);

/** nr_sorted_count - how many keys there are */
uint64_t nr_sorted_count(const struct nr_sorted *sorted);

/**
 * nr_sorted_range - look at entries in order
 * @from, @flen: the first key; NULL: from the beginning.
 * @to, @tlen:   the first key that is not looked at; NULL: to the end.
 * @fn:          called for each, in ascending order; may not change the map. A
 *               return that is not zero ends it.
 *
 * Return: what @fn returned last, or 0.
 */
int nr_sorted_range(const struct nr_sorted *sorted, const void *from,
		    size_t flen, const void *to, size_t tlen,
		    int (*fn)(const struct nr_entry *entry, void *arg),
		    void *arg);

#ifdef __cplusplus
}
#endif

#endif /* NR_SORTED_H */
