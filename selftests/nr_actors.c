/* SPDX-License-Identifier: MIT */
#include "nr_actors.h"

#include <string.h>

#include "nr_scenario.h"
#include "nr_watch.h"

/* ---- fibers ------------------------------------------------------------- */

struct nr_attr actors_attr(uint64_t seed)
{
	struct nr_attr nr = NR_ATTR_INIT;

	sched_mapped(1);
	nr.topology = "2x1";
	nr.replicas = 2;
	nr.log_size = 4 << seed % 2;
	return nr;
}

void *actors_join(struct actors *all, uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	void *context = NULL;

	attr.replica = replica;
	sched_check(all->type->join(all->structure, &attr, &context) == 0);
	return context;
}

void actors_keep(struct actors *all, const struct event *e)
{
	sched_check(all->n < ACTORS_EVENTS);
	all->events[all->n++] = *e;
}

static void use(void *arg)
{
	struct actor *a = arg;
	void *context = actors_join(a->of, 1 + a->number % 2);

	for (int i = 0; i < ACTORS_STEPS; i++)
		a->of->step(a, context);
	a->of->type->leave(context);
}

static void come_and_go(void *arg)
{
	struct actor *a = arg;
	const struct actors_type *type = a->of->type;
	void *structure = a->of->structure;

	for (int i = 0; i < 2; i++) {
		int id = type->add(structure, -1);
		void *context;

		sched_check(id > 2);
		context = actors_join(a->of, (uint32_t)id);
		for (int k = 0; k < 2; k++)
			a->of->step(a, context);
		type->leave(context);
		sched_check(type->remove(structure, (uint32_t)id) == 0);
	}
}

void actors_step_async(struct actor *a, void *context,
		       const struct actors_async *how)
{
	struct event e[2] = { { .begin = 0 } };
	struct nr_done done[2] = { { .tag = 0 } };
	unsigned got = 0;

	for (unsigned k = 0; k < 2; k++) {
		e[k].begin = ++a->of->now;
		how->choose(a, &e[k]);
		sched_check(how->submit(context, &e[k], k) == 0);
	}
	while (got < 2) {
		int n = sched_random(&a->random) % 2
				? how->poll(context, done + got, 2 - got)
				: how->wait(context, done + got, 2 - got, 1);

		sched_check(n >= 0);
		got += (unsigned)n;
		if (!n)
			nr_test_idle();
	}
	sched_check(how->poll(context, done, 1) == -ENOENT);
	for (unsigned k = 0; k < 2; k++) {
		sched_check(done[k].tag == k);
		e[k].result = (uint64_t)(int64_t)done[k].ret;
		e[k].end = ++a->of->now;
		if (done[k].ret != -EAGAIN)
			actors_keep(a->of, &e[k]);
	}
}

/* ---- all of it ---------------------------------------------------------- */

const char *actors_end(struct actors *all, const char *bad)
{
	if (!bad && !all->equal(all->structure))
		bad = "replicas differ";
	if (all->type->destroy(all->structure) && !bad)
		bad = "contexts are left";
	return !bad && sched_mapped(0) ? "memory is left" : bad;
}

static void invariants(void *arg)
{
	struct actors *all = arg;

	watch_log(all->type->nr(all->structure), "log");
}

const char *actors_run(struct actors *all, uint64_t seed)
{
	struct sched_fiber fibers[ACTORS];
	struct actor actors[ACTORS];
	const char *bad;

	for (unsigned i = 0; i < ACTORS; i++) {
		actors[i] = (struct actor){ all, seed * ACTORS + i, i };
		fibers[i] = (struct sched_fiber){ i || all->stay ? use
								 : come_and_go,
						  &actors[i] };
	}
	sched_watch(scenario_invariants ? invariants : NULL, all);
	bad = sched_run(seed, fibers, ACTORS);
	sched_watch(NULL, NULL);
	/* Then fibers are still inside. */
	if (bad)
		return bad;
	return actors_end(all, history_check(all->model, all->events, all->n));
}

/* ---- values ------------------------------------------------------------- */

size_t value_length(uint64_t value)
{
	return 8 * (1 + value * 7 % VALUE_WORDS);
}

void value_fill(uint64_t *v, uint64_t value)
{
	for (size_t i = 0; i < value_length(value) / 8; i++)
		v[i] = value;
}

uint64_t value_of(const void *bytes, size_t len)
{
	uint64_t v[VALUE_WORDS];

	sched_check(len >= 8 && len <= sizeof(v));
	memcpy(v, bytes, len);
	sched_check(len == value_length(v[0]));
	for (size_t i = 1; i < len / 8; i++)
		sched_check(v[i] == v[0]);
	return v[0];
}
