/* SPDX-License-Identifier: MIT */
/*
 * nr_memory_test.c - libnr when memory runs out
 *
 * Everything is done once for each allocation that it makes, with that one
 * failing: what was asked for fails with -ENOMEM, or is not done at all; all
 * else goes on; nothing leaks (the sanitizers look).
 */
#include "testlib.h"

#include "nr.h"
#include "nr_sched.h"

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

static void each_allocation_fails(void (*fn)(void))
{
	uint64_t all;

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
		assert_int_equal(failures, 1);
		assert_int_equal(sched_mapped(0), 0);
	}
	sched_no_memory(0);
	printf("# %llu allocations\n", (unsigned long long)all);
}

static void replication(void **state)
{
	(void)state;
	each_allocation_fails(everything);
}

static void reader_lock(void **state)
{
	(void)state;
	each_allocation_fails(a_reader_lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replication),
		cmocka_unit_test(reader_lock),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
