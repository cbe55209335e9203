/* SPDX-License-Identifier: MIT */
/*
 * nr_omap_scenario.c - the ordered map under schedules
 *
 * As nr_map_scenario.c: few keys, values of different lengths, chunks of 256
 * bytes, so that memory goes through the log all the time, and a fiber that
 * adds replicas and removes them.
 */
#include "nr_scenario.h"

#include <string.h>

#include "nr_actors.h"
#include "nr_map_equal.h"
#include "nr_omap.h"

#define KEYS 3

ACTORS_TYPE(omap);
ACTORS_POLL(omap)

static struct {
	struct nr_omap *map;
	uint64_t values;
	struct actors all;
} run;

enum { PUT, REMOVE, FIND, RANGE, KINDS };

/* Of a key and what it has; so that the order counts. */
static uint64_t fold(uint64_t sum, uint64_t key, uint64_t value)
{
	return (sum * 31 + key) * 1009 + value;
}

/* op: kind, key and which, value. State: the value of each key, or 0. */
static int apply(void *state, const uint64_t *op, uint64_t result)
{
	uint64_t *value = state, key = op[1] % KEYS, was = value[key], sum = 0;

	switch (op[0]) {
	case PUT:
		value[key] = op[2];
		return result == (was != 0);
	case REMOVE:
		value[key] = 0;
		return (int)result == (was ? 0 : -ENOENT);
	case FIND: /* the next one, or the one before */
		for (uint64_t i = 1; i < KEYS; i++) {
			uint64_t at = op[1] / KEYS ? key + i : key - i;

			if (at < KEYS && value[at])
				return result == fold(0, at, value[at]);
		}
		return (int)result == -ENOENT;
	}
	for (uint64_t i = 0; i < KEYS; i++)
		if (value[i])
			sum = fold(sum, i, value[i]);
	return result == sum;
}

static const struct history_model model = {
	.size = KEYS * sizeof(uint64_t),
	.apply = apply,
};

static int fold_entry(const struct nr_entry *e, void *sum)
{
	sched_check(e->klen == 1);
	*(uint64_t *)sum =
		fold(*(uint64_t *)sum, *(const unsigned char *)e->key,
		     value_of(e->value, e->vlen));
	return 0;
}

static uint64_t find(struct nr_omap_context *c, const unsigned char *key,
		     enum nr_neighbour which)
{
	unsigned char other;
	uint64_t v[VALUE_WORDS];
	struct nr_found f = { &other, 1, 0, v, sizeof(v), 0 };
	int ret = nr_omap_find(c, key, 1, which, &f);

	return ret ? (uint64_t)ret : fold(0, other, value_of(v, f.vlen));
}

static void act(void *context, uint64_t random, struct event *e)
{
	unsigned char key = (random >> 8) % KEYS;
	uint64_t v[VALUE_WORDS];

	e->op[0] = random % KINDS;
	e->op[1] = (random >> 16) % 2 * KEYS + key;
	switch (e->op[0]) {
	case PUT:
		e->op[2] = ++run.values;
		value_fill(v, e->op[2]);
		e->result = (uint64_t)nr_omap_put(context, &key, 1, v,
						  value_length(e->op[2]), 0);
		break;
	case REMOVE:
		e->result = (uint64_t)nr_omap_remove(context, &key, 1);
		break;
	case FIND:
		e->result = find(context, &key,
				 e->op[1] / KEYS ? NR_AFTER : NR_BEFORE);
		break;
	case RANGE:
		sched_check(nr_omap_range(context, NULL, 0, NULL, 0, fold_entry,
					  &e->result) == 0);
		break;
	}
}

static void choose(struct actor *a, struct event *e)
{
	uint64_t random = sched_random(&a->random);

	e->op[0] = random % 2 ? PUT : REMOVE;
	e->op[1] = (random >> 8) % KEYS;
	e->op[2] = e->op[0] == PUT ? ++run.values : 0;
}

static int submit(void *context, const struct event *e, uint64_t tag)
{
	unsigned char key = (unsigned char)e->op[1];
	uint64_t v[VALUE_WORDS];

	if (e->op[0] == REMOVE)
		return nr_omap_submit_remove(context, &key, 1, tag);
	value_fill(v, e->op[2]);
	return nr_omap_submit_put(context, &key, 1, v, value_length(e->op[2]),
				  0, tag);
}

static const struct actors_async async = { choose, submit, omap_poll,
					   omap_wait };

static void step(struct actor *a, void *context)
{
	struct event e = { .begin = ++a->of->now };

	if (sched_random(&a->random) % 5 == 0) {
		actors_step_async(a, context, &async);
		return;
	}
	act(context, sched_random(&a->random), &e);
	e.end = ++a->of->now;
	actors_keep(a->of, &e);
}

static int equal(void *map)
{
	return is_sorted_equal(nr_omap_nr(map));
}

const char *scenario_omap(uint64_t seed)
{
	struct nr_omap_attr attr = NR_OMAP_ATTR_INIT;
	struct nr_attr nr = actors_attr(seed);

	memset(&run, 0, sizeof(run));
	attr.nr = &nr;
	attr.seed = 1 + seed; /* the same schedule again */
	if (nr_omap_create(&attr, &run.map))
		return "not made";
	run.all.type = &omap_type;
	run.all.structure = run.map;
	run.all.step = step;
	run.all.model = &model;
	run.all.equal = equal;
	return actors_run(&run.all, seed);
}
