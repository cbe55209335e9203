/* SPDX-License-Identifier: MIT */
/* nr_numa_test.c - places are the machine's, and memory lies where it should */
#include "nr_numa.h"

#include <linux/mempolicy.h>
#include <sys/syscall.h>

#include "context.h"
#include "map.h"
#include "nr_vspace.h"
#include "vspace.h"

/* ---- the machine -------------------------------------------------------- */

static void places(void **state)
{
	const char *expected = getenv("NR_TEST_PLACES");
	char text[512] = "";
	size_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < numa->n; i++) {
		const struct place *p = &numa->places[i];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d/%d",
				      i ? " " : "", p->node, p->memory);
		for (uint32_t c = set_next(&p->cpus, 0); c != UINT32_MAX;
		     c = set_next(&p->cpus, c + 1)) {
			n += (size_t)snprintf(text + n, sizeof(text) - n, ":%u",
					      c);
			numa_go_to_cpu(c);
			assert_int_equal(nr_topology_here(numa), i);
		}
	}
	numa_go(numa->n - 1);
	if (expected)
		assert_string_equal(text, expected);
}

/* The kernel has the same nodes, and gives their memory. */
static void memory(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < numa->n; i++) {
		static const enum nr_memory how[] = { NR_MEMORY_PREFERRED,
						      NR_MEMORY_BIND };

		for (size_t k = 0; k < ARRAY_LEN(how); k++) {
			size_t bytes = 16 * (size_t)getpagesize();
			void *p = mem_node_alloc(bytes, numa_memory(i), how[k]);

			assert_non_null(p);
			memset(p, 1, bytes);
			numa_lies_on(p, bytes, numa_memory(i));
			mem_node_free(p, bytes);
		}
	}
	if (numa_memory(0) < 0)
		return;
	/* Of a node that is not there: none, rather than another's. */
	for (int node = 0; node < 64; node++)
		if (!mem_node_allowed(node))
			assert_null(mem_node_alloc((size_t)getpagesize(), node,
						   NR_MEMORY_BIND));
}

/* ---- replicas ----------------------------------------------------------- */

static void replica_lies_on(const struct replica *r, int node)
{
	int mode = r->nr->attr.memory == NR_MEMORY_BIND ? MPOL_BIND
							: MPOL_PREFERRED;

	assert_int_equal(r->node, node);
	numa_is_bound(r, node, mode);
	numa_is_bound(r->object, node, mode);
	numa_is_bound(r->contexts, node, mode);
	numa_is_bound(r->lock.readers, node, mode);
	numa_lies_on(r, r->bytes, node);
	numa_lies_on(r->contexts, r->ncontexts * sizeof(void *), node);
	numa_lies_on(r->lock.readers, r->lock.n * sizeof(void *), node);
	for (uint32_t i = 0; i < r->ncontexts; i++) {
		numa_is_bound(r->contexts[i], node, mode);
		numa_lies_on(r->contexts[i], r->contexts[i]->bytes, node);
	}
}

static void nothing(void *object, const void *op, size_t len, void *result)
{
	(void)object;
	(void)op;
	(void)len;
	(void)result;
}

static int touch(void *object, void *arg)
{
	(void)arg;
	memset(object, 1, 10000);
	return 0;
}

static int touch_clone(void *object, const void *from, void *arg)
{
	(void)from;
	return touch(object, arg);
}

static const struct nr_ops plain_ops = {
	.size = sizeof(plain_ops),
	.object_size = 10000,
	.init = touch,
	.update = nothing,
	.clone = touch_clone,
};

static struct nr *plain_make(enum nr_memory how)
{
	struct nr_attr attr = NR_ATTR_INIT;
	struct nr *nr;

	attr.topology = numa_topology;
	attr.memory = how;
	assert_int_equal(nr_create(&plain_ops, &attr, &nr), 0);
	return nr;
}

/* Everything of a replica, and its contexts. */
static void replicas_that(enum nr_memory how)
{
	struct nr *nr = plain_make(how);
	struct nr_context *c[64];
	uint32_t n = 0;

	assert_true(numa->n <= ARRAY_LEN(c));
	assert_int_equal(nr_replica_add(nr, 0), numa->n + 1);
	assert_int_equal(nr_replica_remove(nr, numa->n + 1), 0);
	for (uint32_t i = 0; i < numa->n; i++) {
		struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;

		attr.replica = i + 1;
		assert_int_equal(nr_register(nr, &attr, &c[i]), 0);
	}
	for (struct replica *r = nr->replicas; r; r = r->next, n++) {
		replica_lies_on(r, numa_memory(n));
		numa_lies_on(r->object, r->object_bytes, numa_memory(n));
	}
	assert_int_equal(n, numa->n);
	while (n--)
		nr_leave(c[n]);
	assert_true(numa_has_no_policy());
	assert_int_equal(nr_destroy(nr), 0);
}

static void replicas(void **state)
{
	(void)state;
	replicas_that(NR_MEMORY_PREFERRED);
	replicas_that(NR_MEMORY_BIND);
}

/* Who does not say which replica gets that of his place. */
static void at_home(void **state)
{
	struct nr *nr = plain_make(NR_MEMORY_PREFERRED);

	(void)state;
	for (uint32_t i = 0; i < numa->n; i++) {
		struct nr_context *c;

		numa_go(i);
		assert_int_equal(nr_register(nr, NULL, &c), 0);
		assert_int_equal(nr_context_replica(c), i + 1);
		nr_leave(c);
	}
	assert_int_equal(nr_destroy(nr), 0);
	numa_go(numa->n - 1);
}

/* The log is everybody's: its pages are dealt out. */
static void log_is_dealt_out(void **state)
{
	uint64_t pages[64] = { 0 }, fewest = UINT64_MAX, most = 0;
	struct nr *nr = plain_make(NR_MEMORY_PREFERRED);
	char *at = (void *)nr->log.entries;

	(void)state;
	memset(at, 0, nr->log.bytes);
	for (size_t i = 0; i < nr->log.bytes; i += (size_t)getpagesize()) {
		int node = numa_node(at + i);

		assert_in_range(node, 0, ARRAY_LEN(pages) - 1);
		pages[node]++;
	}
	for (uint32_t i = 0; i < numa->n && numa_memory(i) >= 0; i++) {
		uint64_t n = pages[numa_memory(i)];

		fewest = n < fewest ? n : fewest;
		most = n > most ? n : most;
	}
	if (most)
		assert_true(most - fewest <= 1);
	assert_int_equal(nr_destroy(nr), 0);
}

/* ---- structures with a pool --------------------------------------------- */

/* For nr_inspect(). */
static void arena_lies(const struct arena *a, uint32_t replica)
{
	int node = numa_memory_of(replica);

	assert_true(a->n > 1);
	for (uint32_t i = 0; i < a->n; i++) {
		numa_is_bound(arena_chunk(a, i), node, MPOL_PREFERRED);
		numa_lies_on(arena_chunk(a, i), a->chunks[i].units * ARENA_UNIT,
			     node);
	}
}

static int table_lies(uint32_t replica, const void *object, void *arg)
{
	const struct table *t = object;

	arena_lies(&t->arena, replica);
	numa_is_bound(t->buckets, numa_memory_of(replica), MPOL_PREFERRED);
	numa_lies_on(t->buckets, table_bytes(t->bits), numa_memory_of(replica));
	++*(uint32_t *)arg;
	return 0;
}

static void map(void **state)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr base = NR_ATTR_INIT;
	static const char value[24];
	struct nr_map_context *c;
	struct nr_map *m;
	uint32_t seen = 0;

	(void)state;
	base.topology = numa_topology;
	attr.nr = &base;
	assert_int_equal(nr_map_create(&attr, &m), 0);
	assert_int_equal(nr_map_register(m, NULL, &c), 0);
	/* In buckets, and in the arena */
	for (uint32_t i = 0; i < 20000; i++)
		assert_int_equal(nr_map_put(c, &i, sizeof(i), value,
					    i % 2 ? sizeof(value) : 4, 0),
				 0);
	nr_inspect(nr_map_nr(m), table_lies, &seen);
	assert_int_equal(seen, numa->n);
	assert_int_equal(nr_map_replica_add(m, 0), numa->n + 1);
	nr_inspect(nr_map_nr(m), table_lies, &seen);
	assert_int_equal(seen, 2 * numa->n + 1);
	assert_true(numa_has_no_policy());
	nr_map_leave(c);
	assert_int_equal(nr_map_destroy(m), 0);
}

static int tables_lie(uint32_t replica, const void *object, void *arg)
{
	const struct vspace *v = object;

	arena_lies(&v->tables.pages.arena, replica);
	++*(uint32_t *)arg;
	return 0;
}

static void vspace(void **state)
{
	struct nr_vspace_attr attr = NR_VSPACE_ATTR_INIT;
	struct nr_attr base = NR_ATTR_INIT;
	struct nr_vspace_context *c;
	struct nr_vspace *s;
	uint32_t seen = 0;

	(void)state;
	base.topology = numa_topology;
	attr.nr = &base;
	assert_int_equal(nr_vspace_create(&attr, &s), 0);
	assert_int_equal(nr_vspace_register(s, NULL, &c), 0);
	/* A table each. */
	for (uint64_t i = 0; i < 200; i++)
		assert_int_equal(nr_vspace_map(c, i << 21, i << 12, 4096, 4096,
					       NR_PAGE_WRITE),
				 0);
	nr_inspect(nr_vspace_nr(s), tables_lie, &seen);
	assert_int_equal(seen, numa->n);
	assert_int_equal(nr_vspace_replica_add(s, 0), numa->n + 1);
	nr_inspect(nr_vspace_nr(s), tables_lie, &seen);
	assert_int_equal(seen, 2 * numa->n + 1);
	assert_true(numa_has_no_policy());
	nr_vspace_leave(c);
	assert_int_equal(nr_vspace_destroy(s), 0);
}

/* ------------------------------------------------------------------------- */

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),	    cmocka_unit_test(memory),
		cmocka_unit_test(replicas),	    cmocka_unit_test(at_home),
		cmocka_unit_test(log_is_dealt_out), cmocka_unit_test(map),
		cmocka_unit_test(vspace),
	};
	int skip_all = numa_skip();

	return skip_all ? skip_all
			: cmocka_run_group_tests_name("numa", tests, numa_up,
						      numa_down);
}
