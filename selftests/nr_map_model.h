/* SPDX-License-Identifier: MIT */
/* nr_map_model.h - a simple map, to compare tables and maps with */
#ifndef NR_MAP_MODEL_H
#define NR_MAP_MODEL_H

#include "testlib.h"

#include "nr_sched.h"
#include "nr_table.h"

#define KEYS 97
#define VALUE_MAX 700

struct model {
	struct {
		int there;
		size_t len;
		unsigned char fill;
	} entry[KEYS];
	uint64_t count;
	uint64_t rng;
};

static inline uint32_t below(struct model *m, uint32_t n)
{
	return (uint32_t)(sched_random(&m->rng) % n);
}

/* Half of them such as may lie next to a short key */
static inline size_t make_len(struct model *m)
{
	return below(m, 2) ? below(m, VALUE_MAX) : below(m, 18);
}

/* Keys of all lengths from 0, that have beginnings in common. */
static inline size_t make_key(unsigned char *key, unsigned i)
{
	memset(key, 'k', KEYS);
	if (i)
		key[i / 2] = (unsigned char)i;
	return i;
}

/* What the update is to return, and what is there then. */
static inline int model_put(struct model *m, unsigned i, size_t len,
			    unsigned char fill, unsigned flags)
{
	int was = m->entry[i].there;

	if (was && (flags & NR_CREATE))
		return -EEXIST;
	if (!was && (flags & NR_REPLACE))
		return -ENOENT;
	m->count += !was;
	m->entry[i].there = 1;
	m->entry[i].len = len;
	m->entry[i].fill = fill;
	return was;
}

static inline int model_remove(struct model *m, unsigned i)
{
	if (!m->entry[i].there)
		return -ENOENT;
	m->entry[i].there = 0;
	m->count--;
	return 0;
}

static inline void check_value(const struct model *m, unsigned i,
			       const void *value, size_t len)
{
	assert_int_equal(m->entry[i].there, value != NULL);
	if (!value)
		return;
	assert_int_equal(len, m->entry[i].len);
	for (size_t k = 0; k < len; k++)
		assert_int_equal(((const unsigned char *)value)[k],
				 m->entry[i].fill);
}

/* For nr_table_each() and nr_map_each(): @arg is a copy, whose count is zero in
 * the end. */
static inline int is_in_model(const void *key, size_t klen, const void *value,
			      size_t vlen, void *arg)
{
	unsigned char want[KEYS];
	struct model *m = arg;

	assert_int_equal(make_key(want, (unsigned)klen), klen);
	assert_memory_equal(key, want, klen);
	check_value(m, (unsigned)klen, value, vlen);
	m->count--;
	return 0;
}

#endif
