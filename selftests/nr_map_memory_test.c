/* SPDX-License-Identifier: MIT */
/* nr_map_memory_test.c - the hash map when memory runs out, once or for long */
#include "nr_no_memory.h"

#include "nr_map_equal.h"
#include "replica.h"

#define PUTS 40

/*
 * A put that failed has done nothing, on no replica; one that found only fewer
 * buckets, or a smaller chunk, than it wanted has not failed.
 */
static void a_map(void)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr small = small_log();
	struct nr_map_context *c, *late;
	static const char value[1100];
	uint64_t n = 0;
	struct nr_map *map;
	int id = -1, ret;

	attr.nr = &small;
	attr.seed = 5;
	if (!tried_to_make(map, &attr, &map, &c))
		return;
	for (uint64_t i = 0; i < PUTS; i++) {
		size_t len = 1 + i * 131 % 900;

		if (i == PUTS / 2)
			id = nr_map_replica_add(map, -1);
		ret = nr_map_put(c, &i, sizeof(i), value, len, NR_CREATE);
		n += (uint64_t)tried(ret);
		assert_int_equal(nr_map_get(c, &i, sizeof(i), NULL, 0),
				 ret < 0 ? -ENOENT : (int)len);
		assert_true(nr_map_count(c) == n);
		assert_true(map_is_equal(map));
		/* Half of them go; longer, and then shorter. */
		if (ret < 0 || i % 2)
			continue;
		if (tried(nr_map_put(c, &i, sizeof(i), value, len + 200, 0)))
			len += 200;
		assert_int_equal(nr_map_get(c, &i, sizeof(i), NULL, 0),
				 (int)len);
		assert_int_equal(nr_map_remove(c, &i, sizeof(i)), 0);
		n--;
	}
	if (tried(id)) {
		struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;

		cattr.replica = (uint32_t)id;
		if (tried(nr_map_register(map, &cattr, &late))) {
			assert_true(nr_map_count(late) == n);
			nr_map_leave(late);
		}
		assert_int_equal(nr_map_replica_remove(map, (uint32_t)id), 0);
	}
	nr_map_leave(c);
	assert_int_equal(nr_map_destroy(map), 0);
}

static void a_table(void)
{
	static const char value[500];
	struct nr_table *t;
	uint64_t n = 0;

	if (!tried(nr_table_create(&t)))
		return;
	for (uint64_t i = 0; i < PUTS; i++) {
		int ret = nr_table_put(t, &i, sizeof(i), value,
				       i * 131 % sizeof(value), 0);

		n += (uint64_t)tried(ret);
		assert_int_equal(nr_table_get(t, &i, sizeof(i), NULL) != NULL,
				 ret == 0);
		assert_true(nr_table_count(t) == n);
	}
	nr_table_destroy(t);
}

static int set_length(const void *old, size_t olen, void *value, size_t room,
		      const void *arg, size_t alen)
{
	int len;

	assert_true(alen >= sizeof(len) && (old || !olen));
	memcpy(&len, arg, sizeof(len));
	assert_true((size_t)len <= room);
	memset(value, 1, (size_t)len);
	return len;
}

/* Asynchronous updates, and changes: one that was not done says so. */
static void a_map_in_other_ways(void)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr small = small_log();
	static const char value[1100];
	struct nr_map_context *c;
	struct nr_map *map;
	uint64_t n = 0;

	attr.nr = &small;
	attr.seed = 5;
	if (!tried_to_make(map, &attr, &map, &c))
		return;
	for (uint64_t i = 0; i < PUTS; i++) {
		int len = 1 + (int)i * 131 % 900, ret, arg[80] = { len };
		struct nr_map_change how = { set_length, arg, sizeof(arg),
					     1000 };
		struct nr_done done;

		do {
			ret = nr_map_submit_put(c, &i, 8, value, (size_t)len, 0,
						i);
			if (!ret) {
				assert_int_equal(nr_map_wait(c, &done, 1, 1),
						 1);
				ret = done.ret;
			}
		} while (ret == -EAGAIN);
		n += (uint64_t)tried(ret);
		assert_int_equal(nr_map_get(c, &i, 8, NULL, 0),
				 ret < 0 ? -ENOENT : len);
		if (ret < 0 || i % 3)
			continue;
		arg[0] = 1 + len / 2;
		ret = nr_map_modify(c, &i, 8, &how, NULL, 0);
		assert_int_equal(nr_map_get(c, &i, 8, NULL, 0),
				 tried(ret) ? 1 + len / 2 : len);
		assert_true(map_is_equal(map));
	}
	assert_true(nr_map_count(c) == n);
	assert_true(map_is_equal(map));
	nr_map_leave(c);
	assert_int_equal(nr_map_destroy(map), 0);
}

/* One that does not fit into a bucket */
static const uint64_t *long_value(uint64_t *value, uint64_t n)
{
	for (int i = 0; i < 3; i++)
		value[i] = n + (uint64_t)i;
	return value;
}

/*
 * There is no memory for long: what there is can be read, removed and replaced;
 * what was removed makes room for as much; and when there is some again the map
 * goes on.
 */
static void map_without_memory(void **state)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr two = NR_ATTR_INIT;
	struct nr_map_context *c;
	struct nr_map *map;
	uint64_t n, late, value[3];

	(void)state;
	two.topology = "2x1";
	attr.nr = &two;
	sched_no_memory(0);
	sched_mapped(1);
	assert_int_equal(nr_map_create(&attr, &map), 0);
	assert_int_equal(nr_map_register(map, NULL, &c), 0);
	for (n = 0; n < 100; n++)
		assert_int_equal(nr_map_put(c, &n, 8, long_value(value, n),
					    sizeof(value), 0),
				 0);
	sched_no_memory_from(1);
	while (nr_map_put(c, &n, 8, long_value(value, n), sizeof(value), 0) ==
	       0)
		n++;
	assert_int_equal(
		nr_map_put(c, &n, 8, long_value(value, n), sizeof(value), 0),
		-ENOMEM);
	assert_int_equal(nr_map_replica_add(map, -1), -ENOMEM);
	assert_true(nr_map_count(c) == n);
	assert_true(map_is_equal(map));
	for (uint64_t i = 0; i < n; i++) {
		uint64_t v[3] = { 0 }, more = i + 1000;

		assert_int_equal(nr_map_get(c, &i, 8, v, sizeof(v)), sizeof(v));
		assert_memory_equal(v, long_value(value, i), sizeof(v));
		assert_int_equal(nr_map_put(c, &i, 8, v, sizeof(v), 0), 1);
		assert_int_equal(nr_map_remove(c, &i, 8), 0);
		assert_int_equal(nr_map_put(c, &more, 8, v, sizeof(v), 0), 0);
	}
	assert_true(nr_map_count(c) == n);
	sched_no_memory(0);
	for (late = 0; late < 500; late++)
		assert_int_equal(
			nr_map_put(c, &late, 8, value, sizeof(value), 0), 0);
	assert_int_equal(nr_map_replica_add(map, -1), 3);
	assert_true(nr_map_count(c) == n + late);
	assert_true(map_is_equal(map));
	nr_map_leave(c);
	assert_int_equal(nr_map_destroy(map), 0);
	assert_int_equal(sched_mapped(0), 0);
}

static uint32_t chunks_of(struct nr_map *map)
{
	const struct table *t = nr_map_nr(map)->replicas->object;

	return t->arena.n;
}

/*
 * There is memory, but for long only in small pieces: the map takes the longest
 * it can get, as many as it needs; and then grows as it would have.
 */
static void map_in_pieces(void **state)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr two = NR_ATTR_INIT;
	struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;
	struct nr_map_context *c;
	static const char value[3000];
	struct nr_map *map;
	uint32_t chunks;
	uint64_t n;

	(void)state;
	two.topology = "2x1";
	attr.nr = &two;
	cattr.replica = 1; /* the one that is looked at */
	sched_mapped(1);
	sched_no_memory(0);
	assert_int_equal(nr_map_create(&attr, &map), 0);
	assert_int_equal(nr_map_register(map, &cattr, &c), 0);
	sched_no_memory_above(16384);
	for (n = 0; n < 1500; n++)
		assert_int_equal(nr_map_put(c, &n, 8, value, sizeof(value), 0),
				 0);
	chunks = chunks_of(map);
	/* Three to four in each. */
	assert_true(chunks > 300 && chunks < 550);
	assert_true(map_is_equal(map));
	assert_int_equal(nr_map_replica_add(map, -1), 3);
	sched_no_memory(0);
	for (; n < 6000; n++)
		assert_int_equal(nr_map_put(c, &n, 8, value, sizeof(value), 0),
				 0);
	assert_true(chunks_of(map) <= chunks + 3);
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(nr_map_get(c, &i, 8, NULL, 0), sizeof(value));
	assert_true(map_is_equal(map));
	nr_map_leave(c);
	assert_int_equal(nr_map_destroy(map), 0);
	assert_int_equal(sched_mapped(0), 0);
}

static void map(void **state)
{
	(void)state;
	each_allocation_fails(a_map, 0);
}

static void map_in_other_ways(void **state)
{
	(void)state;
	each_allocation_fails(a_map_in_other_ways, 0);
}

static void table(void **state)
{
	(void)state;
	each_allocation_fails(a_table, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_without_memory),
		cmocka_unit_test(map_in_pieces),
		cmocka_unit_test(map),
		cmocka_unit_test(map_in_other_ways),
		cmocka_unit_test(table),
	};

	return cmocka_run_group_tests_name("map, without memory", tests, NULL,
					   NULL);
}
