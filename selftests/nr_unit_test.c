/* SPDX-License-Identifier: MIT */
/* nr_unit_test.c - what one thread can see of libnr; topologies; layout */
#include "testlib.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "context.h"
#include "nr_stats.h"
#include "topology.h"

/* ---- a structure: cells of 64 bits -------------------------------------- */

#define CELLS 16

struct cells {
	uint64_t v[CELLS];
	uint64_t updates;
	int *fails; /* the next init or clone: returns this */
};

static int alive; /* structures that have been made and not ended */
static int replays, begins;
static size_t begun;

static int cells_init(void *object, void *arg)
{
	struct cells *c = object;

	for (size_t i = 0; i < sizeof(*c); i++)
		assert_int_equal(((char *)object)[i], 0);
	assert_int_equal((uintptr_t)object % 64, 0);
	c->fails = arg;
	if (arg && *c->fails)
		return *c->fails;
	alive++;
	return 0;
}

static void cells_fini(void *object, void *arg)
{
	(void)object;
	(void)arg;
	alive--;
}

static int cells_clone(void *object, const void *from, void *arg)
{
	int err = cells_init(object, arg);

	if (!err)
		memcpy(object, from, sizeof(struct cells));
	return err;
}

/* { cell, value, filling }: the filling must be the cell's number */
static void cells_update(void *object, const void *op, size_t len, void *result)
{
	struct cells *c = object;
	const uint64_t *w = op;

	assert_int_equal((uintptr_t)op % 8, 0);
	for (size_t i = 2; i < len / 8; i++)
		assert_true(w[i] == w[0]);
	if (result)
		memcpy(result, &c->v[w[0] % CELLS], 8);
	else
		replays++;
	c->v[w[0] % CELLS] = w[1];
	c->updates++;
}

static void cells_read(const void *object, const void *op, size_t len,
		       void *result)
{
	const struct cells *c = object;

	(void)len;
	*(uint64_t *)result = c->v[*(const uint64_t *)op % CELLS];
}

static void cells_begin(void *object, size_t n)
{
	(void)object;
	begins++;
	begun += n;
}

static const struct nr_ops cells_ops = {
	.size = sizeof(cells_ops),
	.object_size = sizeof(struct cells),
	.result_size = 8,
	.init = cells_init,
	.fini = cells_fini,
	.update = cells_update,
	.read = cells_read,
	.clone = cells_clone,
};

static struct nr *make(const struct nr_ops *ops, uint64_t log_size,
		       uint32_t replicas)
{
	struct nr_attr attr = NR_ATTR_INIT;
	struct nr *nr;

	attr.log_size = log_size;
	attr.replicas = replicas;
	attr.topology = "2x1";
	assert_int_equal(nr_create(ops, &attr, &nr), 0);
	return nr;
}

static struct nr_context *join(struct nr *nr, uint32_t replica, uint32_t depth)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_context *c;

	attr.replica = replica;
	attr.depth = depth;
	assert_int_equal(nr_register(nr, &attr, &c), 0);
	if (replica)
		assert_int_equal(nr_context_replica(c), replica);
	return c;
}

static uint64_t set(struct nr_context *c, uint64_t cell, uint64_t value)
{
	uint64_t op[2] = { cell, value }, was = UINT64_MAX;

	assert_int_equal(nr_update(c, op, sizeof(op), &was), 0);
	return was;
}

static uint64_t get(struct nr_context *c, uint64_t cell)
{
	uint64_t value = UINT64_MAX;

	assert_int_equal(nr_read(c, &cell, sizeof(cell), &value), 0);
	return value;
}

struct compare {
	struct cells first;
	uint32_t n;
};

static int compare(uint32_t replica, const void *object, void *arg)
{
	struct compare *c = arg;

	assert_true(replica > 0);
	if (!c->n++)
		memcpy(&c->first, object, sizeof(c->first));
	return memcmp(&c->first, object, offsetof(struct cells, fails)) != 0;
}

static void finish(struct nr *nr)
{
	struct nr_stats stats = { .size = sizeof(stats) };
	struct compare c = { .n = 0 };

	assert_int_equal(nr_inspect(nr, compare, &c), 0);
	assert_int_equal(nr_stats(nr, &stats, NULL, 0), 0);
	assert_int_equal(c.n, stats.replicas);
	assert_true(c.first.updates == stats.log_ctail);
	assert_int_equal(nr_destroy(nr), 0);
	assert_int_equal(alive, 0);
}

/* ---- operations --------------------------------------------------------- */

static void updates_and_reads(void **state)
{
	struct nr *nr = make(&cells_ops, 0, 2);
	struct nr_context *a = join(nr, 1, 0), *b = join(nr, 2, 0);
	uint64_t op[2] = { 3, 9 };

	(void)state;
	assert_true(set(a, 3, 7) == 0);
	assert_true(get(b, 3) == 7);
	assert_true(set(b, 3, 8) == 7);
	assert_true(get(a, 3) == 8);
	/* A result that nobody wants is asked of nobody. */
	replays = 0;
	assert_int_equal(nr_update(a, op, sizeof(op), NULL), 0);
	assert_int_equal(replays, 1);
	nr_sync(b);
	assert_int_equal(replays, 2);
	nr_sync(b);
	assert_int_equal(replays, 2);
	nr_leave(a);
	nr_leave(b);
	finish(nr);
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
		a = join(nr, 1, 4);
		b = join(nr, 2, 4);
		for (size_t n = 2; n <= ARRAY_LEN(op); n += n / 4 + 1) {
			for (size_t i = 0; i < n; i++)
				op[i] = n;
			assert_int_equal(
				nr_update(n & 1 ? a : b, op, 8 * n, NULL), 0);
			assert_true(get(n & 2 ? a : b, n) == n);
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
		finish(nr);
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
	c = join(nr, 0, 0);
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
	c = join(nr, 0, 0);
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
	struct nr *nr = make(&cells_ops, 64, 1);
	struct nr_context *c = join(nr, 1, 3); /* rounded up to 4 */
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
	assert_true(get(c, 1) == 0);
	assert_int_equal(nr_poll(c, tags, 0), 0);
	assert_int_equal(nr_poll(c, tags, 1), 1);
	assert_true(tags[0] == 50 && was[0] == 0);
	assert_true(get(c, 1) == 13);
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
	assert_true(set(c, 1, 31) == 30);
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
	c = join(nr, 0, 0);
	assert_true(get(c, 1) == 33);
	nr_leave(c);
	finish(nr);
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
	c = join(nr, 0, 0);
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
	struct nr *nr = make(&cells_ops, 64, 1);
	struct nr_context *c = join(nr, 1, 4);
	uint64_t op[2] = { 1, 5 }, tag = 0;

	(void)state;
	assert_int_equal(nr_submit(c, op, sizeof(op), NULL, 77), 0);
	for (uint64_t i = 0; i < 100; i++)
		assert_true(set(c, 1, i + 6) == i + 5);
	assert_int_equal(nr_wait(c, &tag, 1, 1), 1);
	assert_true(tag == 77);
	nr_leave(c);
	finish(nr);
}

/* Who combines for himself serves others, too, however small batches are. */
static void others_are_served(void **state)
{
	struct nr *nr = make(&cells_ops, 4, 1);
	struct nr_context *a = join(nr, 1, 4), *b = join(nr, 1, 4);
	uint64_t op[2] = { 1, 5 };

	(void)state;
	assert_int_equal(nr->attr.batch, 1);
	assert_int_equal(nr_submit(b, op, sizeof(op), NULL, 0), 0);
	set(a, 2, 2);
	assert_true(get(a, 1) == 5);
	assert_int_equal(nr_wait(b, NULL, 1, 1), 1);
	nr_leave(a);
	nr_leave(b);
	finish(nr);
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
	nr = make(&ops, 64, 1);
	c = join(nr, 0, 16);
	begins = 0;
	begun = 0;
	for (int i = 0; i < 10; i++)
		nr_submit(c, op, sizeof(op), NULL, 0);
	assert_int_equal(nr_wait(c, NULL, 10, 10), 10);
	assert_int_equal(begins, 2);
	assert_int_equal(begun, 20);
	nr_leave(c);
	finish(nr);
}

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
	assert_int_equal(alive, 0);
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
	assert_int_equal(alive, 1);
	assert_int_equal(nr_replica_remove(nr, 1), -EBUSY); /* the last */
	assert_int_equal(nr_replica_remove(nr, 2), -ENOENT);
	fails = 0;
	c = join(nr, 0, 0);
	assert_int_equal(nr_destroy(nr), -EBUSY);
	nr_leave(c);
	nr_leave(NULL);
	finish(nr);
	assert_int_equal(nr_destroy(NULL), 0);
	ops = cells_ops;
	ops.clone = NULL;
	nr = make(&ops, 0, 1);
	assert_int_equal(nr_replica_add(nr, 0), -ENOTSUP);
	finish(nr);
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
	finish(nr);
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

/* ---- replicas ----------------------------------------------------------- */

static void late_replicas(void **state)
{
	struct nr *nr = make(&cells_ops, 4, 1);
	struct nr_context *a = join(nr, 1, 0), *b;
	int id;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		set(a, i, i);
	assert_int_equal(nr_topology_places(nr_topology_of(nr)), 2);
	assert_int_equal(nr_replica_add(nr, 2), -EINVAL);
	/* what it starts with was collected long ago */
	id = nr_replica_add(nr, 1);
	assert_int_equal(id, 2);
	b = join(nr, 2, 0);
	assert_true(get(b, 99) == 99);
	assert_true(set(b, 1, 5) == 97);
	assert_true(get(a, 1) == 5);
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
	finish(nr);
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
		c[i] = join(nr, 0, 0);
		set(c[i], i, i);
	}
	assert_int_equal(nr_stats(nr, &stats, r, 3), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(r[i].contexts, 20);
	for (size_t i = 0; i < ARRAY_LEN(c); i += 2)
		nr_leave(c[i]);
	for (size_t i = 1; i < ARRAY_LEN(c); i += 2) {
		assert_true(get(c[i], 59) == 59);
		nr_leave(c[i]);
	}
	finish(nr);
}

/* A replica on which nobody calls is brought forward by others. */
static void an_idle_replica(void **state)
{
	struct nr_replica_stats r[2] = { { .size = sizeof(r[0]) } };
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr *nr = make(&cells_ops, 64, 2);
	struct nr_context *a = join(nr, 1, 0), *idle = join(nr, 2, 0);

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		set(a, i, i);
	assert_int_equal(nr_stats(nr, &stats, r, 2), 2);
	assert_true(r[1].helped > 0 && r[0].helped == 0);
	assert_true(r[1].lag <= 64 && r[1].applied >= 1000 - 64);
	assert_true(get(idle, 999) == 999);
	nr_leave(a);
	nr_leave(idle);
	finish(nr);
}

static void statistics(void **state)
{
	struct nr_replica_stats r[3] = { { .size = sizeof(r[0]) } };
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr *nr = make(&cells_ops, 64, 2);
	struct nr_context *a = join(nr, 1, 16);
	uint64_t op[2] = { 1, 1 };

	(void)state;
	for (int i = 0; i < 5; i++)
		set(a, 1, 1);
	get(a, 1);
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
	finish(nr);
}

/* What @print writes, without what came before. */
static const char *printed(char *buf, size_t size, const struct nr_stats *s,
			   const struct nr_replica_stats *r, unsigned n,
			   unsigned flags)
{
	FILE *f = fmemopen(buf, size, "w");

	assert_non_null(f);
	assert_int_equal(nr_stats_print(f, s, r, n, flags), 0);
	assert_int_equal(fclose(f), 0);
	return buf;
}

static void printing(void **state)
{
	struct nr_replica_stats r[2] = { { .size = sizeof(r[0]) } };
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr *nr = make(&cells_ops, 64, 2);
	struct nr_context *a = join(nr, 1, 0);
	char buf[4096];
	FILE *full;

	(void)state;
	set(a, 1, 1);
	set(a, 1, 2);
	get(a, 1);
	nr_leave(a);
	assert_int_equal(nr_stats(nr, &stats, r, 2), 2);
	assert_string_equal(
		printed(buf, sizeof(buf), &stats, r, 2, NR_PRINT_JSON),
		"{\"log\":{\"size\":64,\"head\":0,\"ctail\":2,\"tail\":2},"
		"\"replicas\":[{\"replica\":1,\"place\":0,\"contexts\":0,"
		"\"lag\":0,\"applied\":2,\"updates\":2,\"reads\":1,"
		"\"batches\":2,\"catch_ups\":0,\"helped\":0,\"collects\":0,"
		"\"full\":0,\"yields\":0,\"parks\":0,\"batch_sizes\":[2]},"
		"{\"replica\":2,\"place\":1,\"contexts\":0,\"lag\":2,"
		"\"applied\":0,\"updates\":0,\"reads\":0,\"batches\":0,"
		"\"catch_ups\":0,\"helped\":0,\"collects\":0,\"full\":0,"
		"\"yields\":0,\"parks\":0,\"batch_sizes\":[]}]}\n");
	assert_string_equal(
		printed(buf, sizeof(buf), &stats, r, 1, 0),
		"log: 2 updates, 2 done, 2 of 64 entries in use, 2 replicas\n"
		"replica 1 on place 0: 0 contexts, 2 applied, 0 behind\n"
		"  1 read; 2 updates in 2 batches (of 1: 2)\n"
		"  caught up 0, was helped 0, looked for room 0, log full 0; "
		"yielded 0, slept 0\n");
	/* From a program that knew less. */
	stats.size = offsetof(struct nr_stats, log_tail);
	r[0].size = offsetof(struct nr_replica_stats, lag);
	assert_string_equal(
		printed(buf, sizeof(buf), &stats, r, 1, NR_PRINT_JSON),
		"{\"log\":{\"size\":64,\"head\":0,\"ctail\":2},\"replicas\":["
		"{\"replica\":1,\"place\":0,\"contexts\":0,\"batch_sizes\":[]}"
		"]}\n");
	/* From one that knew nothing. */
	stats.size = r[0].size = sizeof(size_t);
	assert_string_equal(
		printed(buf, sizeof(buf), &stats, r, 1, NR_PRINT_JSON),
		"{\"log\":{},\"replicas\":[{\"batch_sizes\":[]}]}\n");
	full = fopen("/dev/full", "w");
	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	assert_int_equal(nr_stats_print(full, &stats, r, 1, 0), -EIO);
	assert_int_equal(nr_stats_print(stdout, &stats, r, 1, 2), -EINVAL);
	r[0].size = 0;
	assert_int_equal(nr_stats_print(stdout, &stats, r, 1, 0), -EINVAL);
	assert_int_equal(nr_stats_print(stdout, &stats, NULL, 1, 0), -EINVAL);
	stats.size = 0;
	assert_int_equal(nr_stats_print(stdout, &stats, NULL, 0, 0), -EINVAL);
	fclose(full);
	finish(nr);
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
	struct nr *nr = make(&cells_ops, 16, 1);
	struct nr_context *c = join(nr, 1, 4);

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
	finish(nr);
}

/* ---- memory ------------------------------------------------------------- */

/* The node that the page of @p is on, and its policy. */
static int node_of(void *p, int *mode)
{
	int node = -1;

	*(volatile char *)p = *(volatile char *)p;
	if (syscall(SYS_get_mempolicy, &node, NULL, 0, p,
		    MPOL_F_NODE | MPOL_F_ADDR) ||
	    syscall(SYS_get_mempolicy, mode, NULL, 0, p, MPOL_F_ADDR))
		return -errno;
	return node;
}

static void memory_is_local(void **state)
{
	static const enum nr_memory how[] = { NR_MEMORY_PREFERRED,
					      NR_MEMORY_BIND };
	static const int modes[] = { MPOL_PREFERRED, MPOL_BIND };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct nr_attr attr = NR_ATTR_INIT;
		struct nr_context *c;
		struct nr *nr;

		attr.memory = how[i];
		assert_int_equal(nr_create(&cells_ops, &attr, &nr), 0);
		for (struct replica *r = nr->replicas; r; r = r->next) {
			int want = nr->topology->places[r->place].memory;
			void *parts[] = { r,	r->object, r->items,
					  NULL, NULL,	   NULL };
			int mode = -1, node;

			c = join(nr, r->id, 0);
			parts[3] = c;
			parts[4] = r->contexts;
			parts[5] = r->lock.readers;
			for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
				node = node_of(parts[k], &mode);
				if (want < 0 || node == -ENOSYS ||
				    node == -EPERM) {
					nr_leave(c);
					nr_destroy(nr);
					skip();
				}
				assert_int_equal(node, want);
				assert_int_equal(mode, modes[i]);
			}
			nr_leave(c);
		}
		finish(nr);
	}
}

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
	nr = make(&ops, 4, 2);
	/* The machine may have one node: as if we were on none. */
	nr->replicas->node = -1;
	nr->replicas->next->node = 0;
	*(uint64_t *)nr->replicas->next->object = 1;
	c = join(nr, 1, 0);
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

/* ---- topology ----------------------------------------------------------- */

static char root[64];

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, dir);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/%s/%s", root, dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void node(int id, const char *cpus, int memory, const char *distance)
{
	char dir[32], text[128];

	snprintf(dir, sizeof(dir), "node%d", id);
	write_file(dir, "cpulist", cpus);
	snprintf(text, sizeof(text),
		 "Node %d MemTotal: %14d kB\nNode %d MemFree: 4 kB\n", id,
		 memory, id);
	write_file(dir, "meminfo", text);
	if (distance)
		write_file(dir, "distance", distance);
}

static int root_up(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/skynr-XXXXXX");
	return !mkdtemp(root);
}

static int root_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

/* Nodes that the test says this process may have memory of. */
static uint64_t nodes;

static int memory_of_test(int id)
{
	return id < 64 && (nodes >> id & 1);
}

/* "node/memory:cpus node/memory:cpus" */
static void expect(const char *spec, const char *allowed, const char *what)
{
	struct set cpus = { NULL, 0 };
	struct nr_topology *t = NULL;
	char text[512] = "";
	size_t n = 0;
	int err;

	assert_int_equal(set_parse(&cpus, allowed, NULL), 0);
	err = topology_of(root, &cpus, memory_of_test, spec, &t);
	set_free(&cpus);
	if (err)
		n = (size_t)snprintf(text, sizeof(text), "%s", strerror(-err));
	for (uint32_t i = 0; !err && i < t->n; i++) {
		const struct place *p = &t->places[i];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d/%d",
				      i ? " " : "", p->node, p->memory);
		for (uint32_t c = set_next(&p->cpus, 0); c != UINT32_MAX;
		     c = set_next(&p->cpus, c + 1))
			n += (size_t)snprintf(text + n, sizeof(text) - n, ":%u",
					      c);
	}
	nr_topology_close(t);
	assert_string_equal(text, what);
}

static void machines(void **state)
{
	(void)state;
	/* none that it tells of */
	expect(NULL, "0-2", "-1/-1:0:1:2");
	expect("2x1", "0-2", "-1/-1:0 -1/-1:1");
	nodes = 1;
	write_file(".", "online", "0\n");
	node(0, "0-3\n", 1000, "10\n");
	expect(NULL, "0-3", "0/0:0:1:2:3");
	expect(NULL, "1,3,9", "0/0:1:3");
	/* the second has no memory: its CPUs belong to the first */
	write_file(".", "online", "0-1\n");
	node(1, "4-5\n", 0, "20 10\n");
	expect(NULL, "0-5", "0/0:0:1:2:3:4:5");
	expect(NULL, "4", "1/0:4");
	/* the second has no CPUs: it is no place */
	node(1, "\n", 1000, "20 10\n");
	expect(NULL, "0-5", "0/0:0:1:2:3");
	/* sparse numbers, and memory that this process may not have */
	write_file(".", "online", "0,37\n");
	node(37, "6,8\n", 1000, "20 10\n");
	expect(NULL, "0-9", "0/0:0:1:2:3:6:8");
	nodes |= UINT64_C(1) << 37;
	expect(NULL, "0-9", "0/0:0:1:2:3 37/37:6:8");
	/* of none: then no node is believed to have any */
	nodes = 0;
	expect(NULL, "0-9", "0/-1:0:1:2:3:6:8");
	nodes = 1;
	/* nonsense instead of lists */
	write_file(".", "online", "zero\n");
	expect(NULL, "0-1", "-1/-1:0:1");
	write_file(".", "online", "0-1\n");
	node(1, "5-4\n", 1000, "20\n");
	expect(NULL, "0-5", "0/0:0:1:2:3");
}

/* Which of several that have memory is nearest. */
static void nearest(void **state)
{
	struct nr_place place = { .size = sizeof(place) };
	struct set cpus = { NULL, 0 };
	struct nr_topology *t;

	(void)state;
	write_file(".", "online", "0-3\n");
	node(0, "0\n", 1000, "10 20 30 12\n");
	node(1, "1\n", 1000, "20 10 15 20\n");
	node(2, "2\n", 0, "30 15 10 25\n");
	node(3, "3\n", 1000, "12 20 25 10\n");
	/* The third has none: the second is nearest, not the first. */
	nodes = 0xf;
	expect(NULL, "0-3", "0/0:0 1/1:1:2 3/3:3");
	/* Memory that is near, but forbidden: then the fourth's. */
	nodes = 0x9;
	expect(NULL, "0-3", "0/0:0:1 3/3:2:3");
	nodes = 0x3;
	expect(NULL, "0-3", "0/0:0:3 1/1:1:2");
	/* Distances that are not there: the first that has some. */
	nodes = 0xf;
	node(2, "2\n", 0, "\n");
	expect(NULL, "0-3", "0/0:0:2 1/1:1 3/3:3");
	write_file(".", "online", "0\n");
	nodes = 1;
	assert_int_equal(set_parse(&cpus, "0-1", NULL), 0);
	assert_int_equal(topology_of(root, &cpus, memory_of_test, "0/1", &t),
			 0);
	set_free(&cpus);
	assert_int_equal(nr_topology_places(t), 2);
	assert_int_equal(nr_topology_place(t, 1, &place), 0);
	assert_true(place.cpus == 1);
	assert_int_equal(nr_topology_place(t, 2, &place), -ENOENT);
	place.size = 0;
	assert_int_equal(nr_topology_place(t, 0, &place), -EINVAL);
	nr_topology_close(t);
}

static void specs(void **state)
{
	(void)state;
	nodes = 1;
	write_file(".", "online", "0\n");
	node(0, "0-3\n", 1000, "10\n");
	expect("1x1", "0-3", "0/0:0");
	expect("2x2", "0-3", "0/0:0:1 0/0:2:3");
	expect("2x1", "2", "0/0:2 0/0:2");
	expect("2x3", "0-3", "0/0:0:1:2 0/0:0:1:3");
	expect("1x1000000", "0-3", "0/0:0:1:2:3");
	expect("0-1,3/2", "0-3", "0/0:0:1:3 0/0:2");
	expect("0/77", "0-3", "0/0:0 -1/-1:77");
	expect("0/0", "0-3", "0/0:0 0/0:0");
	for (size_t i = 0; i < 16; i++) {
		static const char *const bad[] = {
			"x",	"2x",	"x2",	   "0x1", "1x0", "-1x1",
			"1x-1", "2x1 ", "2x1/0",   "0/",  "/0",	 "0//1",
			"0,/1", "1-0",	"1048576", "a",
		};

		expect(bad[i], "0-3", "Invalid argument");
	}
}

static void here(void **state)
{
	struct nr_topology *t;

	(void)state;
	assert_int_equal(nr_topology_open(NULL, &t), 0);
	assert_true(nr_topology_places(t) >= 1);
	assert_true(nr_topology_here(t) < nr_topology_places(t));
	nr_topology_close(t);
	assert_int_equal(setenv("NR_TOPOLOGY", "3x1", 1), 0);
	assert_int_equal(nr_topology_open(NULL, &t), 0);
	assert_int_equal(nr_topology_places(t), 3);
	nr_topology_close(t);
	assert_int_equal(nr_topology_open("1x1", &t), 0);
	assert_int_equal(nr_topology_places(t), 1);
	nr_topology_close(t);
	assert_int_equal(setenv("NR_TOPOLOGY", "3y1", 1), 0);
	assert_int_equal(nr_topology_open(NULL, &t), -EINVAL);
	assert_int_equal(unsetenv("NR_TOPOLOGY"), 0);
	if (cpus_allowed() < 2)
		return;
	assert_int_equal(nr_topology_open("2x1", &t), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pin_to(i), 0);
		assert_int_equal(nr_topology_here(t), i);
	}
	nr_topology_close(t);
	assert_int_equal(pin_to(-1), 0);
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
		cmocka_unit_test(refusals),
		cmocka_unit_test(longer_structures),
		cmocka_unit_test(no_padding),
		cmocka_unit_test(late_replicas),
		cmocka_unit_test(many_contexts),
		cmocka_unit_test(an_idle_replica),
		cmocka_unit_test(statistics),
		cmocka_unit_test(printing),
		cmocka_unit_test(hot_words_apart),
		cmocka_unit_test(entries_are_lines),
		cmocka_unit_test(memory_is_local),
		cmocka_unit_test(policy_is_restored),
		cmocka_unit_test_setup_teardown(machines, root_up, root_down),
		cmocka_unit_test_setup_teardown(nearest, root_up, root_down),
		cmocka_unit_test_setup_teardown(specs, root_up, root_down),
		cmocka_unit_test(here),
	};

	return cmocka_run_group_tests_name("nr", tests, NULL, NULL);
}
