/* SPDX-License-Identifier: MIT */
/* nr_memfs_equal.h - replicas of a file system are equal, byte by byte */
#ifndef NR_MEMFS_EQUAL_H
#define NR_MEMFS_EQUAL_H

#include "files.h"
#include "nr_map_equal.h"
#include "nr_memfs.h"

/* For nr_inspect(), @arg is the address of the first one's, NULL before. */
static inline int files_like_first(uint32_t replica, const void *object,
				   void *arg)
{
	const struct files **first = arg, *f = object;

	(void)replica;
	if (!*first)
		*first = f;
	return (*first)->next != f->next ||
	       !sorteds_equal(&(*first)->map, &f->map);
}

/* Nobody updates meanwhile. */
static inline int memfs_is_equal(struct nr_memfs *fs)
{
	const struct files *first = NULL;

	return !nr_inspect(nr_memfs_nr(fs), files_like_first, &first);
}

#endif
