/* SPDX-License-Identifier: MIT */
/* nr_replica_test.c - replicas, their statistics, and where their memory is */
#include "testlib.h"

#include <linux/mempolicy.h>
#include <sys/syscall.h>

#include "context.h"
#include "nr_cells.h"

/* ---- replicas ----------------------------------------------------------- */

static void late_replicas(void **state)
{
	struct nr *nr = cells_make(&cells_ops, 4, 1);
	struct nr_context *a = cells_join(nr, 1, 0), *b;
	int id;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		cells_set(a, i, i);
	assert_int_equal(nr_topology_places(nr_topology_of(nr)), 2);
	assert_int_equal(nr_replica_add(nr, 2), -EINVAL);
	/* what it starts with was collected long ago */
	id = nr_replica_add(nr, 1);
	assert_int_equal(id, 2);
	b = cells_join(nr, 2, 0);
	assert_true(cells_get(b, 99) == 99);
	assert_true(cells_set(b, 1, 5) == 97);
	assert_true(cells_get(a, 1) == 5);
	assert_int_equal(nr_replica_remove(nr, 2), -EBUSY);
	assert_int_equal(nr_replica_remove(nr, 1), -EBUSY);
	nr_leave(a);
	assert_int_equal(nr_replica_remove(nr, 1), 0);
	assert_int_equal(nr_replica_remove(nr, 2), -EBUSY);
	/* Numbers are not used again. */
	assert_int_equal(nr_replica_add(nr, -1), 3);
	nr_leave(b);
	for (int i = 0; i < 20; i++)
		assert_int_equal(nr_replica_add(nr, -1), 4 + i);
	cells_finish(nr);
}

/* Threads are dealt out to the replicas of their place. */
static void many_contexts(void **state)
{
	struct nr_replica_stats r[3] = { { .size = sizeof(r[0]) } };
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr_context *c[60];
	struct nr_attr attr = NR_ATTR_INIT;
	struct nr *nr;

	(void)state;
	attr.topology = "1x1";
	attr.replicas = 3;
	assert_int_equal(nr_create(&cells_ops, &attr, &nr), 0);
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		c[i] = cells_join(nr, 0, 0);
		cells_set(c[i], i, i);
	}
	assert_int_equal(nr_stats(nr, &stats, r, 3), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(r[i].contexts, 20);
	for (size_t i = 0; i < ARRAY_LEN(c); i += 2)
		nr_leave(c[i]);
	for (size_t i = 1; i < ARRAY_LEN(c); i += 2) {
		assert_true(cells_get(c[i], 59) == 59);
		nr_leave(c[i]);
	}
	cells_finish(nr);
}

/* A replica on which nobody calls is brought forward by others. */
static void an_idle_replica(void **state)
{
	struct nr_replica_stats r[2] = { { .size = sizeof(r[0]) } };
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr *nr = cells_make(&cells_ops, 64, 2);
	struct nr_context *a = cells_join(nr, 1, 0),
			  *idle = cells_join(nr, 2, 0);

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		cells_set(a, i, i);
	assert_int_equal(nr_stats(nr, &stats, r, 2), 2);
	assert_true(r[1].helped > 0 && r[0].helped == 0);
	assert_true(r[1].lag <= 64 && r[1].applied >= 1000 - 64);
	assert_true(cells_get(idle, 999) == 999);
	nr_leave(a);
	nr_leave(idle);
	cells_finish(nr);
}

static void statistics(void **state)
{
	struct nr_replica_stats r[3] = { { .size = sizeof(r[0]) } };
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr *nr = cells_make(&cells_ops, 64, 2);
	struct nr_context *a = cells_join(nr, 1, 16);
	uint64_t op[2] = { 1, 1 };

	(void)state;
	for (int i = 0; i < 5; i++)
		cells_set(a, 1, 1);
	cells_get(a, 1);
	for (int i = 0; i < 9; i++)
		nr_submit(a, op, sizeof(op), NULL, 0);
	nr_wait(a, NULL, 9, 9);
	assert_int_equal(nr_stats(nr, &stats, r, 3), 2);
	assert_true(stats.log_size == 64 && stats.log_tail == 14 &&
		    stats.log_ctail == 14 && stats.log_head == 0 &&
		    stats.replicas == 2);
	assert_true(r[0].replica == 1 && r[1].replica == 2);
	assert_true(r[0].place == 0 && r[1].place == 1);
	assert_true(r[0].updates == 14 && r[0].batches == 6);
	assert_true(r[0].batch_sizes[0] == 5 && r[0].batch_sizes[3] == 1);
	assert_true(r[0].reads == 1 && r[0].applied == 14 && r[0].lag == 0);
	assert_true(r[1].applied == 0 && r[1].lag == 14);
	nr_leave(a);
	/* What contexts counted stays. */
	assert_int_equal(nr_stats(nr, &stats, r, 1), 1);
	assert_true(r[0].reads == 1 && r[0].contexts == 0);
	/* A program that knows less of the structure. */
	r[0].size = offsetof(struct nr_replica_stats, contexts);
	r[0].contexts = 77;
	assert_int_equal(nr_stats(nr, &stats, r, 1), 1);
	assert_true(r[0].contexts == 77);
	stats.size = 0;
	assert_int_equal(nr_stats(nr, &stats, NULL, 0), -EINVAL);
	cells_finish(nr);
}

/* ---- memory ------------------------------------------------------------- */

/* The calling thread's memory policy; -errno. */
static int policy(unsigned long *where)
{
	int mode;

	memset(where, 0, 128);
	return syscall(SYS_get_mempolicy, &mode, where, 1024, NULL, 0) ? -errno
								       : mode;
}

static int helped_with;

static void policy_update(void *object, const void *op, size_t len,
			  void *result)
{
	unsigned long where[16];

	(void)op;
	(void)len;
	(void)result;
	/* The other replica's object has been marked. */
	if (*(uint64_t *)object)
		helped_with = policy(where);
}

/*
 * Who brings another node's replica forward has the policy of that node while
 * its functions run, and then his own again.
 */
/* ---- results by callback ------------------------------------------------ */

struct told {
	unsigned times;
	uint64_t sum, cells[4];
};

struct tell {
	void (*callback)(struct told *told, const uint64_t *cells);
	struct told *told;
	uint64_t cell;
};

static void keep_all(struct told *told, const uint64_t *cells)
{
	told->times++;
	told->sum = 0;
	memcpy(told->cells, cells, sizeof(told->cells));
	for (size_t i = 0; i < ARRAY_LEN(told->cells); i++)
		told->sum += cells[i];
}

static void add_and_tell(void *object, const void *op, size_t len, void *result)
{
	const struct tell *t = op;
	uint64_t *cells = object;

	assert_int_equal(len, sizeof(*t));
	cells[t->cell]++;
	if (result)
		t->callback(t->told, cells);
}

static int same_cells(uint32_t replica, const void *object, void *arg)
{
	(void)replica;
	return memcmp(object, arg, sizeof(((struct told *)0)->cells));
}

/* One longer than any result: told once, whoever combines, now or later. */
static void results_by_callback(void **state)
{
	struct nr_ops ops = NR_OPS_INIT;
	struct nr_context *c[2];
	struct told told[2];
	uint64_t tags[2];
	char result;
	struct nr *nr;

	(void)state;
	ops.object_size = sizeof(told[0].cells);
	ops.result_size = 1;
	ops.update = add_and_tell;
	nr = cells_make(&ops, 4, 2);
	c[0] = cells_join(nr, 1, 0);
	c[1] = cells_join(nr, 2, 0);
	for (uint64_t i = 0; i < 100; i++) {
		struct tell t = { keep_all, &told[0], i % 4 };

		memset(told, 0, sizeof(told));
		assert_int_equal(nr_update(c[i % 2], &t, sizeof(t), &result),
				 0);
		assert_true(told[0].times == 1 && told[0].sum == 3 * i + 1);
		/* Its result is not wanted: nobody is told. */
		t.told = &told[1];
		assert_int_equal(nr_update(c[i % 2], &t, sizeof(t), NULL), 0);
		assert_int_equal(told[1].times, 0);
		assert_int_equal(
			nr_submit(c[1 - i % 2], &t, sizeof(t), &result, i), 0);
		assert_int_equal(nr_wait(c[1 - i % 2], tags, 2, 1), 1);
		assert_true(told[1].times == 1 && told[1].sum == 3 * i + 3);
	}
	assert_int_equal(nr_inspect(nr, same_cells, told[1].cells), 0);
	nr_leave(c[0]);
	nr_leave(c[1]);
	assert_int_equal(nr_destroy(nr), 0);
}

static void policy_is_restored(void **state)
{
	struct nr_ops ops = NR_OPS_INIT;
	unsigned long node0 = 1, where[16], was[16];
	struct nr_context *c;
	struct nr *nr;

	(void)state;
	if (policy(was) < 0 ||
	    syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, &node0, 65))
		skip();
	ops.object_size = 8;
	ops.update = policy_update;
	nr = cells_make(&ops, 4, 2);
	/* The machine may have one node: as if we were on none. */
	nr->replicas->node = -1;
	nr->replicas->next->node = 0;
	*(uint64_t *)nr->replicas->next->object = 1;
	c = cells_join(nr, 1, 0);
	helped_with = -1;
	for (int i = 0; i < 20; i++)
		assert_int_equal(nr_update(c, NULL, 0, NULL), 0);
	assert_int_equal(helped_with, MPOL_PREFERRED);
	assert_int_equal(policy(where), MPOL_INTERLEAVE);
	assert_true(where[0] == node0);
	assert_int_equal(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(nr_update(c, NULL, 0, NULL), 0);
	assert_int_equal(policy(where), MPOL_DEFAULT);
	nr_leave(c);
	assert_int_equal(nr_destroy(nr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(late_replicas),
		cmocka_unit_test(many_contexts),
		cmocka_unit_test(an_idle_replica),
		cmocka_unit_test(statistics),
		cmocka_unit_test(policy_is_restored),
		cmocka_unit_test(results_by_callback),
	};

	return cmocka_run_group_tests_name("replicas", tests, NULL, NULL);
}
