/* SPDX-License-Identifier: MIT */
/* nr_layout_test.c - attributes, what is refused, and what lies where */
#include "testlib.h"

#include "context.h"
#include "nr_cells.h"

/* ---- errors ------------------------------------------------------------- */

static void refusals(void **state)
{
	struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;
	struct nr_attr attr = NR_ATTR_INIT;
	struct nr_ops ops = cells_ops;
	struct nr_context *c;
	int fails = -ENOSPC;
	struct nr *nr;

	(void)state;
	ops.size = 0;
	assert_int_equal(nr_create(&ops, NULL, &nr), -EINVAL);
	ops = cells_ops;
	ops.update = NULL;
	assert_int_equal(nr_create(&ops, NULL, &nr), -EINVAL);
	attr.topology = "two";
	assert_int_equal(nr_create(&cells_ops, &attr, &nr), -EINVAL);
	attr.topology = NULL;
	attr.log_size = UINT64_MAX;
	assert_int_equal(nr_create(&cells_ops, &attr, &nr), -EINVAL);
	attr.log_size = 0;
	attr.arg = &fails;
	assert_int_equal(nr_create(&cells_ops, &attr, &nr), -ENOSPC);
	assert_int_equal(cells_alive, 0);
	fails = 0;
	attr.replicas = 1;
	assert_int_equal(nr_create(&cells_ops, &attr, &nr), 0);
	cattr.replica = 2;
	assert_int_equal(nr_register(nr, &cattr, &c), -ENOENT);
	cattr.replica = 0;
	cattr.depth = 1u << 20;
	assert_int_equal(nr_register(nr, &cattr, &c), -EINVAL);
	cattr.size = 0;
	assert_int_equal(nr_register(nr, &cattr, &c), -EINVAL);
	assert_int_equal(nr_replica_add(nr, 4711), -EINVAL);
	assert_int_equal(nr_replica_add(nr, -2), -EINVAL);
	fails = -EIO;
	assert_int_equal(nr_replica_add(nr, 0), -EIO);
	assert_int_equal(cells_alive, 1);
	assert_int_equal(nr_replica_remove(nr, 1), -EBUSY); /* the last */
	assert_int_equal(nr_replica_remove(nr, 2), -ENOENT);
	fails = 0;
	c = cells_join(nr, 0, 0);
	assert_int_equal(nr_destroy(nr), -EBUSY);
	nr_leave(c);
	nr_leave(NULL);
	cells_finish(nr);
	assert_int_equal(nr_destroy(NULL), 0);
	ops = cells_ops;
	ops.clone = NULL;
	nr = cells_make(&ops, 0, 1);
	assert_int_equal(nr_replica_add(nr, 0), -ENOTSUP);
	cells_finish(nr);
}

/* A program that knows more of a structure asks for nothing there, or fails. */
static void longer_structures(void **state)
{
	struct {
		struct nr_ops v;
		unsigned char more[8];
	} ops = { cells_ops, { 0 } };
	struct {
		struct nr_attr v;
		unsigned char more[8];
	} attr = { NR_ATTR_INIT, { 0 } };
	struct {
		struct nr_context_attr v;
		unsigned char more[8];
	} cattr = { NR_CONTEXT_ATTR_INIT, { 0 } };
	struct nr_context *c;
	struct nr *nr;

	(void)state;
	ops.v.size = sizeof(ops);
	attr.v.size = sizeof(attr);
	cattr.v.size = SIZE_MAX; /* nothing is read there */
	assert_int_equal(nr_create(&ops.v, (void *)&cattr, &nr), -E2BIG);
	cattr.v.size = sizeof(cattr);
	ops.more[4] = 1;
	assert_int_equal(nr_create(&ops.v, &attr.v, &nr), -E2BIG);
	ops.more[4] = 0;
	attr.more[0] = 1;
	assert_int_equal(nr_create(&ops.v, &attr.v, &nr), -E2BIG);
	attr.more[0] = 0;
	attr.v.reserved = 1;
	assert_int_equal(nr_create(&ops.v, &attr.v, &nr), -EINVAL);
	attr.v.reserved = 0;
	assert_int_equal(nr_create(&ops.v, &attr.v, &nr), 0);
	cattr.more[2] = 1;
	assert_int_equal(nr_register(nr, &cattr.v, &c), -E2BIG);
	cattr.more[2] = 0;
	assert_int_equal(nr_register(nr, &cattr.v, &c), 0);
	nr_leave(c);
	cells_finish(nr);
}

/* Nothing of what programs share with the library lies between fields. */
static void no_padding(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct nr_attr),
			 offsetof(struct nr_attr, reserved) + 4);
	assert_int_equal(sizeof(struct nr_place),
			 offsetof(struct nr_place, reserved) + 4);
	assert_int_equal(sizeof(struct nr_context_attr),
			 offsetof(struct nr_context_attr, depth) + 4);
	assert_int_equal(sizeof(struct nr_replica_stats),
			 offsetof(struct nr_replica_stats, parks) + 8);
}

/* ---- layout ------------------------------------------------------------- */

#define LINE_OF(type, member) (offsetof(type, member) / NR_LINE)

/* Words that are written often, by whom others do not wait for, are not on the
 * line of anything else that is. docs/libnr.md counts on it. */
static void hot_words_apart(void **state)
{
	static const size_t log[] = { LINE_OF(struct log, size),
				      LINE_OF(struct log, head),
				      LINE_OF(struct log, tail),
				      LINE_OF(struct log, ctail) };
	static const size_t replica[] = { LINE_OF(struct replica, update),
					  LINE_OF(struct replica, ltail),
					  LINE_OF(struct replica, lock.gate),
					  LINE_OF(struct replica, lock.writer),
					  LINE_OF(struct replica, lock.readers),
					  LINE_OF(struct replica, contexts) };
	static const size_t context[] = { LINE_OF(struct nr_context, replica),
					  LINE_OF(struct nr_context, reader),
					  LINE_OF(struct nr_context, taken),
					  sizeof(struct nr_context) / NR_LINE };
	static const size_t nr[] = { LINE_OF(struct nr, log.size),
				     LINE_OF(struct nr, log.head),
				     LINE_OF(struct nr, log.tail),
				     LINE_OF(struct nr, log.ctail),
				     LINE_OF(struct nr, collecting) };
	static const struct {
		const size_t *lines;
		size_t n;
	} all[] = { { log, ARRAY_LEN(log) },
		    { replica, ARRAY_LEN(replica) },
		    { context, ARRAY_LEN(context) },
		    { nr, ARRAY_LEN(nr) } };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(all); k++)
		for (size_t i = 1; i < all[k].n; i++)
			assert_true(all[k].lines[i] >=
				    all[k].lines[i - 1] + NR_APART / NR_LINE);
	/* What a read needs of its own is one line, and the reader's another.*/
	assert_true(sizeof(struct reader) == NR_APART);
	assert_true(offsetof(struct nr_context, tail) < NR_LINE);
	assert_true(offsetof(struct replica, read) < NR_LINE);
	/* What a combiner counts for a batch of up to 15 is on one line. */
	assert_true(LINE_OF(struct replica, stats.updates) ==
		    LINE_OF(struct replica, stats.batch_sizes[3]));
	assert_true(sizeof(struct item) == NR_LINE / 2);
	/* A section is told on one line, and a reader writes one. */
	assert_true(LINE_OF(struct rlock, writer) ==
		    LINE_OF(struct rlock, section));
	assert_true(offsetof(struct reader, lock) < NR_LINE);
}

/* An entry, and a slot, of a short operation are one line each. */
static void entries_are_lines(void **state)
{
	struct nr *nr = cells_make(&cells_ops, 16, 1);
	struct nr_context *c = cells_join(nr, 1, 4);

	(void)state;
	assert_int_equal(nr->log.entry_size, NR_LINE);
	assert_int_equal(nr->log.op_size, LOG_OP_SIZE);
	assert_int_equal((uintptr_t)log_entry(&nr->log, 0) % NR_LINE, 0);
	assert_ptr_equal(log_entry(&nr->log, 0), log_entry(&nr->log, 16));
	assert_int_equal(log_parity(&nr->log, 15), 1);
	assert_int_equal(log_parity(&nr->log, 16), 0);
	assert_int_equal(log_parity(&nr->log, 32), 1);
	assert_int_equal(c->slot_size, NR_LINE);
	assert_int_equal((uintptr_t)context_slot(c, 0) % NR_LINE, 0);
	assert_int_equal((uintptr_t)&c->reader % NR_APART, 0);
	nr_leave(c);
	cells_finish(nr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(longer_structures),
		cmocka_unit_test(no_padding),
		cmocka_unit_test(hot_words_apart),
		cmocka_unit_test(entries_are_lines),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
