/* SPDX-License-Identifier: MIT */
/* nr_unit_test.c - updates and reads, as far as one thread can see */
#include "testlib.h"

#include "context.h"
#include "nr_cells.h"

static void updates_and_reads(void **state)
{
	struct nr *nr = cells_make(&cells_ops, 0, 2);
	struct nr_context *a = cells_join(nr, 1, 0), *b = cells_join(nr, 2, 0);
	uint64_t op[2] = { 3, 9 };

	(void)state;
	assert_true(cells_set(a, 3, 7) == 0);
	assert_true(cells_get(b, 3) == 7);
	assert_true(cells_set(b, 3, 8) == 7);
	assert_true(cells_get(a, 3) == 8);
	/* A result that nobody wants is asked of nobody. */
	cells_replays = 0;
	assert_int_equal(nr_update(a, op, sizeof(op), NULL), 0);
	assert_int_equal(cells_replays, 1);
	nr_sync(b);
	assert_int_equal(cells_replays, 2);
	nr_sync(b);
	assert_int_equal(cells_replays, 2);
	nr_leave(a);
	nr_leave(b);
	cells_finish(nr);
}

/* Of all lengths: in the entry, in a longer entry, on the heap. */
static void operations_of_any_length(void **state)
{
	static const size_t sizes[] = { 0, 56, 57, 120, 200 };
	uint64_t op[512];

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct nr_attr attr = NR_ATTR_INIT;
		struct nr_context *a, *b;
		struct nr *nr;

		attr.op_size = sizes[s];
		attr.log_size = 4;
		attr.replicas = 2;
		assert_int_equal(nr_create(&cells_ops, &attr, &nr), 0);
		a = cells_join(nr, 1, 4);
		b = cells_join(nr, 2, 4);
		for (size_t n = 2; n <= ARRAY_LEN(op); n += n / 4 + 1) {
			for (size_t i = 0; i < n; i++)
				op[i] = n;
			assert_int_equal(
				nr_update(n & 1 ? a : b, op, 8 * n, NULL), 0);
			assert_true(cells_get(n & 2 ? a : b, n) == n);
			assert_int_equal(
				nr_submit(n & 1 ? b : a, op, 8 * n, NULL, n),
				0);
			assert_int_equal(nr_wait(n & 1 ? b : a, NULL, 1, 1), 1);
		}
		assert_int_equal(nr_update(a, op, (size_t)1 << 31, NULL),
				 -EMSGSIZE);
		assert_int_equal(nr_submit(a, op, (size_t)1 << 31, NULL, 0),
				 -EMSGSIZE);
		nr_leave(a);
		nr_leave(b);
		cells_finish(nr);
	}
}

/* Longer than what the slot has of the operation, and not aligned. */
#define WIDE 203

static void wide_update(void *object, const void *op, size_t len, void *result)
{
	unsigned char *v = object;

	assert_int_equal(len, 1);
	(*v)++;
	if (result)
		memset(result, *v + *(const unsigned char *)op, WIDE);
}

static void wide_results(void **state)
{
	struct nr_ops ops = NR_OPS_INIT;
	unsigned char direct[WIDE + 1], slow[WIDE + 1], op = 100;
	struct nr_context *c;
	struct nr *nr;

	(void)state;
	ops.object_size = 1;
	ops.result_size = WIDE;
	ops.update = wide_update;
	assert_int_equal(nr_create(&ops, NULL, &nr), 0);
	c = cells_join(nr, 0, 0);
	direct[WIDE] = slow[WIDE] = 7;
	assert_int_equal(nr_update(c, &op, 1, direct), 0);
	assert_int_equal(nr_submit(c, &op, 1, slow, 0), 0);
	assert_int_equal(nr_wait(c, NULL, 1, 1), 1);
	for (int i = 0; i < WIDE; i++) {
		assert_int_equal(direct[i], 101);
		assert_int_equal(slow[i], 102);
	}
	assert_int_equal(direct[WIDE], 7);
	assert_int_equal(slow[WIDE], 7);
	assert_int_equal(nr_read(c, &op, 1, slow), -ENOSYS);
	nr_leave(c);
	assert_int_equal(nr_destroy(nr), 0);
}

/* Writes one byte of eight, as far into the result as it is told. */
static void sparse_update(void *object, const void *op, size_t len,
			  void *result)
{
	const unsigned char *at = op;
	unsigned char *r = result;

	assert_int_equal(len, 3);
	assert_int_equal((uintptr_t)op % 8, 0);
	assert_non_null(r);
	assert_int_equal((uintptr_t)r % 8, 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(r[i], 0);
	r[*at] = ++*(unsigned char *)object;
}

/*
 * Whatever way an update goes: what its function is given is aligned, and what
 * that does not write is zero.
 */
static void sparse_results(void **state)
{
	struct nr_ops ops = NR_OPS_INIT;
	unsigned char room[32], op[16] = { 0 };
	struct nr_context *c;
	struct nr *nr;

	(void)state;
	ops.object_size = 1;
	ops.result_size = 16;
	ops.update = sparse_update;
	assert_int_equal(nr_create(&ops, NULL, &nr), 0);
	c = cells_join(nr, 0, 0);
	for (unsigned char i = 1; i < 120; i++) {
		unsigned char *o = op + i % 9, *r = room + i % 8;

		memset(room, 0xee, sizeof(room));
		*o = i % 16;
		if (i % 3) {
			assert_int_equal(nr_update(c, o, 3, r), 0);
		} else {
			assert_int_equal(nr_submit(c, o, 3, r, 0), 0);
			assert_int_equal(nr_wait(c, NULL, 1, 1), 1);
		}
		for (int k = 0; k < 16; k++)
			assert_int_equal(r[k], k == *o ? i : 0);
		assert_int_equal(r[16], 0xee);
	}
	nr_leave(c);
	assert_int_equal(nr_destroy(nr), 0);
}

static void asynchronous(void **state)
{
	struct nr *nr = cells_make(&cells_ops, 64, 1);
	struct nr_context *c = cells_join(nr, 1, 3); /* rounded up to 4 */
	uint64_t was[5], tags[5], op[2] = { 1, 0 };

	(void)state;
	assert_int_equal(nr_poll(c, tags, 5), -ENOENT);
	assert_int_equal(nr_wait(c, tags, 5, 1), -ENOENT);
	for (uint64_t i = 0; i < 4; i++) {
		op[1] = i + 10;
		assert_int_equal(nr_submit(c, op, sizeof(op), &was[i], i + 50),
				 0);
	}
	assert_int_equal(nr_submit(c, op, sizeof(op), NULL, 0), -EAGAIN);
	/* Nobody has begun. */
	assert_true(cells_get(c, 1) == 0);
	assert_int_equal(nr_poll(c, tags, 0), 0);
	assert_int_equal(nr_poll(c, tags, 1), 1);
	assert_true(tags[0] == 50 && was[0] == 0);
	assert_true(cells_get(c, 1) == 13);
	/* One behind the others, without a result. */
	op[1] = 20;
	assert_int_equal(nr_submit(c, op, sizeof(op), NULL, 54), 0);
	assert_int_equal(nr_wait(c, tags, 5, 4), 4);
	for (uint64_t i = 0; i < 4; i++)
		assert_true(tags[i] == 51 + i &&
			    (i == 3 || was[i + 1] == 10 + i));
	assert_int_equal(nr_poll(c, NULL, 1), -ENOENT);
	/* A synchronous one among others is done after them, not reaped. */
	op[1] = 30;
	assert_int_equal(nr_submit(c, op, sizeof(op), &was[0], 1), 0);
	assert_true(cells_set(c, 1, 31) == 30);
	op[1] = 32;
	assert_int_equal(nr_submit(c, op, sizeof(op), &was[1], 2), 0);
	assert_int_equal(nr_wait(c, tags, 5, 5), 2);
	assert_true(tags[0] == 1 && tags[1] == 2);
	assert_true(was[0] == 20 && was[1] == 31);
	/* Who leaves waits for his own, and wants no result. */
	op[1] = 33;
	assert_int_equal(nr_submit(c, op, sizeof(op), &was[0], 1), 0);
	nr_leave(c);
	assert_true(was[0] == 20);
	c = cells_join(nr, 0, 0);
	assert_true(cells_get(c, 1) == 33);
	nr_leave(c);
	cells_finish(nr);
}

static void no_result(void *object, const void *op, size_t len, void *result)
{
	(void)op;
	(void)len;
	assert_null(result);
	++*(uint64_t *)object;
}

/* Where updates have no results, nobody is given room for one. */
static void results_of_none(void **state)
{
	struct nr_ops ops = NR_OPS_INIT;
	struct nr_context *c;
	char byte = 1;
	struct nr *nr;

	(void)state;
	ops.object_size = 8;
	ops.update = no_result;
	assert_int_equal(nr_create(&ops, NULL, &nr), 0);
	c = cells_join(nr, 0, 0);
	assert_int_equal(nr_update(c, NULL, 0, &byte), 0);
	assert_int_equal(nr_submit(c, NULL, 0, &byte, 0), 0);
	assert_int_equal(nr_update(c, NULL, 0, &byte), 0);
	assert_int_equal(nr_wait(c, NULL, 1, 1), 1);
	assert_int_equal(byte, 1);
	nr_leave(c);
	assert_int_equal(nr_destroy(nr), 0);
}

/* Synchronous ones need no room among the asynchronous ones. */
static void one_unreaped(void **state)
{
	struct nr *nr = cells_make(&cells_ops, 64, 1);
	struct nr_context *c = cells_join(nr, 1, 4);
	uint64_t op[2] = { 1, 5 }, tag = 0;

	(void)state;
	assert_int_equal(nr_submit(c, op, sizeof(op), NULL, 77), 0);
	for (uint64_t i = 0; i < 100; i++)
		assert_true(cells_set(c, 1, i + 6) == i + 5);
	assert_int_equal(nr_wait(c, &tag, 1, 1), 1);
	assert_true(tag == 77);
	nr_leave(c);
	cells_finish(nr);
}

/* Who combines for himself serves others, too, however small batches are. */
static void others_are_served(void **state)
{
	struct nr *nr = cells_make(&cells_ops, 4, 1);
	struct nr_context *a = cells_join(nr, 1, 4), *b = cells_join(nr, 1, 4);
	uint64_t op[2] = { 1, 5 };

	(void)state;
	assert_int_equal(nr->attr.batch, 1);
	assert_int_equal(nr_submit(b, op, sizeof(op), NULL, 0), 0);
	cells_set(a, 2, 2);
	assert_true(cells_get(a, 1) == 5);
	assert_int_equal(nr_wait(b, NULL, 1, 1), 1);
	nr_leave(a);
	nr_leave(b);
	cells_finish(nr);
}

static int begins;
static size_t begun;

static void cells_begin(void *object, size_t n)
{
	(void)object;
	begins++;
	begun += n;
}

static void batch_hooks(void **state)
{
	struct nr_ops ops = cells_ops;
	uint64_t op[2] = { 1, 2 };
	struct nr_context *c;
	struct nr *nr;

	(void)state;
	ops.batch_begin = cells_begin;
	ops.batch_end = cells_begin;
	nr = cells_make(&ops, 64, 1);
	c = cells_join(nr, 0, 16);
	begins = 0;
	begun = 0;
	for (int i = 0; i < 10; i++)
		nr_submit(c, op, sizeof(op), NULL, 0);
	assert_int_equal(nr_wait(c, NULL, 10, 10), 10);
	assert_int_equal(begins, 2);
	assert_int_equal(begun, 20);
	nr_leave(c);
	cells_finish(nr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(updates_and_reads),
		cmocka_unit_test(operations_of_any_length),
		cmocka_unit_test(wide_results),
		cmocka_unit_test(sparse_results),
		cmocka_unit_test(asynchronous),
		cmocka_unit_test(results_of_none),
		cmocka_unit_test(one_unreaped),
		cmocka_unit_test(others_are_served),
		cmocka_unit_test(batch_hooks),
	};

	return cmocka_run_group_tests_name("nr", tests, NULL, NULL);
}
