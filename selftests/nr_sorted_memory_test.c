/* SPDX-License-Identifier: MIT */
/* nr_sorted_memory_test.c - the ordered map and queues when memory runs out */
#include "nr_no_memory.h"

#include "nr_map_equal.h"
#include "nr_omap.h"
#include "nr_queue.h"

#define PUTS 40

static void an_ordered_map(void)
{
	struct nr_omap_attr attr = NR_OMAP_ATTR_INIT;
	struct nr_attr small = small_log();
	static const char value[1100];
	struct nr_omap_context *c;
	struct nr_omap *map;
	uint64_t n = 0;
	int id = -1;

	attr.nr = &small;
	attr.seed = 5;
	if (!tried_to_make(omap, &attr, &map, &c))
		return;
	for (uint64_t i = 0; i < PUTS; i++) {
		size_t len = 1 + i * 131 % 900;
		int ret;

		if (i == PUTS / 2)
			id = nr_omap_replica_add(map, -1);
		ret = nr_omap_put(c, &i, sizeof(i), value, len, NR_CREATE);
		n += (uint64_t)tried(ret);
		assert_int_equal(nr_omap_get(c, &i, sizeof(i), NULL, 0),
				 ret < 0 ? -ENOENT : (int)len);
		if (ret < 0 || i % 2)
			continue;
		if (tried(nr_omap_put(c, &i, sizeof(i), value, len + 200, 0)))
			len += 200;
		assert_int_equal(nr_omap_get(c, &i, sizeof(i), NULL, 0),
				 (int)len);
		assert_int_equal(nr_omap_remove(c, &i, sizeof(i)), 0);
		n--;
	}
	assert_true(nr_omap_count(c) == n);
	assert_true(is_sorted_equal(nr_omap_nr(map)));
	if (tried(id))
		assert_int_equal(nr_omap_replica_remove(map, (uint32_t)id), 0);
	nr_omap_leave(c);
	assert_int_equal(nr_omap_destroy(map), 0);
}

static void a_queue(void)
{
	struct nr_queue_attr attr = NR_QUEUE_ATTR_INIT;
	struct nr_attr small = small_log();
	struct nr_queue_context *c;
	static char item[900];
	struct nr_queue *q;
	uint64_t n = 0;

	attr.nr = &small;
	attr.seed = 5;
	if (!tried_to_make(queue, &attr, &q, &c))
		return;
	for (uint64_t i = 0; i < PUTS; i++) {
		n += (uint64_t)tried(nr_queue_put(c, item, i * 131 % 900, 0));
		assert_true(nr_queue_count(c) == n);
		/* Taking needs none. */
		if (i % 3 == 2 && n) {
			assert_true(nr_queue_take(c, item, 900, NULL) >= 0);
			n--;
		}
	}
	assert_true(is_sorted_equal(nr_queue_nr(q)));
	nr_queue_leave(c);
	assert_int_equal(nr_queue_destroy(q), 0);
}

/* Asynchronously: one that was not done says so. */
static void an_ordered_map_later(void)
{
	struct nr_omap_attr attr = NR_OMAP_ATTR_INIT;
	struct nr_attr small = small_log();
	static const char value[900];
	struct nr_omap_context *c;
	struct nr_omap *map;
	uint64_t n = 0;

	attr.nr = &small;
	attr.seed = 5;
	if (!tried_to_make(omap, &attr, &map, &c))
		return;
	for (uint64_t i = 0; i < PUTS; i++) {
		size_t len = 1 + i * 131 % 900;
		struct nr_done done;
		int ret;

		do {
			ret = nr_omap_submit_put(c, &i, 8, value, len, 0, i);
			if (!ret) {
				while (!nr_omap_poll(c, &done, 1))
					;
				ret = done.ret;
			}
		} while (ret == -EAGAIN);
		n += (uint64_t)tried(ret);
		assert_int_equal(nr_omap_get(c, &i, 8, NULL, 0),
				 ret < 0 ? -ENOENT : (int)len);
	}
	assert_true(nr_omap_count(c) == n);
	assert_true(is_sorted_equal(nr_omap_nr(map)));
	nr_omap_leave(c);
	assert_int_equal(nr_omap_destroy(map), 0);
}

static void a_sorted(void)
{
	static const char value[500];
	struct nr_sorted *s;
	struct nr_entry e;
	uint64_t n = 0;

	if (!tried(nr_sorted_create(&s)))
		return;
	for (uint64_t i = 0; i < PUTS; i++) {
		int ret = nr_sorted_put(s, &i, sizeof(i), value,
					i * 131 % sizeof(value), 0);

		n += (uint64_t)tried(ret);
		assert_int_equal(
			nr_sorted_find(s, &i, sizeof(i), NR_EQUAL, &e) == 0,
			ret == 0);
		assert_true(nr_sorted_count(s) == n);
	}
	nr_sorted_destroy(s);
}

static void some_items(void)
{
	static const char item[500];
	struct nr_items *items;
	uint64_t n = 0;

	if (!tried(nr_items_create(NR_PRIORITY, &items)))
		return;
	for (uint64_t i = 0; i < PUTS; i++) {
		n += (uint64_t)tried(nr_items_put(
			items, item, i * 131 % sizeof(item), i * 7 % 11));
		assert_true(nr_items_count(items) == n);
	}
	nr_items_destroy(items);
}

static void ordered_map(void **state)
{
	(void)state;
	each_allocation_fails(an_ordered_map, 0);
}

static void ordered_map_later(void **state)
{
	(void)state;
	each_allocation_fails(an_ordered_map_later, 0);
}

static void queue(void **state)
{
	(void)state;
	each_allocation_fails(a_queue, 0);
}

static void items(void **state)
{
	(void)state;
	each_allocation_fails(some_items, 0);
}

static void sorted(void **state)
{
	(void)state;
	each_allocation_fails(a_sorted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordered_map),
		cmocka_unit_test(ordered_map_later),
		cmocka_unit_test(queue),
		cmocka_unit_test(sorted),
		cmocka_unit_test(items),
	};

	return cmocka_run_group_tests_name("ordered, without memory", tests,
					   NULL, NULL);
}
