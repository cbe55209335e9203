/* SPDX-License-Identifier: MIT */
/*
 * nr_map_scenario.c - the replicated map under schedules
 *
 * Two keys that all fibers use, values of different lengths, so that what is
 * there has to move; chunks of 256 bytes, and one bucket, so that the map
 * grows all the time; and a fiber that adds replicas and removes them. Looked
 * at: Is there an order of all operations that explains their results, and are
 * the replicas equal?
 */
#include "nr_scenario.h"

#include <errno.h>
#include <string.h>

#include "context.h"
#include "nr_actors.h"
#include "nr_map_equal.h"
#include "pooled.h"

enum { PUT, CREATE, REPLACE, REMOVE, GET, MODIFY, KINDS };
#define ASYNC KINDS /* two puts at once */

ACTORS_TYPE(map);
ACTORS_POLL(map)

static struct {
	struct nr_map *map;
	uint64_t values;
	uint64_t made[ACTORS][VALUE_WORDS]; /* zero when nobody waits for it */
	struct actors all;
} run;

/* What becomes of a value: another, 0: none, or it stays as it is. */
#define STAYS UINT64_MAX

static uint64_t change(uint64_t was, uint64_t by)
{
	if (!was && by % 2)
		return STAYS;
	return (was + by) % 5 ? was + by : 0;
}

/* op: kind, key, value; result: what was returned, or the value that was got,
 * and 0 if there was none. State: the value of each key, or 0. */
static int apply(void *state, const uint64_t *op, uint64_t result)
{
	uint64_t *value = (uint64_t *)state + op[1], was = *value;

	switch (op[0]) {
	case GET:
		return result == was;
	case MODIFY:
		if (change(was, op[2]) == STAYS)
			return (int)result == -ECANCELED;
		*value = change(was, op[2]);
		return *value ? result == *value : (int)result == -ENOENT;
	case REMOVE:
		*value = 0;
		return (int)result == (was ? 0 : -ENOENT);
	case CREATE:
		if (was)
			return (int)result == -EEXIST;
		break;
	case REPLACE:
		if (!was)
			return (int)result == -ENOENT;
		break;
	}
	*value = op[2];
	return (int)result == (was != 0);
}

static const struct history_model model = {
	.size = 2 * sizeof(uint64_t),
	.apply = apply,
};

static uint64_t get(struct nr_map_context *c, uint64_t key)
{
	uint64_t v[VALUE_WORDS];
	int got = nr_map_get(c, &key, sizeof(key), v, sizeof(v));

	if (got == -ENOENT)
		return 0;
	sched_check(got > 0);
	return value_of(v, (size_t)got);
}

static uint64_t put(struct nr_map_context *c, const uint64_t *op)
{
	static const unsigned flags[] = { 0, NR_CREATE, NR_REPLACE };
	uint64_t v[VALUE_WORDS];

	value_fill(v, op[2]);
	return (uint64_t)nr_map_put(c, &op[1], sizeof(op[1]), v,
				    value_length(op[2]), flags[op[0]]);
}

static int make_change(const void *old, size_t olen, void *value, size_t room,
		       const void *arg, size_t alen)
{
	uint64_t by, now;

	sched_check(alen == sizeof(by) && room == 8 * VALUE_WORDS);
	memcpy(&by, arg, sizeof(by));
	now = change(old ? value_of(old, olen) : 0, by);
	if (now == STAYS)
		return -ECANCELED;
	if (!now)
		return -ENOENT;
	value_fill(value, now);
	return (int)value_length(now);
}

static uint64_t modify(struct nr_map_context *c, const uint64_t *op,
		       uint64_t *v)
{
	struct nr_map_change how = { make_change, &op[2], 8, 8 * VALUE_WORDS };
	int ret = nr_map_modify(c, &op[1], sizeof(op[1]), &how, v,
				8 * VALUE_WORDS);
	uint64_t now;

	if (ret < 0)
		return (uint64_t)ret;
	now = value_of(v, (size_t)ret);
	memset(v, 0, 8 * VALUE_WORDS);
	return now;
}

/* Of one key. */
static void choose(struct actor *a, struct event *e)
{
	e->op[0] = sched_random(&a->random) % 2 ? PUT : REMOVE;
	e->op[1] = a->number % 2;
	if (e->op[0] == PUT)
		e->op[2] = ++run.values;
}

static int submit(void *c, const struct event *e, uint64_t tag)
{
	uint64_t v[VALUE_WORDS];

	if (e->op[0] == REMOVE)
		return nr_map_submit_remove(c, &e->op[1], 8, tag);
	value_fill(v, e->op[2]);
	return nr_map_submit_put(c, &e->op[1], 8, v, value_length(e->op[2]), 0,
				 tag);
}

static const struct actors_async async = { choose, submit, map_poll, map_wait };

static void step(struct actor *a, void *c)
{
	struct event e = { .op = { sched_random(&a->random) % (KINDS + 1),
				   sched_random(&a->random) % 2, 0 } };

	if (e.op[0] == ASYNC) {
		actors_step_async(a, c, &async);
		return;
	}
	if (e.op[0] < REMOVE || e.op[0] == MODIFY)
		e.op[2] = ++run.values;
	e.begin = ++a->of->now;
	if (e.op[0] == GET)
		e.result = get(c, e.op[1]);
	else if (e.op[0] == MODIFY)
		e.result = modify(c, e.op, run.made[a->number]);
	else if (e.op[0] == REMOVE)
		e.result =
			(uint64_t)nr_map_remove(c, &e.op[1], sizeof(e.op[1]));
	else
		e.result = put(c, e.op);
	e.end = ++a->of->now;
	actors_keep(a->of, &e);
}

static int equal(void *map)
{
	return map_is_equal(map);
}

static const char *make(uint64_t seed)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr nr = actors_attr(seed);

	attr.nr = &nr;
	attr.seed = 1 + seed % 8; /* the same schedule again */
	memset(&run, 0, sizeof(run));
	if (nr_map_create(&attr, &run.map))
		return "not made";
	run.all.type = &map_type;
	run.all.structure = run.map;
	run.all.step = step;
	run.all.model = &model;
	run.all.equal = equal;
	return NULL;
}

const char *scenario_map(uint64_t seed)
{
	const char *bad = make(seed);

	if (!bad)
		bad = actors_run(&run.all, seed);
	/* All replicas have done all of it: what they wrote then is here. */
	for (unsigned i = 0; i < ACTORS; i++)
		if (!bad && run.made[i][0])
			bad = "written after it was returned";
	return bad;
}

/* ---- who polls does not wait -------------------------------------------- */

static int submitted, held, through;

/* All that a poll could want, one or the other; after it has been answered. */
static void hold(void *pool)
{
	struct gate *g = &nr_map_nr(run.map)->replicas->lock.gate;

	while (!submitted)
		nr_test_idle();
	gate_lock(g);
	combine(nr_map_nr(run.map)->replicas, NULL);
	if (pool) {
		gate_unlock(g);
		g = &((struct pooled *)run.map)->gate;
		gate_lock(g);
	}
	held = 1;
	while (!through)
		nr_test_idle();
	gate_unlock(g);
}

/* There is no room for any of them, for there is no chunk yet; and they do not
 * fit into a bucket. */
static void poll(void *arg)
{
	struct nr_map_context *c = actors_join(&run.all, 1);
	uint32_t batch = nr_map_nr(run.map)->attr.batch;
	static const char value[24];
	struct nr_done done[3];
	int got = 0;

	(void)arg;
	for (uint64_t i = 0; i < 3; i++)
		sched_check(nr_map_submit_put(c, &i, 8, value, sizeof(value), 0,
					      i) == 0);
	submitted = 1;
	while (!held)
		nr_test_idle();
	/* A batch of them, and then perhaps another. */
	for (int i = 0, n; i < 2; i++, got += n) {
		n = nr_map_poll(c, done, 3);
		sched_check(n >= 0 && (i || n == (int)batch));
		for (int k = 0; k < n; k++)
			sched_check(done[k].tag == (uint64_t)(got + k) &&
				    done[k].ret == -EAGAIN);
	}
	through = 1;
	for (; got < 3; got++)
		sched_check(nr_map_wait(c, done, 1, 1) == 1);
	/* Now there is nobody in the way. */
	do {
		sched_check(nr_map_submit_put(c, "k", 1, value, sizeof(value),
					      0, 9) == 0);
		while (nr_map_poll(c, done, 3) == 0)
			nr_test_idle();
	} while (done->ret == -EAGAIN);
	sched_check(done->ret == 0);
	nr_map_leave(c);
}

const char *scenario_map_poll(uint64_t seed)
{
	const struct sched_fiber fibers[] = { { hold, seed & 2 ? &run : NULL },
					      { poll, NULL } };
	const char *bad = make(seed);

	if (bad)
		return bad;
	submitted = held = through = 0;
	bad = sched_run(seed, fibers, 2);
	return bad ? bad : actors_end(&run.all, NULL);
}
