/* SPDX-License-Identifier: MIT */
/* nr_map_test.c - the replicated map, against a simple one; and by threads */
#include "nr_map_model.h"

#include <pthread.h>
#include <stdatomic.h>

#include "nr_map_equal.h"
#include "replica.h"

/* ---- the map ------------------------------------------------------------ */

static struct nr_map *make(uint32_t replicas, uint64_t log_size)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_map *map;

	nr.topology = "2x1";
	nr.replicas = replicas;
	nr.log_size = log_size;
	attr.nr = &nr;
	assert_int_equal(nr_map_create(&attr, &map), 0);
	return map;
}

static struct nr_map_context *join(struct nr_map *map, uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_map_context *c;

	attr.replica = replica;
	assert_int_equal(nr_map_register(map, &attr, &c), 0);
	return c;
}

static void basics(void **state)
{
	struct nr_map *map = make(2, 0);
	struct nr_map_context *a = join(map, 1), *b = join(map, 2);
	char v[8] = "";
	static char big[70000];

	(void)state;
	assert_int_equal(nr_map_get(a, "k", 1, v, 8), -ENOENT);
	assert_int_equal(nr_map_remove(a, "k", 1), -ENOENT);
	assert_int_equal(nr_map_put(a, "k", 1, "one", 3, NR_REPLACE), -ENOENT);
	assert_int_equal(nr_map_put(a, "k", 1, "one", 3, NR_CREATE), 0);
	assert_int_equal(nr_map_put(b, "k", 1, "two", 3, NR_CREATE), -EEXIST);
	assert_int_equal(nr_map_put(b, "k", 1, "threes", 6, 0), 1);
	/* as much as there is room for, and how much there is */
	assert_int_equal(nr_map_get(a, "k", 1, v, 5), 6);
	assert_string_equal(v, "three");
	assert_int_equal(nr_map_get(a, "k", 1, NULL, 0), 6);
	/* nothing is a key, and a value */
	assert_int_equal(nr_map_put(a, NULL, 0, NULL, 0, 0), 0);
	assert_int_equal(nr_map_get(b, "", 0, v, 8), 0);
	assert_int_equal(nr_map_get(b, "\0", 1, v, 8), -ENOENT);
	assert_true(nr_map_count(b) == 2);
	/* longer than a chunk */
	memset(big, 7, sizeof(big));
	assert_int_equal(nr_map_put(a, "big", 3, big, sizeof(big), 0), 0);
	memset(big, 0, sizeof(big));
	assert_int_equal(nr_map_get(b, "big", 3, big, sizeof(big)),
			 sizeof(big));
	assert_true(big[0] == 7 && big[sizeof(big) - 1] == 7);
	assert_int_equal(nr_map_put(a, "k", 1, big, NR_VALUE_MAX, 0),
			 -EMSGSIZE);
	assert_int_equal(nr_map_put(a, big, NR_KEY_MAX, big, 1, 0), -EMSGSIZE);
	assert_int_equal(nr_map_remove(a, big, NR_KEY_MAX), -EMSGSIZE);
	assert_int_equal(nr_map_put(a, "k", 1, "x", 1, 3), -EINVAL);
	assert_int_equal(nr_map_remove(b, "k", 1), 0);
	assert_int_equal(nr_map_get(a, "k", 1, v, 8), -ENOENT);
	assert_true(map_is_equal(map));
	assert_int_equal(nr_map_destroy(map), -EBUSY);
	nr_map_leave(a);
	nr_map_leave(b);
	nr_map_leave(NULL);
	assert_int_equal(nr_map_destroy(map), 0);
	assert_int_equal(nr_map_destroy(NULL), 0);
}

static void map_is_a_map(void **state)
{
	unsigned char key[KEYS], value[VALUE_MAX];
	struct nr_map *map = make(2, 16);
	struct nr_map_context *c[2] = { join(map, 1), join(map, 2) };
	static struct model m, left;
	int id = 0;

	(void)state;
	memset(&m, 0, sizeof(m));
	for (unsigned n = 0; n < 60000 / slowness; n++) {
		unsigned i = below(&m, KEYS), flags = below(&m, 3);
		size_t klen = make_key(key, i), len = make_len(&m);
		struct nr_map_context *me = c[below(&m, 2)];

		switch (below(&m, 4)) {
		case 0:
			memset(value, (int)(n & 255), len);
			assert_int_equal(
				nr_map_put(me, key, klen, value, len, flags),
				model_put(&m, i, len, n & 255, flags));
			break;
		case 1:
			assert_int_equal(nr_map_remove(me, key, klen),
					 model_remove(&m, i));
			break;
		default:
			id = nr_map_get(me, key, klen, value, sizeof(value));
			check_value(&m, i, id < 0 ? NULL : value, (size_t)id);
		}
		assert_true(nr_map_count(me) == m.count);
		if (n % 5000 == 77) {
			id = nr_map_replica_add(map, -1);
			assert_true(id > 2);
		}
		if (n % 5000 == 4000) {
			struct nr_stats stats = { .size = sizeof(stats) };

			assert_true(map_is_equal(map));
			nr_stats(nr_map_nr(map), &stats, NULL, 0);
			assert_true(stats.replicas == 3);
			id = (int)(3 + n / 5000);
			assert_int_equal(
				nr_map_replica_remove(map, (uint32_t)id), 0);
		}
	}
	for (int k = 0; k < 2; k++) {
		left = m;
		assert_int_equal(nr_map_each(c[k], is_in_model, &left), 0);
		assert_true(left.count == 0);
	}
	assert_int_equal(nr_map_replica_remove(map, 4711), -ENOENT);
	assert_int_equal(nr_map_replica_remove(map, 1), -EBUSY);
	assert_int_equal(nr_map_replica_add(map, 2), -EINVAL);
	assert_true(map_is_equal(map));
	nr_map_leave(c[0]);
	nr_map_leave(c[1]);
	assert_int_equal(nr_map_destroy(map), 0);
}

/* ---- changes that depend on what is there ------------------------------- */

/* Repeats what is there so many times as @arg says; or what that says. */
static int repeat(const void *old, size_t olen, void *value, size_t room,
		  const void *arg, size_t alen)
{
	int n;

	assert_int_equal(alen, sizeof(n));
	assert_true(!((uintptr_t)arg & 7) && !((uintptr_t)value & 7));
	memcpy(&n, arg, sizeof(n));
	if (n < 0)
		return n;
	if (!old)
		return -ENOENT;
	for (int i = 0; i < n && (size_t)(i + 1) * olen <= room; i++)
		memcpy((char *)value + (size_t)i * olen, old, olen);
	return n * (int)olen;
}

static int write_nothing(const void *old, size_t olen, void *value, size_t room,
			 const void *arg, size_t alen)
{
	(void)old;
	(void)olen;
	assert_true(value && arg && alen);
	return (int)room;
}

static void changes(void **state)
{
	static const char zero[4000];
	struct nr_map *map = make(2, 0);
	struct nr_map_context *a = join(map, 1), *b = join(map, 2);
	static char v[70000], big[70000];
	struct nr_map_change how = { repeat, NULL, sizeof(int), 100 };
	int n = 3;

	(void)state;
	how.arg = &n;
	assert_int_equal(nr_map_modify(a, "k", 1, &how, v, 100), -ENOENT);
	assert_int_equal(nr_map_put(a, "k", 1, "ab", 2, 0), 0);
	assert_int_equal(nr_map_modify(b, "k", 1, &how, v, 5), 6);
	assert_string_equal(v, "ababa");
	assert_int_equal(nr_map_get(a, "k", 1, v, 100), 6);
	assert_string_equal(v, "ababab");
	/* more than there is room for, or an error: as it was */
	how.room = 17;
	assert_int_equal(nr_map_modify(b, "k", 1, &how, v, 5), -EMSGSIZE);
	n = -EPERM;
	assert_int_equal(nr_map_modify(b, "k", 1, &how, v, 5), -EPERM);
	n = -ENOMEM;
	assert_int_equal(nr_map_modify(b, "k", 1, &how, v, 5), -EINVAL);
	assert_int_equal(nr_map_get(a, "k", 1, v, 100), 6);
	/* longer than the stack has room for, and than a chunk */
	how.room = sizeof(big);
	n = 10000;
	assert_int_equal(nr_map_modify(a, "k", 1, &how, big, sizeof(big)),
			 60000);
	assert_true(!memcmp(big + 59996, "abab", 4) && !big[60000]);
	assert_int_equal(nr_map_get(b, "k", 1, v, sizeof(v)), 60000);
	assert_memory_equal(big, v, sizeof(v));
	/* nothing, and then not even that */
	n = 0;
	assert_int_equal(nr_map_modify(a, "k", 1, &how, NULL, 0), 0);
	assert_int_equal(nr_map_get(b, "k", 1, v, 1), 0);
	n = -ENOENT;
	assert_int_equal(nr_map_modify(a, "k", 1, &how, NULL, 0), -ENOENT);
	assert_true(nr_map_count(b) == 0);
	/* what is left unwritten is the same on all replicas, and nothing */
	how.fn = write_nothing;
	for (how.room = 40; how.room < 4000; how.room *= 3) {
		memset(v, 7, sizeof(v));
		assert_int_equal(nr_map_modify(a, "k", 1, &how, v, 4000),
				 how.room);
		assert_memory_equal(v, zero, how.room);
		assert_int_equal(nr_map_get(b, "k", 1, v, 4000), how.room);
		assert_memory_equal(v, zero, how.room);
		assert_true(map_is_equal(map));
	}
	how.fn = repeat;
	assert_int_equal(nr_map_remove(a, "k", 1), 0);
	n = -ENOENT;
	how.room = NR_VALUE_MAX;
	assert_int_equal(nr_map_modify(a, "k", 1, &how, NULL, 0), -EMSGSIZE);
	how.room = 1;
	assert_int_equal(nr_map_modify(a, v, NR_KEY_MAX, &how, NULL, 0),
			 -EMSGSIZE);
	how.alen = NR_KEY_MAX - 64;
	assert_int_equal(nr_map_modify(a, "k", 1, &how, NULL, 0), -EMSGSIZE);
	assert_true(map_is_equal(map));
	nr_map_leave(a);
	nr_map_leave(b);
	assert_int_equal(nr_map_destroy(map), 0);
}

/* ---- threads ------------------------------------------------------------ */

#define THREADS 4

static struct nr_map *shared;
static _Atomic int running, won;

/* Of thread @number: keys that are its own, and one that all fight for. */
static void *fight(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg;
	struct nr_map_context *c = join(shared, 1 + number % 2);
	uint64_t rng = number, own[64] = { 0 };

	for (unsigned n = 0; n < 40000 / slowness; n++) {
		uint64_t key[2] = { number, sched_random(&rng) % 64 }, v[40];
		uint64_t *mine = &own[key[1]], none = 99;
		int len = 8 * (1 + (int)(sched_random(&rng) % 40)), got;

		for (int i = 0; i < 40; i++)
			v[i] = n + 1;
		switch (sched_random(&rng) % 5) {
		case 0:
			CHECK(nr_map_put(c, key, 16, v, (size_t)len, 0) ==
			      (*mine != 0));
			*mine = n + 1;
			break;
		case 1:
			CHECK(nr_map_remove(c, key, 16) ==
			      (*mine ? 0 : -ENOENT));
			*mine = 0;
			break;
		case 2:
			/* Who makes it takes it away. */
			if (nr_map_put(c, &none, 8, &number, 4, NR_CREATE) ==
			    0) {
				unsigned who = 99;

				atomic_fetch_add(&won, 1);
				CHECK(nr_map_get(c, &none, 8, &who, 4) == 4);
				CHECK(who == number);
				CHECK(nr_map_remove(c, &none, 8) == 0);
			}
			break;
		default:
			got = nr_map_get(c, key, 16, v, sizeof(v));
			CHECK((got > 0) == (*mine != 0));
			for (int i = 0; i < got / 8; i++)
				CHECK(v[i] == *mine);
		}
	}
	for (uint64_t i = 0; i < 64; i++) {
		uint64_t key[2] = { number, i }, v;
		int got = nr_map_get(c, key, 16, &v, 8);

		CHECK(own[i] ? got > 0 && v == own[i] : got == -ENOENT);
	}
	nr_map_leave(c);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static int add_one(const void *old, size_t olen, void *value, size_t room,
		   const void *arg, size_t alen)
{
	uint64_t n = 0;

	CHECK(room == 8 && arg && !alen && (!old || olen == 8));
	if (old)
		memcpy(&n, old, sizeof(n));
	n++;
	memcpy(value, &n, sizeof(n));
	return sizeof(n);
}

/* Nobody gets the same number twice, and none gets lost. */
static void *count_up(void *arg)
{
	struct nr_map_context *c = join(shared, 1 + (uintptr_t)arg % 2);
	const struct nr_map_change how = { add_one, NULL, 0, 8 };
	uint64_t last = 0, now;

	for (unsigned n = 0; n < 10000 / slowness; n++) {
		CHECK(nr_map_modify(c, "n", 1, &how, &now, 8) == 8);
		CHECK(now > last);
		last = now;
	}
	nr_map_leave(c);
	return NULL;
}

static void counter(void **state)
{
	pthread_t threads[THREADS];
	struct nr_map_context *c;
	uint64_t n;

	(void)state;
	shared = make(2, 64);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, count_up, (void *)i),
			0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	c = join(shared, 1);
	assert_int_equal(nr_map_get(c, "n", 1, &n, 8), 8);
	assert_true(n == THREADS * (10000 / slowness));
	nr_map_leave(c);
	assert_true(map_is_equal(shared));
	assert_int_equal(nr_map_destroy(shared), 0);
}

static void threads_and_replicas(void **state)
{
	pthread_t threads[THREADS];
	unsigned added = 0;

	(void)state;
	shared = make(2, 64);
	atomic_store(&won, 0);
	atomic_store(&running, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, fight, (void *)i), 0);
	do {
		struct nr_map_context *c;
		int id = nr_map_replica_add(shared, -1);

		assert_true(id > 2);
		c = join(shared, (uint32_t)id);
		assert_true(nr_map_count(c) <= THREADS * 64 + 1);
		assert_int_equal(nr_map_replica_remove(shared, (uint32_t)id),
				 -EBUSY);
		nr_map_leave(c);
		assert_int_equal(nr_map_replica_remove(shared, (uint32_t)id),
				 0);
		added++;
	} while (atomic_load(&running));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(won > 0);
	assert_true(map_is_equal(shared));
	assert_int_equal(nr_map_destroy(shared), 0);
	printf("# %u replicas came and went\n", added);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(basics),
		cmocka_unit_test(map_is_a_map),
		cmocka_unit_test(changes),
		cmocka_unit_test(counter),
		cmocka_unit_test(threads_and_replicas),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
