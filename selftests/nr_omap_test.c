/* SPDX-License-Identifier: MIT */
/* nr_omap_test.c - the replicated ordered map, against a simple one; by threads
 */
#include "nr_sorted_model.h"

#include <pthread.h>
#include <stdatomic.h>

#include "nr_map_equal.h"
#include "nr_omap.h"

static struct order order;

static struct nr_omap *make(uint64_t log_size)
{
	struct nr_omap_attr attr = NR_OMAP_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_omap *map;

	nr.topology = "2x1";
	nr.log_size = log_size;
	attr.nr = &nr;
	assert_int_equal(nr_omap_create(&attr, &map), 0);
	return map;
}

static struct nr_omap_context *join(struct nr_omap *map, uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_omap_context *c;

	attr.replica = replica;
	CHECK(nr_omap_register(map, &attr, &c) == 0);
	return c;
}

static void basics(void **state)
{
	struct nr_omap *map = make(0);
	struct nr_omap_context *a = join(map, 1), *b = join(map, 2);
	char key[4] = "", value[8] = "";
	struct nr_found f = { key, 3, 0, value, 7, 0 };

	(void)state;
	assert_int_equal(nr_omap_find(a, "", 0, NR_FIRST, &f), -ENOENT);
	assert_int_equal(nr_omap_find(a, "", 0, NR_LAST, &f), -ENOENT);
	assert_int_equal(nr_omap_get(a, "k", 1, value, 8), -ENOENT);
	assert_int_equal(nr_omap_remove(a, "k", 1), -ENOENT);
	assert_int_equal(nr_omap_put(a, "bb", 2, "two", 3, NR_REPLACE),
			 -ENOENT);
	assert_int_equal(nr_omap_put(a, "bb", 2, "two", 3, NR_CREATE), 0);
	assert_int_equal(nr_omap_put(b, "bb", 2, "2", 1, NR_CREATE), -EEXIST);
	assert_int_equal(nr_omap_put(b, "b", 1, "one", 3, 0), 0);
	assert_int_equal(nr_omap_put(b, "bb", 2, "deux", 4, 0), 1);
	assert_int_equal(nr_omap_get(a, "bb", 2, value, 2), 4);
	assert_string_equal(value, "de");
	/* one that another begins with comes before */
	assert_int_equal(nr_omap_find(a, "b", 1, NR_AFTER, &f), 0);
	assert_int_equal(f.klen, 2);
	assert_int_equal(f.vlen, 4);
	assert_string_equal(key, "bb");
	assert_string_equal(value, "deux");
	/* as much as there is room for */
	assert_int_equal(nr_omap_put(a, "xyzzy", 5, "123456789", 9, 0), 0);
	assert_int_equal(nr_omap_find(b, NULL, 0, NR_LAST, &f), 0);
	assert_int_equal(f.klen, 5);
	assert_int_equal(f.vlen, 9);
	assert_string_equal(key, "xyz");
	assert_string_equal(value, "1234567");
	assert_int_equal(nr_omap_find(a, "b", 1, (enum nr_neighbour)7, &f),
			 -EINVAL);
	assert_int_equal(nr_omap_put(a, key, NR_KEY_MAX, "", 0, 0), -EMSGSIZE);
	assert_int_equal(nr_omap_put(a, "", 0, key, NR_VALUE_MAX, 0),
			 -EMSGSIZE);
	assert_int_equal(nr_omap_put(a, "", 0, "", 0, 3), -EINVAL);
	assert_int_equal(nr_omap_remove(a, key, NR_KEY_MAX), -EMSGSIZE);
	assert_true(nr_omap_count(b) == 3);
	assert_true(is_sorted_equal(nr_omap_nr(map)));
	assert_int_equal(nr_omap_replica_remove(map, 1), -EBUSY);
	assert_int_equal(nr_omap_replica_add(map, 9), -EINVAL);
	assert_int_equal(nr_omap_destroy(map), -EBUSY);
	nr_omap_leave(a);
	nr_omap_leave(b);
	nr_omap_leave(NULL);
	assert_int_equal(nr_omap_destroy(map), 0);
	assert_int_equal(nr_omap_destroy(NULL), 0);
}

static void find(struct nr_omap_context *c, const struct model *m, unsigned i,
		 enum nr_neighbour which)
{
	unsigned char key[KEYS], found[KEYS], value[VALUE_MAX];
	struct nr_found f = { found, KEYS, 0, value, VALUE_MAX, 0 };
	size_t klen = make_key(key, i);
	unsigned want = model_find(m, &order, i, which);
	int ret = nr_omap_find(c, key, klen, which, &f);

	assert_int_equal(ret, want == KEYS ? -ENOENT : 0);
	if (ret)
		return;
	assert_int_equal(f.klen, make_key(key, want));
	assert_memory_equal(found, key, f.klen);
	check_value(m, want, value, f.vlen);
}

static void is_an_ordered_map(void **state)
{
	unsigned char key[KEYS], value[VALUE_MAX];
	struct nr_omap *map = make(16);
	struct nr_omap_context *c[2] = { join(map, 1), join(map, 2) };
	static struct model m;
	int id = 0;

	(void)state;
	memset(&m, 0, sizeof(m));
	for (unsigned n = 0; n < 60000 / slowness; n++) {
		unsigned i = below(&m, KEYS), flags = below(&m, 3);
		size_t klen = make_key(key, i), len = below(&m, VALUE_MAX);
		struct nr_omap_context *me = c[below(&m, 2)];
		struct walk w = { &m, &order, order.rank[i], KEYS, 0, 0 };

		switch (below(&m, 6)) {
		case 0:
		case 1:
			memset(value, (int)(n & 255), len);
			assert_int_equal(
				nr_omap_put(me, key, klen, value, len, flags),
				model_put(&m, i, len, n & 255, flags));
			break;
		case 2:
			assert_int_equal(nr_omap_remove(me, key, klen),
					 model_remove(&m, i));
			break;
		case 3:
			assert_int_equal(nr_omap_range(me, key, klen, NULL, 0,
						       walk_entry, &w),
					 0);
			walk_end(&w);
			break;
		default:
			find(me, &m, i, (enum nr_neighbour)below(&m, 7));
		}
		assert_true(nr_omap_count(me) == m.count);
		if (n % 3000 == 77)
			id = nr_omap_replica_add(map, -1);
		if (n % 3000 == 2000) {
			assert_true(is_sorted_equal(nr_omap_nr(map)));
			assert_int_equal(
				nr_omap_replica_remove(map, (uint32_t)id), 0);
		}
	}
	assert_true(is_sorted_equal(nr_omap_nr(map)));
	nr_omap_leave(c[0]);
	nr_omap_leave(c[1]);
	assert_int_equal(nr_omap_destroy(map), 0);
}

/* ---- threads ------------------------------------------------------------ */

#define THREADS 4
#define PAIRS 16

static struct nr_omap *shared;
static pthread_barrier_t begun; /* each has put its first one in */

struct range {
	uint64_t last;
	unsigned of[THREADS]; /* how many of each */
};

/* In order, and values belong to keys. */
static int in_order(const struct nr_entry *e, void *arg)
{
	struct range *r = arg;
	uint64_t key, value;

	CHECK(e->klen == 8 && e->vlen >= 8);
	memcpy(&key, e->key, 8);
	memcpy(&value, e->value, 8);
	CHECK(__builtin_bswap64(key) == value && value > r->last);
	CHECK(value <= THREADS * PAIRS);
	r->last = value;
	r->of[(value - 1) / PAIRS]++;
	return 0;
}

/*
 * Each has keys of its own, of which one is there all the time: it puts the
 * next in before it takes one out. So a range has one or two of each,
 * and two of its own.
 */
static void *move(void *arg)
{
	uint64_t number = (uintptr_t)arg, rng = number, at[2];
	struct nr_omap_context *c = join(shared, 1 + (uint32_t)number % 2);

	for (unsigned n = 0; n < 4000 / slowness; n++) {
		uint64_t v[20] = { 0 }, key;
		struct range range = { 0 };
		size_t len = 8 * (1 + sched_random(&rng) % 20);

		for (int k = 0; k < 2; k++) {
			at[k] = 1 + number * PAIRS + (n + (unsigned)k) % PAIRS;
			v[0] = at[k];
			key = __builtin_bswap64(at[k]);
			CHECK(nr_omap_put(c, &key, 8, v, len, 0) == (!k && n));
			if (!k && !n)
				pthread_barrier_wait(&begun);
		}
		CHECK(nr_omap_range(c, NULL, 0, NULL, 0, in_order, &range) ==
		      0);
		for (unsigned i = 0; i < THREADS; i++)
			CHECK(range.of[i] == 2 ||
			      (range.of[i] == 1 && i != number));
		key = __builtin_bswap64(at[0]);
		CHECK(nr_omap_remove(c, &key, 8) == 0);
		CHECK(nr_omap_get(c, &key, 8, NULL, 0) == -ENOENT);
	}
	nr_omap_leave(c);
	return NULL;
}

static void threads(void **state)
{
	pthread_t thread[THREADS];
	struct nr_omap_context *c;

	(void)state;
	shared = make(64);
	pthread_barrier_init(&begun, NULL, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, move, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&begun);
	c = join(shared, 1);
	assert_true(nr_omap_count(c) == THREADS);
	nr_omap_leave(c);
	assert_true(is_sorted_equal(nr_omap_nr(shared)));
	assert_int_equal(nr_omap_destroy(shared), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(basics),
		cmocka_unit_test(is_an_ordered_map),
		cmocka_unit_test(threads),
	};

	make_order(&order);
	return cmocka_run_group_tests_name("ordered map", tests, NULL, NULL);
}
