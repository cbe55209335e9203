/* SPDX-License-Identifier: MIT */
/*
 * nr_memory_test.c - libnr when memory runs out
 *
 * Everything is done once for each allocation that it makes, with that one
 * failing: what was asked for fails with -ENOMEM, or is not done at all; all
 * else goes on; nothing leaks (the sanitizers look).
 */
#include "testlib.h"

#include "nr_cnr.h"
#include "nr_map_equal.h"
#include "nr_omap.h"
#include "nr_queue.h"
#include "nr_sched.h"
#include "nr_show.h"

struct list {
	uint64_t n;
	void *heap;
};

static int list_init(void *object, void *arg)
{
	struct list *l = object;

	(void)arg;
	l->heap = nr_test_no_memory() ? NULL : malloc(8);
	return l->heap ? 0 : -ENOMEM;
}

static void list_fini(void *object, void *arg)
{
	(void)arg;
	free(((struct list *)object)->heap);
}

static int list_clone(void *object, const void *from, void *arg)
{
	int err = list_init(object, arg);

	((struct list *)object)->n = ((const struct list *)from)->n;
	return err;
}

static void list_update(void *object, const void *op, size_t len, void *result)
{
	(void)op;
	(void)len;
	(void)result;
	((struct list *)object)->n++;
}

static void list_read(const void *object, const void *op, size_t len,
		      void *result)
{
	(void)op;
	(void)len;
	*(uint64_t *)result = ((const struct list *)object)->n;
}

static const struct nr_ops list_ops = {
	.size = sizeof(list_ops),
	.object_size = sizeof(struct list),
	.init = list_init,
	.fini = list_fini,
	.update = list_update,
	.read = list_read,
	.clone = list_clone,
};

static int failures; /* -ENOMEM seen */

/* 0 or -ENOMEM, nothing else */
static int tried(int ret)
{
	if (ret < 0) {
		assert_int_equal(ret, -ENOMEM);
		failures++;
	}
	return ret >= 0;
}

static int all_equal(uint32_t replica, const void *object, void *arg)
{
	(void)replica;
	return ((const struct list *)object)->n != *(uint64_t *)arg;
}

static void use(struct nr *nr, struct nr_context *c, uint64_t *n)
{
	static const char op[100]; /* long: on the heap */
	uint64_t saw;

	for (int i = 0; i < 10; i++) {
		*n += (uint64_t)tried(nr_update(c, op, sizeof(op), NULL));
		*n += (uint64_t)tried(nr_submit(c, op, sizeof(op), NULL, 0));
		nr_wait(c, NULL, 1, 1);
		*n += (uint64_t)tried(nr_update(c, op, 1, NULL));
		assert_int_equal(nr_read(c, NULL, 0, &saw), 0);
		assert_true(saw == *n);
	}
	assert_int_equal(nr_inspect(nr, all_equal, n), 0);
}

/* As many as make both arrays of contexts grow. */
#define CONTEXTS 9

static void everything(void)
{
	struct nr_context *c[CONTEXTS] = { NULL };
	struct nr_attr attr = NR_ATTR_INIT;
	uint64_t n = 0;
	struct nr *nr;
	int id;

	attr.topology = "2x1";
	attr.log_size = 4;
	if (!tried(nr_create(&list_ops, &attr, &nr)))
		return;
	for (int i = 0; i < CONTEXTS; i++) {
		struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;

		cattr.replica = 1;
		if (tried(nr_register(nr, &cattr, &c[i])))
			use(nr, c[i], &n);
	}
	id = nr_replica_add(nr, -1);
	if (tried(id)) {
		struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;
		struct nr_context *late;

		cattr.replica = (uint32_t)id;
		if (tried(nr_register(nr, &cattr, &late))) {
			use(nr, late, &n);
			nr_leave(late);
		}
		assert_int_equal(nr_replica_remove(nr, (uint32_t)id), 0);
	}
	assert_int_equal(nr_inspect(nr, all_equal, &n), 0);
	for (int i = 0; i < CONTEXTS; i++)
		nr_leave(c[i]);
	assert_int_equal(nr_destroy(nr), 0);
}

static void a_reader_lock(void)
{
	struct nr_reader *r[CONTEXTS] = { NULL };
	struct nr_rwlock *lock;

	if (!tried(nr_rwlock_create(&lock)))
		return;
	for (int i = 0; i < CONTEXTS; i++)
		if (tried(nr_rwlock_join(lock, &r[i]))) {
			nr_read_lock(r[i]);
			nr_read_unlock(r[i]);
		}
	nr_write_lock(lock);
	nr_write_unlock(lock);
	for (int i = 0; i < CONTEXTS; i++)
		nr_rwlock_leave(r[i]);
	assert_int_equal(nr_rwlock_destroy(lock), 0);
}

/* Operations of one class, of all, and too long for an entry. */
static uint64_t class_of(const void *op, size_t len, struct nr_classes *more)
{
	(void)more;
	return len == 1 ? *(const unsigned char *)op : NR_CLASS_ALL;
}

static void several_logs(void)
{
	struct nr_cnr_ops ops = NR_CNR_OPS_INIT;
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_attr small = NR_ATTR_INIT;
	struct nr_cnr_context *c = NULL, *late;
	static const char op[100];
	uint64_t n = 0, saw;
	struct nr_cnr *cnr;
	int id, ret;

	ops.object_size = sizeof(struct list);
	ops.init = list_init;
	ops.fini = list_fini;
	ops.clone = list_clone;
	ops.update = list_update;
	ops.read = list_read;
	ops.update_class = ops.read_class = class_of;
	small.topology = "2x1";
	small.log_size = 4;
	attr.nr = &small;
	attr.logs = 3;
	if (!tried(nr_cnr_create(&ops, &attr, &cnr)))
		return;
	if (!tried(nr_cnr_register(cnr, NULL, &c))) {
		assert_int_equal(nr_cnr_destroy(cnr), 0);
		return;
	}
	for (int i = 0; i < 10; i++) {
		char one = (char)i;

		n += (uint64_t)tried(nr_cnr_update(c, &one, 1, NULL));
		n += (uint64_t)tried(nr_cnr_update(c, op, 2, NULL));
		n += (uint64_t)tried(nr_cnr_update(c, op, sizeof(op), NULL));
		if (tried(nr_cnr_read(c, op, 2, &saw)))
			assert_true(saw == n);
	}
	id = nr_cnr_replica_add(cnr, -1);
	if (tried(id)) {
		struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;

		cattr.replica = (uint32_t)id;
		if (tried(nr_cnr_register(cnr, &cattr, &late))) {
			if (tried(nr_cnr_read(late, op, 2, &saw)))
				assert_true(saw == n);
			nr_cnr_leave(late);
		}
		assert_int_equal(nr_cnr_replica_remove(cnr, (uint32_t)id), 0);
	}
	ret = nr_cnr_inspect(cnr, all_equal, &n);
	assert_true(!ret || !tried(ret));
	nr_cnr_leave(c);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

#define PUTS 40

/*
 * A put that failed has done nothing, on no replica; one that found only fewer
 * buckets, or a smaller chunk, than it wanted has not failed.
 */
static void a_map(void)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr small = NR_ATTR_INIT;
	struct nr_map_context *c, *late;
	static const char value[1100];
	uint64_t n = 0;
	struct nr_map *map;
	int id = -1, ret;

	small.topology = "2x1";
	small.log_size = 4;
	attr.nr = &small;
	attr.seed = 5;
	if (!tried(nr_map_create(&attr, &map)))
		return;
	if (!tried(nr_map_register(map, NULL, &c))) {
		assert_int_equal(nr_map_destroy(map), 0);
		return;
	}
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
	struct nr_attr small = NR_ATTR_INIT;
	static const char value[1100];
	struct nr_map_context *c;
	struct nr_map *map;
	uint64_t n = 0;

	small.topology = "2x1";
	small.log_size = 4;
	attr.nr = &small;
	attr.seed = 5;
	if (!tried(nr_map_create(&attr, &map)))
		return;
	if (!tried(nr_map_register(map, NULL, &c))) {
		assert_int_equal(nr_map_destroy(map), 0);
		return;
	}
	for (uint64_t i = 0; i < PUTS; i++) {
		int len = 1 + (int)i * 131 % 900, ret, arg[80] = { len };
		struct nr_map_change how = { set_length, arg, sizeof(arg),
					     1000 };
		struct nr_map_done done;

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

static void an_ordered_map(void)
{
	struct nr_omap_attr attr = NR_OMAP_ATTR_INIT;
	struct nr_attr small = NR_ATTR_INIT;
	static const char value[1100];
	struct nr_omap_context *c;
	struct nr_omap *map;
	uint64_t n = 0;
	int id = -1;

	small.topology = "2x1";
	small.log_size = 4;
	attr.nr = &small;
	attr.seed = 5;
	if (!tried(nr_omap_create(&attr, &map)))
		return;
	if (!tried(nr_omap_register(map, NULL, &c))) {
		assert_int_equal(nr_omap_destroy(map), 0);
		return;
	}
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

/* Both sides are this process, whose thread has -EACCES for want of memory; but
 * there may be others. */
static int saw(const struct nr_seen *seen, void *arg)
{
	int own = seen->pid == getpid();

	failures += seen->err == -ENOMEM || (own && seen->err);
	*(int *)arg += own && !seen->err;
	return 0;
}

static void a_shown(void)
{
	struct nr_shown *shown;
	struct nr *nr;
	int n = 0;

	if (!tried(nr_create(&list_ops, NULL, &nr)))
		return;
	if (tried(nr_show(nr, "shown", &shown))) {
		tried(nr_look(saw, &n));
		assert_true(n == 1 || (!n && failures == 1));
		nr_hide(shown);
	}
	assert_int_equal(nr_destroy(nr), 0);
}

static void a_queue(void)
{
	struct nr_queue_attr attr = NR_QUEUE_ATTR_INIT;
	struct nr_attr small = NR_ATTR_INIT;
	struct nr_queue_context *c;
	static char item[900];
	struct nr_queue *q;
	uint64_t n = 0;

	small.topology = "2x1";
	small.log_size = 4;
	attr.nr = &small;
	attr.seed = 5;
	if (!tried(nr_queue_create(&attr, &q)))
		return;
	if (!tried(nr_queue_register(q, NULL, &c))) {
		assert_int_equal(nr_queue_destroy(q), 0);
		return;
	}
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
	uint64_t n, late;

	(void)state;
	two.topology = "2x1";
	attr.nr = &two;
	sched_no_memory(0);
	sched_mapped(1);
	assert_int_equal(nr_map_create(&attr, &map), 0);
	assert_int_equal(nr_map_register(map, NULL, &c), 0);
	for (n = 0; n < 100; n++)
		assert_int_equal(nr_map_put(c, &n, 8, &n, 8, 0), 0);
	sched_no_memory_from(1);
	for (; nr_map_put(c, &n, 8, &n, 8, 0) == 0; n++)
		;
	assert_int_equal(nr_map_put(c, &n, 8, &n, 8, 0), -ENOMEM);
	assert_int_equal(nr_map_replica_add(map, -1), -ENOMEM);
	assert_true(nr_map_count(c) == n);
	assert_true(map_is_equal(map));
	for (uint64_t i = 0; i < n; i++) {
		uint64_t v = 0, more = i + 1000;

		assert_int_equal(nr_map_get(c, &i, 8, &v, 8), 8);
		assert_true(v == i);
		assert_int_equal(nr_map_put(c, &i, 8, &n, 8, 0), 1);
		assert_int_equal(nr_map_remove(c, &i, 8), 0);
		assert_int_equal(nr_map_put(c, &more, 8, &i, 8, 0), 0);
	}
	assert_true(nr_map_count(c) == n);
	sched_no_memory(0);
	for (late = 0; late < 500; late++)
		assert_int_equal(nr_map_put(c, &late, 8, &late, 8, 0), 0);
	assert_int_equal(nr_map_replica_add(map, -1), 3);
	assert_true(nr_map_count(c) == n + late);
	assert_true(map_is_equal(map));
	nr_map_leave(c);
	assert_int_equal(nr_map_destroy(map), 0);
	assert_int_equal(sched_mapped(0), 0);
}

/* @must: none of them can be done without. */
static void each_allocation_fails(void (*fn)(void), int must)
{
	uint64_t all;
	int failed = 0;

	sched_no_memory(0);
	sched_mapped(1);
	failures = 0;
	fn();
	assert_int_equal(failures, 0);
	assert_int_equal(sched_mapped(0), 0);
	all = sched_allocations();
	assert_true(all > 5);
	for (uint64_t i = 1; i <= all; i++) {
		failures = 0;
		sched_no_memory(i);
		fn();
		assert_true(failures == 1 || (!must && !failures));
		failed += failures;
		assert_int_equal(sched_mapped(0), 0);
	}
	sched_no_memory(0);
	printf("# %llu allocations, %d failures\n", (unsigned long long)all,
	       failed);
}

static void replication(void **state)
{
	(void)state;
	each_allocation_fails(everything, 1);
}

static void shown_to_others(void **state)
{
	(void)state;
	/* Of others some are made, too, that we do not see. */
	each_allocation_fails(a_shown, 0);
}

static void reader_lock(void **state)
{
	(void)state;
	each_allocation_fails(a_reader_lock, 1);
}

static void logs(void **state)
{
	(void)state;
	each_allocation_fails(several_logs, 1);
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

static void ordered_map(void **state)
{
	(void)state;
	each_allocation_fails(an_ordered_map, 0);
}

static void queue(void **state)
{
	(void)state;
	each_allocation_fails(a_queue, 0);
}

static void sorted(void **state)
{
	(void)state;
	each_allocation_fails(a_sorted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replication),
		cmocka_unit_test(shown_to_others),
		cmocka_unit_test(reader_lock),
		cmocka_unit_test(logs),
		cmocka_unit_test(map),
		cmocka_unit_test(map_in_other_ways),
		cmocka_unit_test(map_without_memory),
		cmocka_unit_test(table),
		cmocka_unit_test(ordered_map),
		cmocka_unit_test(queue),
		cmocka_unit_test(sorted),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
