/* SPDX-License-Identifier: MIT */
/*
 * nr_pagetable_model.h - page tables as an array: what each small page of a
 * window of 2 GiB is mapped to; and whether real tables are as they should be
 */
#ifndef NR_PAGETABLE_MODEL_H
#define NR_PAGETABLE_MODEL_H

#include "testlib.h"

#include "nr_sched.h"
#include "pagetable.h"

#define WINDOW (UINT64_C(2) << 30)
#define MODEL_PAGES (WINDOW / NR_PAGE_4K)

/* bytes is 0 where nothing is mapped; frame is that of the small page. */
struct model {
	uint64_t base;
	uint64_t random;
	struct nr_page page[MODEL_PAGES];
};

/* Where halves, the first table's entries and all end. */
static const uint64_t model_bases[] = {
	(UINT64_C(1) << 47) - WINDOW,
	UINT64_MAX << 47,
	(UINT64_C(1) << 39) - WINDOW / 2,
	0 - WINDOW,
};

static inline uint64_t below(struct model *m, uint64_t n)
{
	return sched_random(&m->random) % n;
}

/* A change of a range. */
struct model_range {
	uint64_t va, len, frame, bytes;
	unsigned rights;
};

static inline struct model_range model_draw(struct model *m)
{
	static const uint64_t sizes[] = { NR_PAGE_4K, NR_PAGE_4K, NR_PAGE_2M,
					  NR_PAGE_1G };
	uint64_t at = sizes[below(m, 4)], unit = sizes[below(m, 3)], n, from;
	struct model_range r = { .rights = (unsigned)below(m, 64) };

	/* Many small pages, sometimes; else a few. */
	n = below(m, 8) ? 1 + below(m, 5) : 1 + below(m, WINDOW / unit);
	from = below(m, WINDOW / at) * at;
	/* often not quite aligned */
	if (!below(m, 3))
		from = (from + below(m, 3) * NR_PAGE_4K) % WINDOW;
	r.len = n * unit;
	if (r.len > WINDOW - from)
		r.len = WINDOW - from;
	r.va = m->base + from;
	r.frame = below(m, 1u << 20) * (below(m, 2) ? NR_PAGE_4K : NR_PAGE_2M);
	if (!below(m, 2))
		r.frame = (r.frame & ~(NR_PAGE_1G - 1)) |
			  (r.va & (NR_PAGE_1G - 1));
	r.bytes = below(m, 2) ? NR_PAGE_ANY : sizes[below(m, 4)];
	return r;
}

static inline uint64_t model_index(const struct model *m, uint64_t va)
{
	return (va - m->base) / NR_PAGE_4K;
}

static inline int model_map(struct model *m, const struct model_range *r)
{
	uint64_t n = r->len / NR_PAGE_4K, at = model_index(m, r->va), page;

	if (r->bytes && (r->va | r->len | r->frame) & (r->bytes - 1))
		return -EINVAL;
	for (uint64_t i = 0; i < n; i++)
		if (m->page[at + i].bytes)
			return -EEXIST;
	for (uint64_t i = 0; i < n;) {
		uint64_t left = (n - i) * NR_PAGE_4K, off = i * NR_PAGE_4K;

		page = r->bytes ? r->bytes : NR_PAGE_1G;
		while (!r->bytes &&
		       (left < page ||
			((r->va + off) | (r->frame + off)) & (page - 1)))
			page >>= 9;
		for (uint64_t k = 0; k < page / NR_PAGE_4K; k++, i++)
			m->page[at + i] =
				(struct nr_page){ r->frame + i * NR_PAGE_4K,
						  page, r->rights, 0 };
	}
	return 0;
}

/* No page goes beyond small page @i. */
static inline void model_split(struct model *m, uint64_t i)
{
	while (i < MODEL_PAGES && m->page[i].bytes > NR_PAGE_4K &&
	       i % (m->page[i].bytes / NR_PAGE_4K)) {
		uint64_t n = m->page[i].bytes / NR_PAGE_4K, from = i - i % n;

		for (uint64_t k = 0; k < n; k++)
			m->page[from + k].bytes >>= 9;
	}
}

static inline int model_change(struct model *m, const struct model_range *r,
			       int unmap)
{
	uint64_t n = r->len / NR_PAGE_4K, at = model_index(m, r->va);
	int found = 0;

	for (uint64_t i = 0; i < n && !found; i++)
		found = m->page[at + i].bytes != 0;
	if (!found)
		return -ENOENT;
	model_split(m, at);
	model_split(m, at + n);
	for (uint64_t i = 0; i < n; i++) {
		struct nr_page *p = &m->page[at + i];

		if (p->bytes)
			p->rights = r->rights;
		if (unmap)
			memset(p, 0, sizeof(*p));
	}
	return 0;
}

/* What was found at @va is right. */
static inline void model_check(const struct model *m, uint64_t va, int ret,
			       const struct nr_page *page)
{
	const struct nr_page *p = &m->page[model_index(m, va)];

	assert_int_equal(ret, p->bytes ? 0 : -ENOENT);
	if (ret)
		return;
	assert_true(page->bytes == p->bytes && page->rights == p->rights);
	assert_true(page->frame == (p->frame & ~(p->bytes - 1)));
}

/* Tables that are there; each entry as nr_pagetable.h says. */
static inline uint64_t count_tables(const struct pages *p, uint64_t table,
				    unsigned level, uint64_t used)
{
	const entry *at = pages_at(p, table);
	uint64_t n = 1, found = 0;

	for (unsigned i = 0; i < PAGE_ENTRIES; i++) {
		uint64_t e = at[i];

		if (!e)
			continue;
		found++;
		assert_true((e & 0x21) == 0x21); /* present, accessed */
		if (!level || e & 0x80) {
			assert_true(level < 3);
			assert_true(!!(e & 2) == !!(e & 0x40)); /* dirty */
			assert_true(!(e >> 52 & 0x7ff));
			continue;
		}
		assert_true((e & 6) == 6 && !(e >> 62));
		assert_true(e >> 52 > 0);
		n += count_tables(p, e & 0xffffffffff000, level - 1, e >> 52);
	}
	assert_true(level == 3 || found == used);
	return n;
}

/* No page is lost, or twice there. */
static inline void check_tables(const struct pagetable *t)
{
	const struct arena *a = &t->pages.arena;
	uint64_t n = count_tables(&t->pages, t->pages.root, 3, 0), all = 0;
	uint64_t page = PAGE_BYTES / ARENA_UNIT;

	for (uint32_t i = 0; i < a->n; i++) {
		uint64_t used =
			i + 1 < a->n ? arena_chunks(a)[i].units : a->used;

		all += used / page;
	}
	/* The first one is not used. */
	assert_true(n + t->pages.nfree + t->pages.ngone == all - 1);
}

#endif
