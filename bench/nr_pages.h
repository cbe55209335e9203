/* SPDX-License-Identifier: MIT */
/*
 * Keys and values as pages: key k is the k-th page of 4 KiB, and what is mapped
 * there the frame of that number.
 */
#ifndef BENCH_NR_PAGES_H
#define BENCH_NR_PAGES_H

#include <errno.h>
#include <stdint.h>

#include <nr_pagetable.h>

#include "nr_peer.h"

static inline uint64_t nr_page_va(uint64_t key)
{
	return key * NR_PAGE_4K;
}

static inline uint64_t nr_page_frame(uint64_t key)
{
	return key * NR_PAGE_4K;
}

/** The value of the key whose frame that is, as all peers have it. */
static inline int nr_page_value(const struct nr_page *page, uint64_t *value)
{
	*value = nr_value(page->frame / NR_PAGE_4K);
	return 0;
}

/** What a put returns, for what mapping did: a page that was there stays. */
static inline int nr_page_put(int ret)
{
	return ret == -EEXIST ? 1 : ret;
}

#endif /* BENCH_NR_PAGES_H */
