/* SPDX-License-Identifier: MIT */
/*
 * nr_vspace_test.c - the replicated address space, against an array; by
 * threads, some of which walk without a lock and keep what they find
 */
#include "nr_pagetable_model.h"

#include <pthread.h>
#include <stdatomic.h>

#include "nr_vspace_equal.h"

static struct nr_vspace *make(uint64_t log_size,
			      const struct nr_page_memory *memory)
{
	struct nr_vspace_attr attr = NR_VSPACE_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_vspace *space;

	nr.topology = "2x1";
	nr.log_size = log_size;
	attr.nr = &nr;
	attr.memory = memory;
	assert_int_equal(nr_vspace_create(&attr, &space), 0);
	return space;
}

static struct nr_vspace_context *join(struct nr_vspace *space, uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_vspace_context *c;

	attr.replica = replica;
	CHECK(nr_vspace_register(space, &attr, &c) == 0);
	return c;
}

static void basics(void **state)
{
	struct nr_vspace *space = make(0, NULL);
	struct nr_vspace_context *a = join(space, 1), *b = join(space, 2);
	uint64_t va = UINT64_C(0xffffffff80000000), e;
	struct nr_page page;

	(void)state;
	assert_int_equal(nr_vspace_resolve(a, va, &page), -ENOENT);
	assert_int_equal(nr_vspace_walk(b, va, &page), -ENOENT);
	assert_int_equal(nr_vspace_map(a, va, 0, 4095, 0, 0), -EINVAL);
	assert_int_equal(
		nr_vspace_map(a, va, 0, NR_PAGE_2M, NR_PAGE_2M, NR_PAGE_EXEC),
		0);
	assert_int_equal(nr_vspace_map(b, va, 0, 4096, 0, 0), -EEXIST);
	/* The other replica has not applied anything yet. */
	assert_int_equal(nr_vspace_walk(b, va + 5000, &page), 0);
	assert_true(page.bytes == NR_PAGE_2M && page.frame == 0 &&
		    page.rights == NR_PAGE_EXEC);
	assert_true(nr_vspace_generation(a) == 0);
	assert_int_equal(nr_vspace_unmap(a, va + 4096, 4096), 0);
	assert_true(nr_vspace_generation(a) == 1);
	/* It still walks as it was; and then it does not. */
	assert_true(nr_vspace_generation(b) == 0);
	assert_int_equal(nr_vspace_walk(b, va + 5000, &page), 0);
	assert_true(nr_vspace_settle(space) == 1);
	assert_true(nr_vspace_generation(b) == 1);
	assert_int_equal(nr_vspace_walk(b, va + 5000, &page), -ENOENT);
	assert_int_equal(nr_vspace_resolve(b, va, &page), 0);
	assert_true(page.bytes == NR_PAGE_4K);
	assert_int_equal(nr_vspace_protect(b, va, 4096, NR_PAGE_WRITE), 0);
	assert_int_equal(nr_vspace_resolve(a, va, &page), 0);
	assert_true(page.rights == NR_PAGE_WRITE);
	assert_int_equal(nr_vspace_unmap(b, va, 8), -EINVAL);
	assert_int_equal(nr_vspace_protect(b, 0, 4096, 0), -ENOENT);
	assert_int_equal(nr_vspace_unmap(b, 0, 4096), -ENOENT);
	/* Each replica has tables of its own. */
	e = nr_vspace_table(b, nr_vspace_root(b))[511];
	assert_true(e >> 52 == 1);
	assert_true(nr_vspace_table(a, nr_vspace_root(a))[511] == e);
	assert_ptr_not_equal(nr_vspace_table(a, nr_vspace_root(a)),
			     nr_vspace_table(b, nr_vspace_root(b)));
	assert_true(vspace_is_equal(space));
	assert_int_equal(nr_vspace_replica_remove(space, 1), -EBUSY);
	assert_int_equal(nr_vspace_replica_add(space, 9), -EINVAL);
	assert_int_equal(nr_vspace_destroy(space), -EBUSY);
	nr_vspace_leave(a);
	nr_vspace_leave(b);
	nr_vspace_leave(NULL);
	assert_int_equal(nr_vspace_destroy(space), 0);
	assert_int_equal(nr_vspace_destroy(NULL), 0);
}

/* ---- one thread, several replicas --------------------------------------- */

#define MASK UINT64_C(0x0003c3c3c3000000)

static uint64_t masked_phys(const void *table, void *arg)
{
	(void)arg;
	return (uint64_t)(uintptr_t)table ^ MASK;
}

static void *masked_table(uint64_t phys, void *arg)
{
	(void)arg;
	return (void *)(uintptr_t)(phys ^ MASK);
}

static void change(struct nr_vspace_context *c, struct model *m)
{
	struct model_range r = model_draw(m);

	switch (below(m, 3)) {
	case 0:
		assert_int_equal(nr_vspace_map(c, r.va, r.frame, r.len, r.bytes,
					       r.rights),
				 model_map(m, &r));
		break;
	case 1:
		assert_int_equal(nr_vspace_unmap(c, r.va, r.len),
				 model_change(m, &r, 1));
		break;
	default:
		assert_int_equal(nr_vspace_protect(c, r.va, r.len, r.rights),
				 model_change(m, &r, 0));
	}
}

static int check_each(uint32_t replica, const void *object, void *arg)
{
	(void)replica;
	(void)arg;
	check_tables(&((const struct vspace *)object)->tables);
	return 0;
}

static void check_all(struct nr_vspace *space, struct nr_vspace_context *c,
		      struct model *m)
{
	struct nr_page page;

	for (uint64_t i = 0; i < MODEL_PAGES; i += 1 + below(m, 8)) {
		uint64_t va = m->base + i * NR_PAGE_4K;

		model_check(m, va, nr_vspace_resolve(c, va, &page), &page);
	}
	assert_int_equal(nr_inspect(nr_vspace_nr(space), check_each, NULL), 0);
	assert_true(vspace_is_equal(space));
}

static void like_an_array(const struct nr_page_memory *memory)
{
	struct nr_vspace *space = make(16, memory);
	struct nr_vspace_context *c[3] = { join(space, 1), join(space, 2),
					   NULL };
	static struct model m;
	struct nr_page page;
	int id = 0;

	memset(&m, 0, sizeof(m));
	m.base = model_bases[2];
	for (unsigned n = 0; n < 2400 / slowness; n++) {
		struct nr_vspace_context *me = c[below(&m, c[2] ? 3 : 2)];

		change(me, &m);
		for (unsigned i = 0; i < 10; i++) {
			uint64_t va = m.base + below(&m, WINDOW);

			me = c[below(&m, c[2] ? 3 : 2)];
			model_check(&m, va, nr_vspace_resolve(me, va, &page),
				    &page);
			/* It is up to date now, so walks are exact. */
			model_check(&m, va, nr_vspace_walk(me, va, &page),
				    &page);
		}
		if (n % 60 == 17) {
			id = nr_vspace_replica_add(space, -1);
			c[2] = join(space, (uint32_t)id);
		}
		if (n % 60 == 50) {
			if (n % 600 == 50)
				check_all(space, c[2], &m);
			nr_vspace_leave(c[2]);
			c[2] = NULL;
			assert_int_equal(
				nr_vspace_replica_remove(space, (uint32_t)id),
				0);
		}
	}
	check_all(space, c[0], &m);
	for (int i = 0; i < 3; i++)
		nr_vspace_leave(c[i]);
	assert_int_equal(nr_vspace_destroy(space), 0);
}

static void numbers(void **state)
{
	(void)state;
	like_an_array(NULL);
}

static void addresses(void **state)
{
	struct nr_page_memory memory = { masked_phys, masked_table, NULL,
					 NULL };

	(void)state;
	like_an_array(&memory);
}

/* ---- threads ------------------------------------------------------------ */

#define CHANGERS 2
#define WALKERS 2
#define PAGES 24 /* of each changer, far apart: tables come and go */
#define ALL (CHANGERS * PAGES)
#define FOUND (2000 / slowness)

/*
 * What is mapped where is told by the frame: its page and how often that has
 * been mapped. `gone`: what is up to that must not be found any more. `there`:
 * what has to be found; 0: it is being changed.
 */
static struct {
	struct nr_vspace *space;
	_Atomic uint64_t gone[ALL], there[ALL];
	_Atomic int working, looking; /* walkers that have found little */
} run;

static uint64_t va_of(unsigned page)
{
	static const uint64_t steps[] = { NR_PAGE_4K, NR_PAGE_2M, NR_PAGE_1G,
					  UINT64_C(1) << 39 };

	/* Some share a table on each level, but no two changers a page. */
	return page % 4 * steps[0] + page / 4 % 2 * steps[1] +
	       page / 8 % 2 * steps[2] + page / 16 * steps[3];
}

static uint64_t frame_of(unsigned page, uint64_t round)
{
	return (round * ALL + page) * NR_PAGE_4K;
}

static void *change_pages(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg;
	struct nr_vspace_context *c = join(run.space, 1 + number % 2);
	uint64_t rng = number + 77, round[PAGES] = { 0 };

	/* As long as it takes for walkers to have been there. */
	for (unsigned n = 0; n < 8000 / slowness || run.looking; n++) {
		unsigned i = (unsigned)(sched_random(&rng) % PAGES);
		unsigned page = i * CHANGERS + number;

		if (round[i] % 2 == 0) {
			round[i]++;
			CHECK(nr_vspace_map(c, va_of(page),
					    frame_of(page, round[i]),
					    NR_PAGE_4K, NR_PAGE_4K,
					    NR_PAGE_WRITE) == 0);
			run.there[page] = round[i];
			continue;
		}
		run.there[page] = 0;
		if (n % 5 == 0)
			CHECK(nr_vspace_protect(c, va_of(page), NR_PAGE_4K,
						0) == 0);
		CHECK(nr_vspace_unmap(c, va_of(page), NR_PAGE_4K) == 0);
		round[i]++;
		if (n % 3 == 0) {
			nr_vspace_settle(run.space);
			run.gone[page] = round[i];
		}
	}
	nr_vspace_leave(c);
	run.working--;
	return NULL;
}

/* A TLB. */
struct seen {
	uint64_t generation;
	struct nr_page page;
	int full;
};

static int look(struct nr_vspace_context *c, struct seen *tlb, unsigned page,
		struct nr_page *found)
{
	uint64_t generation = nr_vspace_generation(c);
	int ret;

	if (tlb->full && tlb->generation == generation) {
		*found = tlb->page;
		return 0;
	}
	ret = nr_vspace_walk(c, va_of(page), found);
	*tlb = (struct seen){ generation, *found, ret == 0 };
	return ret;
}

static void *walk_pages(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg;
	struct nr_vspace_context *c = join(run.space, 1 + number % 2);
	uint64_t rng = number, found = 0;
	struct seen tlb[ALL];

	memset(tlb, 0, sizeof(tlb));
	while (run.working) {
		unsigned page = (unsigned)(sched_random(&rng) % ALL);
		uint64_t gone = run.gone[page], there = run.there[page], round;
		struct nr_page p = { 0, 0, 0, 0 };
		int ret = look(c, &tlb[page], page, &p);

		if (ret) {
			/* It was mapped before, and still is. */
			CHECK(ret == -ENOENT);
			CHECK(!there || run.there[page] != there);
			continue;
		}
		if (++found == FOUND)
			run.looking--;
		CHECK(p.bytes == NR_PAGE_4K);
		CHECK(p.frame / NR_PAGE_4K % ALL == page);
		round = p.frame / NR_PAGE_4K / ALL;
		CHECK(round > gone && round % 2);
	}
	nr_vspace_leave(c);
	return NULL;
}

static void *come_and_go(void *arg)
{
	(void)arg;
	while (run.working) {
		int id = nr_vspace_replica_add(run.space, -1);

		CHECK(id > 2);
		CHECK(nr_vspace_replica_remove(run.space, (uint32_t)id) == 0);
	}
	return NULL;
}

static void threads(void **state)
{
	pthread_t thread[CHANGERS + WALKERS + 1];
	unsigned n = 0;

	(void)state;
	memset(&run, 0, sizeof(run));
	run.space = make(64, NULL);
	run.working = CHANGERS;
	run.looking = WALKERS;
	for (uintptr_t i = 0; i < CHANGERS; i++)
		assert_int_equal(pthread_create(&thread[n++], NULL,
						change_pages, (void *)i),
				 0);
	for (uintptr_t i = 0; i < WALKERS; i++)
		assert_int_equal(pthread_create(&thread[n++], NULL, walk_pages,
						(void *)i),
				 0);
	assert_int_equal(pthread_create(&thread[n++], NULL, come_and_go, NULL),
			 0);
	while (n--)
		pthread_join(thread[n], NULL);
	assert_true(vspace_is_equal(run.space));
	assert_int_equal(nr_inspect(nr_vspace_nr(run.space), check_each, NULL),
			 0);
	assert_int_equal(nr_vspace_destroy(run.space), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(basics),
		cmocka_unit_test(numbers),
		cmocka_unit_test(addresses),
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests_name("address space", tests, NULL, NULL);
}
