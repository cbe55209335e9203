/* SPDX-License-Identifier: MIT */
/* nr_sorted_test.c - libnr's sequential ordered map, against a simple one */
#include "nr_sorted_model.h"

static struct order order;

static void find(struct nr_sorted *s, const struct model *m, unsigned i,
		 enum nr_neighbour which)
{
	unsigned char key[KEYS];
	size_t klen = make_key(key, i);
	unsigned want = model_find(m, &order, i, which);
	struct nr_entry e;
	int ret = nr_sorted_find(s, key, klen, which, &e);

	assert_int_equal(ret, want == KEYS ? -ENOENT : 0);
	if (ret)
		return;
	assert_int_equal(e.klen, make_key(key, want));
	assert_memory_equal(e.key, key, e.klen);
	check_value(m, want, e.value, e.vlen);
}

/* From one key to another, some of the time without end, or stopped. */
static void range(struct nr_sorted *s, struct model *m)
{
	unsigned char from[KEYS], to[KEYS];
	unsigned a = below(m, KEYS), b = below(m, KEYS), how = below(m, 8);
	size_t flen = make_key(from, a), tlen = make_key(to, b);
	struct walk w = { m, &order, order.rank[a], order.rank[b], 0, 0 };
	int ret;

	if (how & 1)
		w.rank = 0;
	if (how & 2)
		w.end = KEYS;
	if (how & 4)
		w.stop = 1 + below(m, 9);
	ret = nr_sorted_range(s, how & 1 ? NULL : from, flen,
			      how & 2 ? NULL : to, tlen, walk_entry, &w);
	if (w.stop && w.seen == w.stop)
		assert_int_equal(ret, 77);
	else
		walk_end(&w);
}

static void is_an_ordered_map(void **state)
{
	unsigned char key[KEYS], value[VALUE_MAX];
	static struct model m;
	struct nr_sorted *s;
	struct nr_entry e;

	(void)state;
	memset(&m, 0, sizeof(m));
	assert_int_equal(nr_sorted_create(&s), 0);
	for (unsigned n = 0; n < 200000 / slowness; n++) {
		unsigned i = below(&m, KEYS), flags = below(&m, 3);
		size_t klen = make_key(key, i), len = below(&m, VALUE_MAX);

		switch (below(&m, 8)) {
		case 0:
		case 1:
			memset(value, (int)(n & 255), len);
			assert_int_equal(
				nr_sorted_put(s, key, klen, value, len, flags),
				model_put(&m, i, len, n & 255, flags));
			break;
		case 2:
			assert_int_equal(nr_sorted_remove(s, key, klen),
					 model_remove(&m, i));
			break;
		case 3:
			range(s, &m);
			break;
		default:
			find(s, &m, i, (enum nr_neighbour)below(&m, 7));
		}
		assert_true(nr_sorted_count(s) == m.count);
	}
	assert_int_equal(nr_sorted_put(s, "k", 1, "x", 1, 3), -EINVAL);
	assert_int_equal(nr_sorted_put(s, key, NR_KEY_MAX, "x", 1, 0),
			 -EMSGSIZE);
	assert_int_equal(nr_sorted_put(s, "k", 1, key, NR_VALUE_MAX, 0),
			 -EMSGSIZE);
	assert_int_equal(nr_sorted_remove(s, key, NR_KEY_MAX), -ENOENT);
	assert_int_equal(nr_sorted_find(s, "k", 1, (enum nr_neighbour)7, &e),
			 -EINVAL);
	nr_sorted_destroy(s);
	nr_sorted_destroy(NULL);
}

static int count_up(const struct nr_entry *e, void *arg)
{
	uint64_t v, *next = arg;

	memcpy(&v, e->value, sizeof(v));
	assert_true(v == *next);
	++*next;
	return 0;
}

/* Many, in order, backwards, and mixed: it grows, and nothing gets lost. */
static void grows(void **state)
{
	uint64_t n = 100000 / slowness, next;

	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		struct nr_sorted *s;

		assert_int_equal(nr_sorted_create(&s), 0);
		for (uint64_t i = 0; i < n; i++) {
			uint64_t v = how == 0	? i
				     : how == 1 ? n - 1 - i
						: i * 7919 % n;
			unsigned char key[8];

			for (unsigned k = 0; k < 8; k++)
				key[k] = (unsigned char)(v >> (56 - 8 * k));
			assert_int_equal(
				nr_sorted_put(s, key, 8, &v, 8, NR_CREATE), 0);
		}
		next = 0;
		assert_int_equal(
			nr_sorted_range(s, NULL, 0, NULL, 0, count_up, &next),
			0);
		assert_true(next == n);
		nr_sorted_destroy(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_an_ordered_map),
		cmocka_unit_test(grows),
	};

	make_order(&order);
	return cmocka_run_group_tests_name("sorted", tests, NULL, NULL);
}
