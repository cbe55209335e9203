/* SPDX-License-Identifier: MIT */
/* nr_cnr_unit_test.c - several logs: results, what is refused, and classes */
#include "testlib.h"

#include "nr_cnr_object.h"

static struct nr_cnr *make(const struct cnr_test *test)
{
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_cnr *cnr;

	nr.topology = "2x1";
	nr.arg = (void *)(uintptr_t)test;
	attr.nr = &nr;
	attr.logs = test->logs;
	assert_int_equal(nr_cnr_create(&cnr_test_ops, &attr, &cnr), 0);
	return cnr;
}

/* ---- results ------------------------------------------------------------ */

#define WIDE 16

static int wanted; /* has the function been given room? */

/* Writes one byte of it, as far in as it is told. */
static void sparse_update(void *object, const void *op, size_t len,
			  void *result)
{
	const unsigned char *at = op;
	unsigned char *r = result;

	(void)len;
	++*(unsigned char *)object;
	assert_int_equal((uintptr_t)op % 8, 0);
	assert_int_equal((uintptr_t)r % 8, 0);
	wanted += r != NULL;
	for (int i = 0; r && i < WIDE; i++)
		assert_int_equal(r[i], 0);
	if (r)
		r[at[1]] = *(unsigned char *)object;
}

static uint64_t sparse_class(const void *op, size_t len,
			     struct nr_classes *more)
{
	(void)len;
	(void)more;
	return *(const unsigned char *)op ? NR_CLASS_ALL : 1;
}

static struct nr_cnr_context *sparse(size_t size, struct nr_cnr **cnr)
{
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_cnr_ops ops = NR_CNR_OPS_INIT;
	struct nr_cnr_context *c;

	ops.object_size = 1;
	ops.result_size = size;
	ops.update = sparse_update;
	ops.update_class = sparse_class;
	attr.logs = 2;
	assert_int_equal(nr_cnr_create(&ops, &attr, cnr), 0);
	wanted = 0;
	assert_int_equal(nr_cnr_register(*cnr, NULL, &c), 0);
	return c;
}

/* In one log and in several, wherever the caller's room is. */
static void results(void **state)
{
	unsigned char room[2 * WIDE], op[16] = { 0 };
	struct nr_cnr_context *c;
	struct nr_cnr *cnr;

	(void)state;
	c = sparse(WIDE, &cnr);
	for (unsigned char i = 1; i < 120; i++) {
		unsigned char *o = op + i % 9, *r = room + i % 8;

		memset(room, 0xee, sizeof(room));
		o[0] = i % 3 > 0;
		o[1] = i % WIDE;
		assert_int_equal(nr_cnr_update(c, o, 2, r), 0);
		for (int k = 0; k < WIDE; k++)
			assert_int_equal(r[k], k == o[1] ? i : 0);
		assert_int_equal(r[WIDE], 0xee);
	}
	assert_int_equal(wanted, 119);
	nr_cnr_leave(c);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
	/* of which there are none */
	c = sparse(0, &cnr);
	op[0] = 1;
	assert_int_equal(nr_cnr_update(c, op, 2, room), 0);
	op[0] = 0;
	assert_int_equal(nr_cnr_update(c, op, 2, room), 0);
	assert_int_equal(wanted, 0);
	nr_cnr_leave(c);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

/* ---- what is refused ---------------------------------------------------- */

static void refused(void **state)
{
	static const struct cnr_test test = { 2, 0, 0 };
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;
	struct nr_cnr_ops ops = cnr_test_ops;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_cnr_context *c;
	struct cnr_test_op op = { .kind = CNR_SUM };
	struct nr_cnr *cnr;
	uint64_t v = 7;

	(void)state;
	ops.update = NULL;
	assert_int_equal(nr_cnr_create(&ops, NULL, &cnr), -EINVAL);
	ops = cnr_test_ops;
	ops.update_class = NULL;
	assert_int_equal(nr_cnr_create(&ops, NULL, &cnr), -EINVAL);
	ops = cnr_test_ops;
	ops.read_class = NULL;
	assert_int_equal(nr_cnr_create(&ops, NULL, &cnr), -EINVAL);
	ops = cnr_test_ops;
	ops.flags = 2;
	assert_int_equal(nr_cnr_create(&ops, NULL, &cnr), -EINVAL);
	ops = cnr_test_ops;
	ops.size = 0;
	assert_int_equal(nr_cnr_create(&ops, NULL, &cnr), -EINVAL);
	ops = cnr_test_ops;
	attr.logs = NR_LOGS_MAX + 1;
	assert_int_equal(nr_cnr_create(&ops, &attr, &cnr), -EINVAL);
	attr.logs = 3;
	attr.nr = &nr;
	nr.topology = "nonsense";
	assert_int_equal(nr_cnr_create(&ops, &attr, &cnr), -EINVAL);
	nr.topology = NULL;
	nr.memory = 99;
	assert_int_equal(nr_cnr_create(&ops, &attr, &cnr), -EINVAL);
	/* never read, never cloned */
	ops.read = NULL;
	ops.clone = NULL;
	nr.memory = 0;
	nr.topology = "2x1";
	nr.arg = (void *)(uintptr_t)&test;
	assert_int_equal(nr_cnr_create(&ops, &attr, &cnr), 0);
	assert_int_equal(nr_cnr_logs(cnr), 3);
	assert_non_null(nr_cnr_log(cnr, 2));
	assert_null(nr_cnr_log(cnr, 3));
	assert_int_equal(nr_cnr_replica_add(cnr, 0), -ENOTSUP);
	cattr.replica = 3;
	assert_int_equal(nr_cnr_register(cnr, &cattr, &c), -ENOENT);
	assert_int_equal(nr_cnr_register(cnr, NULL, &c), 0);
	assert_int_equal(nr_cnr_read(c, &op, sizeof(op), &v), -ENOSYS);
	assert_int_equal(nr_cnr_update(c, &op, (size_t)1 << 30, NULL),
			 -EMSGSIZE);
	assert_int_equal(nr_cnr_destroy(cnr), -EBUSY);
	nr_cnr_leave(c);
	nr_cnr_leave(NULL);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
	assert_int_equal(nr_cnr_destroy(NULL), 0);
	cnr = make(&test);
	assert_int_equal(nr_cnr_replica_add(cnr, 2), -EINVAL);
	assert_int_equal(nr_cnr_replica_remove(cnr, 3), -ENOENT);
	assert_int_equal(nr_cnr_replica_remove(cnr, 1), 0);
	assert_int_equal(nr_cnr_replica_remove(cnr, 2), -EBUSY);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

/* ---- classes ------------------------------------------------------------ */

/* Operations that are their classes: which logs does each go to? */
struct classes {
	uint64_t n, which[4];
};

static uint64_t class_of(const void *bytes, size_t len, struct nr_classes *more)
{
	const struct classes *op = bytes;

	(void)len;
	for (uint64_t i = 1; i < op->n; i++)
		nr_classes_add(more, op->which[i]);
	return op->which[0];
}

static void count(void *object, const void *op, size_t len, void *result)
{
	(void)op;
	(void)len;
	++*(uint64_t *)object;
	if (result)
		*(uint64_t *)result = *(uint64_t *)object;
}

static void classes(void **state)
{
	static const struct {
		struct classes op;
		uint32_t logs; /* bits */
	} tests[] = {
		{ { 1, { 0 } }, 1 },
		{ { 1, { 69 } }, 1 << 4 },
		{ { 1, { UINT64_MAX - 1 } }, 1 << 4 },
		{ { 2, { 1, 1 } }, 1 << 1 },
		{ { 2, { 1, 66 } }, 1 << 1 },
		{ { 3, { 4, 0, 4 } }, 1 << 4 | 1 },
		{ { 4, { 7, 8, 9, 10 } }, 1 << 2 | 1 << 3 | 1 << 4 | 1 },
		{ { 1, { NR_CLASS_ALL } }, 31 },
		{ { 2, { 3, NR_CLASS_ALL } }, 31 },
	};
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_cnr_ops ops = NR_CNR_OPS_INIT;
	uint64_t tails[5] = { 0 }, result;
	struct nr_cnr_context *c;
	struct nr_cnr *cnr;

	(void)state;
	ops.object_size = ops.result_size = 8;
	ops.update = count;
	ops.update_class = class_of;
	attr.logs = 5;
	assert_int_equal(nr_cnr_create(&ops, &attr, &cnr), 0);
	assert_int_equal(nr_cnr_register(cnr, NULL, &c), 0);
	for (unsigned i = 0; i < ARRAY_LEN(tests); i++) {
		assert_int_equal(nr_cnr_update(c, &tests[i].op,
					       sizeof(tests[i].op), &result),
				 0);
		/* once, in however many logs it is */
		assert_true(result == i + 1);
		for (uint32_t k = 0; k < 5; k++) {
			struct nr_stats stats = { .size = sizeof(stats) };

			nr_stats(nr_cnr_log(cnr, k), &stats, NULL, 0);
			assert_int_equal(stats.log_tail - tails[k],
					 tests[i].logs >> k & 1);
			assert_true(stats.log_ctail == stats.log_tail);
			tails[k] = stats.log_tail;
		}
	}
	nr_cnr_sync(c);
	nr_cnr_leave(c);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results),
		cmocka_unit_test(refused),
		cmocka_unit_test(classes),
	};

	return cmocka_run_group_tests_name("several logs, one thread", tests,
					   NULL, NULL);
}
