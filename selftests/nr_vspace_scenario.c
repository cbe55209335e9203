/* SPDX-License-Identifier: MIT */
/*
 * nr_vspace_scenario.c - the address space under schedules
 *
 * Few places: three pages that a large one can have, too, and one that is far
 * away but in the same slot of its last table as the first; so that tables are
 * split, come and go, and are used again for another. Fibers change, resolve
 * and walk; one adds replicas and removes them. Walks that found something may
 * be late: what they found has been mapped there, and may be gone, but not for
 * those who know that all replicas have settled. A walk behind something that
 * brought the replica up to date has to be exact, and so has each that found
 * nothing.
 */
#include "nr_scenario.h"

#include <errno.h>
#include <string.h>

#include "nr_actors.h"
#include "nr_vspace_equal.h"

#define PLACES 4
#define LARGE 3 /* what a large page has: the first places */

static const uint64_t places[PLACES] = { 0, NR_PAGE_4K, 5 * NR_PAGE_4K,
					 UINT64_C(1) << 39 };
static const uint64_t low[PLACES] = { 0, 1, 5, 9 }; /* in frames */
#define NOWHERE (UINT64_C(1) << 46)

ACTORS_TYPE(vspace);

static struct {
	struct nr_vspace *space;
	unsigned
		few; /* pages, if not 0: the first and the last; no large one */
	uint64_t values;
	/* Of each place, bits of values: mapping them has returned; no walk
	 * that ends now may have found them. */
	uint64_t mapped[PLACES], gone[PLACES];
	struct actors all;
} run;

enum {
	MAP,
	MAP_LARGE,
	UNMAP,
	UNMAP_LARGE,
	PROTECT,
	RESOLVE,
	WALK,
	WALK_EXACT,
	KINDS
};

/*
 * op: kind, place, value or rights. State: for each place its value and rights,
 * or 0; what a large page has beside these places; and bits of all values that
 * have been mapped. Result: as the state; or of the call.
 */
struct mapped {
	uint64_t at[PLACES], rest, ever[PLACES];
};

static int apply(void *state, const uint64_t *op, uint64_t result)
{
	struct mapped *s = state;
	uint64_t *at = s->at, *one = &at[op[1]];
	uint64_t any = at[0] | at[1] | at[2] | s->rest;

	switch (op[0]) {
	case MAP:
		if (*one)
			return (int)result == -EEXIST;
		*one = op[2] << 8;
		s->ever[op[1]] |= UINT64_C(1) << op[2];
		return !result;
	case MAP_LARGE:
		if (any)
			return (int)result == -EEXIST;
		at[0] = at[1] = at[2] = s->rest = op[2] << 8;
		for (unsigned i = 0; i < LARGE; i++)
			s->ever[i] |= UINT64_C(1) << op[2];
		return !result;
	case UNMAP:
		if (!*one)
			return (int)result == -ENOENT;
		*one = 0;
		return !result;
	case UNMAP_LARGE:
		at[0] = at[1] = at[2] = s->rest = 0;
		return (int)result == (any ? 0 : -ENOENT);
	case PROTECT:
		if (!*one)
			return (int)result == -ENOENT;
		*one = (*one & ~UINT64_C(255)) | op[2];
		return !result;
	case WALK:
		if ((int)result != -ENOENT)
			return s->ever[op[1]] >> (result >> 8) & 1;
	}
	return *one ? result == *one : (int)result == -ENOENT;
}

static const struct history_model model = {
	.size = sizeof(struct mapped),
	.apply = apply,
};

/* What was found at a place, as the model has it. */
static uint64_t decode(unsigned place, int ret, const struct nr_page *page)
{
	uint64_t frame = page->frame;

	if (ret)
		return (uint64_t)ret;
	if (page->bytes == NR_PAGE_2M)
		frame += places[place];
	sched_check(page->bytes == NR_PAGE_4K || page->bytes == NR_PAGE_2M);
	sched_check((frame >> 12 & 511) == low[place]);
	sched_check(frame >> 21 <= run.values);
	return frame >> 21 << 8 | page->rights;
}

static void map(struct nr_vspace_context *c, struct event *e)
{
	uint64_t value = ++run.values, frame = value << 21;
	int large = e->op[0] == MAP_LARGE;
	unsigned place = (unsigned)e->op[1];

	e->op[2] = value;
	e->result = (uint64_t)nr_vspace_map(
		c, large ? 0 : places[place],
		large ? frame : frame + low[place] * NR_PAGE_4K,
		large ? NR_PAGE_2M : NR_PAGE_4K, NR_PAGE_ANY, 0);
	for (unsigned i = 0; i < PLACES; i++)
		if (large ? i < LARGE : i == place)
			run.mapped[i] |= UINT64_C(1) << value;
}

static void unmap(struct nr_vspace_context *c, struct event *e, int settle)
{
	int large = e->op[0] == UNMAP_LARGE;
	uint64_t before[PLACES];

	memcpy(before, run.mapped, sizeof(before));
	e->result = (uint64_t)nr_vspace_unmap(c, large ? 0 : places[e->op[1]],
					      large ? NR_PAGE_2M : NR_PAGE_4K);
	e->end = ++run.all.now;
	if (!settle)
		return;
	nr_vspace_settle(run.space);
	for (unsigned i = 0; i < PLACES; i++)
		if (large ? i < LARGE : i == e->op[1])
			run.gone[i] |= before[i];
}

static void walk(struct nr_vspace_context *c, struct event *e)
{
	unsigned place = (unsigned)e->op[1];
	struct nr_page page;
	int ret;

	if (e->op[0] == WALK_EXACT)
		sched_check(nr_vspace_resolve(c, NOWHERE, &page) == -ENOENT);
	ret = nr_vspace_walk(c, places[place], &page);
	e->result = decode(place, ret, &page);
	/* No other fiber has run since the walk ended. */
	sched_check(ret || !(run.gone[place] >> (e->result >> 8) & 1));
}

static void step(struct actor *a, void *c)
{
	uint64_t random = sched_random(&a->random);
	struct event e = { .begin = ++a->of->now };
	struct nr_page page;

	e.op[0] = random % KINDS;
	e.op[1] = (random >> 8) % PLACES;
	if (run.few) {
		static const unsigned kinds[] = { MAP, UNMAP, RESOLVE, WALK };

		e.op[0] = kinds[random % 4];
		e.op[1] = (random >> 8) % run.few * (PLACES - 1);
	}
	switch (e.op[0]) {
	case MAP:
	case MAP_LARGE:
		map(c, &e);
		break;
	case UNMAP:
	case UNMAP_LARGE:
		unmap(c, &e, (random >> 16) % 2);
		break;
	case PROTECT:
		e.op[2] = (random >> 24) % 64;
		e.result = (uint64_t)nr_vspace_protect(
			c, places[e.op[1]], NR_PAGE_4K, (unsigned)e.op[2]);
		break;
	case RESOLVE:
		e.result =
			decode((unsigned)e.op[1],
			       nr_vspace_resolve(c, places[e.op[1]] + 7, &page),
			       &page);
		break;
	default:
		walk(c, &e);
	}
	if (!e.end)
		e.end = ++a->of->now;
	actors_keep(a->of, &e);
}

static int equal(void *space)
{
	return vspace_is_equal(space);
}

static const char *run_fibers(uint64_t seed, unsigned few)
{
	struct nr_vspace_attr attr = NR_VSPACE_ATTR_INIT;
	struct nr_attr nr = actors_attr(seed);

	memset(&run, 0, sizeof(run));
	attr.nr = &nr;
	if (nr_vspace_create(&attr, &run.space))
		return "not made";
	run.few = few;
	run.all.type = &vspace_type;
	run.all.structure = run.space;
	run.all.step = step;
	run.all.model = &model;
	run.all.equal = equal;
	run.all.stay = few != 0;
	return actors_run(&run.all, seed);
}

const char *scenario_vspace(uint64_t seed)
{
	return run_fibers(seed, 0);
}

const char *scenario_vspace_few(uint64_t seed)
{
	return run_fibers(seed, 1 + seed / 2 % 2);
}
