/* SPDX-License-Identifier: MIT */
#include "nr_cells.h"

#include "testlib.h"

int cells_alive;
int cells_replays;

static int cells_init(void *object, void *arg)
{
	struct cells *c = object;

	for (size_t i = 0; i < sizeof(*c); i++)
		assert_int_equal(((char *)object)[i], 0);
	assert_int_equal((uintptr_t)object % 64, 0);
	c->fails = arg;
	if (arg && *c->fails)
		return *c->fails;
	cells_alive++;
	return 0;
}

static void cells_fini(void *object, void *arg)
{
	(void)object;
	(void)arg;
	cells_alive--;
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
		cells_replays++;
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

const struct nr_ops cells_ops = {
	.size = sizeof(cells_ops),
	.object_size = sizeof(struct cells),
	.result_size = 8,
	.init = cells_init,
	.fini = cells_fini,
	.update = cells_update,
	.read = cells_read,
	.clone = cells_clone,
};

struct nr *cells_make(const struct nr_ops *ops, uint64_t log_size,
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

struct nr_context *cells_join(struct nr *nr, uint32_t replica, uint32_t depth)
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

uint64_t cells_set(struct nr_context *c, uint64_t cell, uint64_t value)
{
	uint64_t op[2] = { cell, value }, was = UINT64_MAX;

	assert_int_equal(nr_update(c, op, sizeof(op), &was), 0);
	return was;
}

uint64_t cells_get(struct nr_context *c, uint64_t cell)
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

void cells_finish(struct nr *nr)
{
	struct nr_stats stats = { .size = sizeof(stats) };
	struct compare c = { .n = 0 };

	assert_int_equal(nr_inspect(nr, compare, &c), 0);
	assert_int_equal(nr_stats(nr, &stats, NULL, 0), 0);
	assert_int_equal(c.n, stats.replicas);
	assert_true(c.first.updates == stats.log_ctail);
	assert_int_equal(nr_destroy(nr), 0);
	assert_int_equal(cells_alive, 0);
}
