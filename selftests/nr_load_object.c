/* SPDX-License-Identifier: MIT */
/* nr_load_object.c - a structure that watches itself */
#include "nr_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nr_sched.h"

static int object_init(void *object, void *arg)
{
	struct load_object *o = object;

	(void)arg;
	o->heap = nr_test_no_memory(16) ? NULL : malloc(16);
	return o->heap ? 0 : -ENOMEM;
}

static void object_fini(void *object, void *arg)
{
	struct load_object *o = object;

	(void)arg;
	free(o->heap);
}

static void enter(struct load_object *o)
{
	if (o->busy++)
		sched_fail("two are inside");
	nr_test_point();
}

static int is_padded(const struct load_op *op)
{
	for (size_t i = 0; i < sizeof(op->pad); i++)
		if (op->pad[i] != (unsigned char)op->id)
			return 0;
	return 1;
}

static void object_update(void *object, const void *bytes, size_t len,
			  void *result)
{
	struct load_object *o = object;
	const struct load_op *op = bytes;
	struct load_result *r = result;
	uint64_t *cell;

	if (len != sizeof(*op) && len != offsetof(struct load_op, pad))
		sched_fail("an operation of %zu bytes", len);
	if (len == sizeof(*op) && !is_padded(op))
		sched_fail("an operation has been overwritten");
	enter(o);
	cell = &o->cells[op->cell % LOAD_CELLS];
	if (r)
		r->value = *cell;
	*cell = op->kind == LOAD_SET ? op->value : *cell + op->value;
	nr_test_point();
	if (r)
		r->at = o->version;
	o->hash = (o->hash ^ op->id) * UINT64_C(0x100000001b3) + op->value;
	o->version++;
	nr_test_point();
	o->busy--;
}

static void object_read(const void *object, const void *bytes, size_t len,
			void *result)
{
	const struct load_object *o = object;
	const struct load_op *op = bytes;
	struct load_result *r = result;

	(void)len;
	if (o->busy)
		sched_fail("a read beside an update");
	r->at = o->version;
	nr_test_point();
	r->value = o->cells[op->cell % LOAD_CELLS];
	nr_test_point();
	if (o->busy || o->version != r->at)
		sched_fail("an update beside a read");
}

static int object_clone(void *object, const void *from, void *arg)
{
	const struct load_object *f = from;
	struct load_object *o = object;
	int err = object_init(o, arg);

	if (err)
		return err;
	if (f->busy)
		sched_fail("cloned in an update");
	o->version = f->version;
	nr_test_point();
	o->hash = f->hash;
	memcpy(o->cells, f->cells, sizeof(o->cells));
	nr_test_point();
	if (o->version != f->version)
		sched_fail("an update while it is cloned");
	return 0;
}

static void object_batch_begin(void *object, size_t n)
{
	(void)object;
	if (!n)
		sched_fail("an empty batch");
}

const struct nr_ops load_ops = {
	.size = sizeof(load_ops),
	.object_size = sizeof(struct load_object),
	.result_size = sizeof(struct load_result),
	.init = object_init,
	.fini = object_fini,
	.update = object_update,
	.read = object_read,
	.clone = object_clone,
	.batch_begin = object_batch_begin,
	.batch_end = object_batch_begin,
};

static int model_apply(void *state, const uint64_t *op, uint64_t result)
{
	uint64_t *cell = (uint64_t *)state + op[1], was = *cell;

	if (op[0] == LOAD_SET)
		*cell = op[2];
	else if (op[0] == LOAD_ADD)
		*cell += op[2];
	return was == result;
}

const struct history_model load_model = {
	.size = LOAD_CELLS * sizeof(uint64_t),
	.apply = model_apply,
};

struct equal {
	uint64_t updates;
	uint64_t hash;
	int first;
	char wrong[128];
};

static int inspect(uint32_t replica, const void *object, void *arg)
{
	const struct load_object *o = object;
	struct equal *e = arg;

	if (e->first)
		e->hash = o->hash;
	e->first = 0;
	if (o->version == e->updates && o->hash == e->hash)
		return 0;
	snprintf(e->wrong, sizeof(e->wrong),
		 "replica %u has applied %llu of %llu updates%s", replica,
		 (unsigned long long)o->version, (unsigned long long)e->updates,
		 o->hash == e->hash ? "" : ", and differs");
	return 1;
}

const char *load_equal(struct nr *nr, uint64_t updates)
{
	static struct equal e;

	e = (struct equal){ .updates = updates, .first = 1 };
	return nr_inspect(nr, inspect, &e) ? e.wrong : NULL;
}
