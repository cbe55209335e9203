/* SPDX-License-Identifier: MIT */
/*
 * nr_afar_test.c - what a structure's functions allocate lies on the replica's
 * node, whoever runs them
 */
#include "nr_numa.h"

#include <sys/mman.h>

#include "cnr.h"

/* ---- a structure that allocates ----------------------------------------- */

/* Each update takes a page, as a program's own functions would. */
struct hoarded {
	struct hoarded *next;
};

struct hoard {
	struct hoarded *of[2]; /* by class */
};

static int take_page(struct hoarded **list)
{
	struct hoarded *h =
		mmap(NULL, (size_t)getpagesize(), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (h == MAP_FAILED)
		return -ENOMEM;
	h->next = *list;
	*list = h;
	return 0;
}

static int hoard_init(void *object, void *arg)
{
	struct hoard *h = object;

	(void)arg;
	return take_page(&h->of[0]) || take_page(&h->of[1]) ? -ENOMEM : 0;
}

static void hoard_fini(void *object, void *arg)
{
	struct hoard *h = object;

	(void)arg;
	for (int i = 0; i < 2; i++)
		while (h->of[i]) {
			struct hoarded *next = h->of[i]->next;

			munmap(h->of[i], (size_t)getpagesize());
			h->of[i] = next;
		}
}

static int hoard_clone(void *object, const void *from, void *arg)
{
	const struct hoard *f = from;
	struct hoard *h = object;

	(void)arg;
	for (int i = 0; i < 2; i++)
		for (const struct hoarded *p = f->of[i]; p; p = p->next)
			if (take_page(&h->of[i]))
				return -ENOMEM;
	return 0;
}

static void hoard_update(void *object, const void *op, size_t len, void *result)
{
	struct hoard *h = object;

	(void)len;
	(void)result;
	CHECK(!take_page(&h->of[*(const unsigned char *)op]));
}

static uint64_t hoard_class(const void *op, size_t len, struct nr_classes *more)
{
	(void)len;
	(void)more;
	return *(const unsigned char *)op;
}

/* For inspecting: all pages of a replica, whose place is that of its number. */
static int hoard_lies(uint32_t replica, const void *object, void *arg)
{
	const struct hoard *h = object;
	uint64_t *pages = arg;

	for (int i = 0; i < 2; i++)
		for (struct hoarded *p = h->of[i]; p; p = p->next) {
			numa_lies_on(p, 1, numa_memory_of(replica));
			++*pages;
		}
	return 0;
}

static const struct nr_ops hoard_ops = {
	.size = sizeof(hoard_ops),
	.object_size = sizeof(struct hoard),
	.init = hoard_init,
	.fini = hoard_fini,
	.update = hoard_update,
	.clone = hoard_clone,
};

static const struct nr_cnr_ops hoard_cnr_ops = {
	.size = sizeof(hoard_cnr_ops),
	.object_size = sizeof(struct hoard),
	.init = hoard_init,
	.fini = hoard_fini,
	.update = hoard_update,
	.clone = hoard_clone,
	.update_class = hoard_class,
};

/* ---- others ------------------------------------------------------------- */

static struct nr *hoard_make(uint64_t log_size, enum nr_memory how)
{
	struct nr_attr attr = NR_ATTR_INIT;
	struct nr *nr;

	attr.topology = numa_topology;
	attr.log_size = log_size;
	attr.memory = how;
	assert_int_equal(nr_create(&hoard_ops, &attr, &nr), 0);
	return nr;
}

/*
 * Nobody on the other places calls: the log gets full, they are helped, and in
 * the end brought up to date by who looks at them, or clones one. Whoever does
 * it, what their functions allocate lies on their nodes.
 */
static void done_by_others(void **state)
{
	const unsigned char op = 0;
	struct nr *nr = hoard_make(16, NR_MEMORY_BIND);
	struct nr_context *c;
	uint64_t pages = 0;
	uint32_t extra;

	(void)state;
	assert_int_equal(nr_register(nr, NULL, &c), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(nr_update(c, &op, 1, NULL), 0);
	assert_true(numa_has_no_policy());
	nr_inspect(nr, hoard_lies, &pages);
	assert_int_equal(pages, 102 * numa->n);
	for (int i = 0; i < 10; i++)
		assert_int_equal(nr_update(c, &op, 1, NULL), 0);
	/* The first is brought up to date, and another one made of it. */
	extra = (uint32_t)nr_replica_add(nr, 0);
	assert_int_equal(extra, numa->n + 1);
	pages = 0;
	nr_inspect(nr, hoard_lies, &pages);
	assert_int_equal(pages, 112 * (numa->n + 1));
	assert_true(numa_has_no_policy());
	nr_leave(c);
	assert_int_equal(nr_destroy(nr), 0);
}

static void done_by_others_in_several_logs(void **state)
{
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_attr base = NR_ATTR_INIT;
	struct nr_cnr_context *c;
	struct nr_cnr *cnr;
	uint64_t pages = 0;

	(void)state;
	base.topology = numa_topology;
	base.log_size = 16;
	base.memory = NR_MEMORY_BIND;
	attr.nr = &base;
	attr.logs = 2;
	assert_int_equal(nr_cnr_create(&hoard_cnr_ops, &attr, &cnr), 0);
	for (struct cnr_replica *r = cnr->replicas; r; r = r->next) {
		numa_lies_on(r, r->bytes, numa_memory_of(r->id));
		numa_lies_on(r->object, r->object_bytes, numa_memory_of(r->id));
		for (uint32_t i = 0; i < cnr->nlogs; i++)
			numa_lies_on(r->parts[i], r->parts[i]->bytes,
				     numa_memory_of(r->id));
	}
	assert_int_equal(nr_cnr_register(cnr, NULL, &c), 0);
	for (int i = 0; i < 200; i++) {
		const unsigned char op = i & 1;

		assert_int_equal(nr_cnr_update(c, &op, 1, NULL), 0);
	}
	assert_true(numa_has_no_policy());
	assert_int_equal(nr_cnr_inspect(cnr, hoard_lies, &pages), 0);
	assert_int_equal(pages, 202 * numa->n);
	for (int i = 0; i < 10; i++) {
		const unsigned char op = i & 1;

		assert_int_equal(nr_cnr_update(c, &op, 1, NULL), 0);
	}
	assert_int_equal(nr_cnr_replica_add(cnr, 0), numa->n + 1);
	pages = 0;
	assert_int_equal(nr_cnr_inspect(cnr, hoard_lies, &pages), 0);
	assert_int_equal(pages, 212 * (numa->n + 1));
	assert_true(numa_has_no_policy());
	nr_cnr_leave(c);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(done_by_others),
		cmocka_unit_test(done_by_others_in_several_logs),
	};
	int skip_all = numa_skip();

	return skip_all ? skip_all
			: cmocka_run_group_tests_name("from afar", tests,
						      numa_up, numa_down);
}
