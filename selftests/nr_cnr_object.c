/* SPDX-License-Identifier: MIT */
#include "nr_cnr_object.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "nr_sched.h"

struct lane {
	uint64_t hash;
	_Atomic uint32_t writers, readers;
};

struct object {
	const struct cnr_test *test;
	/* Where reads are beside updates: stored with release, loaded with
	 * acquire. Else relaxed: that is for the library to order. */
	_Atomic uint64_t cells[CNR_CELLS];
	struct lane lanes[CNR_CELLS];
};

static int object_init(void *object, void *arg)
{
	((struct object *)object)->test = arg;
	return 0;
}

static int object_clone(void *object, const void *from, void *arg)
{
	const struct object *f = from;
	struct object *o = object;

	(void)arg;
	for (unsigned i = 0; i < CNR_CELLS; i++)
		if (f->lanes[i].writers)
			sched_fail("cloned in an update");
	nr_test_point();
	memcpy(o, f, sizeof(*o));
	nr_test_point();
	/* Somebody may read it. */
	for (unsigned i = 0; i < CNR_CELLS; i++) {
		o->lanes[i].readers = 0;
		if (o->lanes[i].hash != f->lanes[i].hash)
			sched_fail("an update while it is cloned");
	}
	return 0;
}

static int all(const struct cnr_test_op *op)
{
	return op->kind == CNR_ADD_ALL || op->kind == CNR_SUM;
}

static int two(const struct cnr_test_op *op)
{
	return op->kind == CNR_MOVE || op->kind == CNR_PAIR;
}

static uint64_t class_of(const void *bytes, size_t len, struct nr_classes *more)
{
	const struct cnr_test_op *op = bytes;

	(void)len;
	if (all(op))
		return NR_CLASS_ALL;
	if (two(op))
		nr_classes_add(more, op->other);
	return op->cell;
}

/* Has @op to do with log @i? */
static int is_in(const struct object *o, const struct cnr_test_op *op,
		 uint32_t i)
{
	uint32_t logs = o->test->logs;

	return i < logs && (all(op) || op->cell % logs == i ||
			    (two(op) && op->other % logs == i));
}

/* Relaxed, so that it does not order what the library has to. */
static uint32_t inside(_Atomic uint32_t *who, int n)
{
	return atomic_fetch_add_explicit(who, (uint32_t)n,
					 memory_order_relaxed);
}

static void add(struct object *o, uint64_t cell, uint64_t value)
{
	uint64_t was =
		atomic_load_explicit(&o->cells[cell], memory_order_relaxed);

	nr_test_point();
	if (o->test->flags & NR_CNR_CONCURRENT)
		atomic_store_explicit(&o->cells[cell], was + value,
				      memory_order_release);
	else
		atomic_store_explicit(&o->cells[cell], was + value,
				      memory_order_relaxed);
	nr_test_point();
}

static uint64_t cell_of(const struct object *o, uint64_t cell)
{
	nr_test_point();
	if (o->test->flags & NR_CNR_CONCURRENT)
		return atomic_load_explicit(&o->cells[cell],
					    memory_order_acquire);
	return atomic_load_explicit(&o->cells[cell], memory_order_relaxed);
}

static uint64_t sum(const struct object *o)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < CNR_CELLS; i++)
		n += cell_of(o, i);
	return n;
}

static void object_update(void *object, const void *bytes, size_t len,
			  void *result)
{
	const struct cnr_test_op *op = bytes;
	struct object *o = object;
	int alone = !(o->test->flags & NR_CNR_CONCURRENT);

	(void)len;
	for (uint32_t i = 0; i < CNR_CELLS; i++) {
		struct lane *l = &o->lanes[i];

		if (!is_in(o, op, i))
			continue;
		if (inside(&l->writers, 1))
			sched_fail("two updates of a log");
		if (alone && inside(&l->readers, 0))
			sched_fail("an update beside a read");
		l->hash = (l->hash ^ op->value ^ op->kind << 32) *
			  UINT64_C(0x100000001b3);
	}
	if (result)
		*(uint64_t *)result = all(op) ? sum(o) : cell_of(o, op->cell);
	if (op->kind == CNR_ADD)
		add(o, op->cell, op->value);
	for (uint64_t i = 0; i < CNR_CELLS && all(op); i++)
		add(o, i, op->value);
	if (two(op)) {
		add(o, op->cell, -op->value);
		add(o, op->other, op->value);
	}
	for (uint32_t i = 0; i < CNR_CELLS; i++)
		if (is_in(o, op, i))
			inside(&o->lanes[i].writers, -1);
}

static void object_read(const void *object, const void *bytes, size_t len,
			void *result)
{
	const struct cnr_test_op *op = bytes;
	struct object *o = (struct object *)(uintptr_t)object;
	int alone = !(o->test->flags & NR_CNR_CONCURRENT) || all(op) || two(op);

	(void)len;
	for (uint32_t i = 0; i < CNR_CELLS; i++) {
		if (!is_in(o, op, i))
			continue;
		inside(&o->lanes[i].readers, 1);
		if (alone && inside(&o->lanes[i].writers, 0))
			sched_fail("a read beside an update");
	}
	if (all(op))
		*(uint64_t *)result = sum(o);
	else
		*(uint64_t *)result = cell_of(o, op->cell);
	if (two(op))
		*(uint64_t *)result = *(uint64_t *)result << 32 |
				      (uint32_t)cell_of(o, op->other);
	for (uint32_t i = 0; i < CNR_CELLS; i++)
		if (is_in(o, op, i))
			inside(&o->lanes[i].readers, -1);
}

const struct nr_cnr_ops cnr_test_ops = {
	.size = sizeof(cnr_test_ops),
	.object_size = sizeof(struct object),
	.result_size = sizeof(uint64_t),
	.init = object_init,
	.update = object_update,
	.read = object_read,
	.clone = object_clone,
	.update_class = class_of,
	.read_class = class_of,
};

/* ---- the same, one after the other -------------------------------------- */

static int apply(void *state, const uint64_t *op, uint64_t result)
{
	uint64_t *cells = state, total = 0;
	uint64_t cell = op[1] % CNR_CELLS, other = op[1] / CNR_CELLS;
	uint64_t was = cells[cell];

	for (unsigned i = 0; i < CNR_CELLS; i++)
		total += cells[i];
	switch (op[0]) {
	case CNR_ADD:
		cells[cell] += op[2];
		return result == was;
	case CNR_MOVE:
		cells[cell] -= op[2];
		cells[other] += op[2];
		return result == was;
	case CNR_ADD_ALL:
		for (unsigned i = 0; i < CNR_CELLS; i++)
			cells[i] += op[2];
		return result == total;
	case CNR_GET:
		return result == was;
	case CNR_PAIR:
		return result == (was << 32 | (uint32_t)cells[other]);
	}
	return result == total;
}

const struct history_model cnr_test_model = {
	.size = CNR_CELLS * sizeof(uint64_t),
	.apply = apply,
};

/* ---- using it ----------------------------------------------------------- */

void cnr_test_step(const struct cnr_test *test, struct nr_cnr_context *c,
		   uint64_t *random, struct cnr_test_op *op, uint64_t *result)
{
	uint64_t r = sched_random(random);
	int err;

	*op = (struct cnr_test_op){ .kind = r % CNR_KINDS,
				    .cell = (r >> 8) % CNR_CELLS,
				    .value = 1 + (r >> 32) % 1000 };
	if (test->narrow && r >> 60) {
		op->kind = r & 1 ? CNR_ADD : CNR_GET;
		op->cell = 0;
	}
	op->other = (op->cell + 1 + (r >> 16) % (CNR_CELLS - 1)) % CNR_CELLS;
	*result = UINT64_MAX;
	if (op->kind < CNR_GET)
		err = nr_cnr_update(c, op, sizeof(*op), result);
	else
		err = nr_cnr_read(c, op, sizeof(*op), result);
	if (err)
		sched_fail("operation %u: %s", (unsigned)op->kind,
			   strerror(-err));
}

void cnr_test_pair(struct nr_cnr_context *c, uint64_t *random,
		   struct cnr_test_op op[2], uint64_t result[2])
{
	uint64_t tags[2] = { 9, 9 };
	unsigned got = 0;

	for (unsigned k = 0; k < 2; k++) {
		uint64_t r = sched_random(random);

		op[k] = (struct cnr_test_op){ .kind = CNR_ADD,
					      .cell = r % CNR_CELLS,
					      .value = 1 + (r >> 8) % 1000 };
		if (nr_cnr_submit(c, &op[k], sizeof(op[k]), &result[k], k))
			sched_fail("not submitted");
	}
	while (got < 2) {
		int n = sched_random(random) % 2
				? nr_cnr_poll(c, tags + got, 2 - got)
				: nr_cnr_wait(c, tags + got, 2 - got, 1);

		if (n < 0)
			sched_fail("not reaped");
		got += (unsigned)n;
		if (!n)
			nr_test_idle();
	}
	if (tags[0] != 0 || tags[1] != 1 || nr_cnr_poll(c, tags, 1) != -ENOENT)
		sched_fail("reaped in another order");
}

static struct {
	struct object first;
	int has_first;
	char wrong[100];
} equal;

static int compare(uint32_t replica, const void *object, void *arg)
{
	const struct object *o = object;

	if (!equal.has_first)
		memcpy(&equal.first, o, sizeof(*o));
	equal.has_first = 1;
	if (sum(o) != *(uint64_t *)arg)
		snprintf(equal.wrong, sizeof(equal.wrong),
			 "replica %u: the sum is wrong", replica);
	if (memcmp((const void *)o->cells, (const void *)equal.first.cells,
		   sizeof(o->cells)))
		snprintf(equal.wrong, sizeof(equal.wrong), "replica %u differs",
			 replica);
	for (unsigned i = 0; i < CNR_CELLS; i++)
		if (o->lanes[i].hash != equal.first.lanes[i].hash)
			snprintf(equal.wrong, sizeof(equal.wrong),
				 "replica %u: another order in log %u", replica,
				 i);
	return *equal.wrong;
}

int cnr_test_same(const void *one, const void *other, uint32_t log)
{
	const struct object *a = one, *b = other;

	return a->lanes[log].hash == b->lanes[log].hash;
}

const char *cnr_test_equal(struct nr_cnr *cnr, uint64_t total)
{
	memset(&equal, 0, sizeof(equal));
	return nr_cnr_inspect(cnr, compare, &total) ? equal.wrong : NULL;
}
