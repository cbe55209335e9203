/* SPDX-License-Identifier: MIT */
/* nr_sorted_model.h - the simple map of nr_map_model.h, and an order */
#ifndef NR_SORTED_MODEL_H
#define NR_SORTED_MODEL_H

#include "nr_map_model.h"
#include "nr_sorted.h"

/* The keys in order, as their numbers; and where each is. */
struct order {
	unsigned at[KEYS];
	unsigned rank[KEYS];
};

static inline int key_compare(unsigned a, unsigned b)
{
	unsigned char x[KEYS], y[KEYS];
	size_t n = make_key(x, a), m = make_key(y, b);
	int c = memcmp(x, y, n < m ? n : m);

	return c ? c : (n > m) - (n < m);
}

static inline void make_order(struct order *o)
{
	for (unsigned i = 0; i < KEYS; i++) {
		unsigned k = i;

		for (; k && key_compare(i, o->at[k - 1]) < 0; k--)
			o->at[k] = o->at[k - 1];
		o->at[k] = i;
	}
	for (unsigned i = 0; i < KEYS; i++)
		o->rank[o->at[i]] = i;
}

/* What is found; KEYS: nothing. */
static inline unsigned model_find(const struct model *m, const struct order *o,
				  unsigned key, enum nr_neighbour which)
{
	int i = (int)o->rank[key], step = 1;

	switch (which) {
	case NR_EQUAL:
		return m->entry[key].there ? key : KEYS;
	case NR_AFTER:
		i++;
		break;
	case NR_AT_LEAST:
		break;
	case NR_BEFORE:
		i--;
		step = -1;
		break;
	case NR_AT_MOST:
		step = -1;
		break;
	case NR_FIRST:
		i = 0;
		break;
	case NR_LAST:
		i = KEYS - 1;
		step = -1;
		break;
	}
	for (; i >= 0 && i < KEYS; i += step)
		if (m->entry[o->at[i]].there)
			return o->at[i];
	return KEYS;
}

/* For ranges: what comes next must be this. */
struct walk {
	const struct model *m;
	const struct order *o;
	unsigned rank, end, seen, stop;
};

static inline int walk_entry(const struct nr_entry *e, void *arg)
{
	struct walk *w = arg;
	unsigned char key[KEYS];
	unsigned i;

	while (w->rank < w->end && !w->m->entry[w->o->at[w->rank]].there)
		w->rank++;
	assert_true(w->rank < w->end);
	i = w->o->at[w->rank++];
	assert_int_equal(e->klen, make_key(key, i));
	assert_memory_equal(e->key, key, e->klen);
	check_value(w->m, i, e->value, e->vlen);
	return ++w->seen == w->stop ? 77 : 0;
}

/* All that was to be seen has been. */
static inline void walk_end(const struct walk *w)
{
	for (unsigned i = w->rank; i < w->end; i++)
		assert_false(w->m->entry[w->o->at[i]].there);
}

#endif
