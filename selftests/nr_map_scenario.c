/* SPDX-License-Identifier: MIT */
/*
 * nr_map_scenario.c - the replicated map under schedules
 *
 * Two keys that all fibers use, values of different lengths, so that what is
 * there has to move; chunks of 256 bytes, and two buckets, so that the map
 * grows all the time; and a fiber that adds replicas and removes them. Looked
 * at: Is there an order of all operations that explains their results, and are
 * the replicas equal?
 */
#include "nr_scenario.h"

#include <errno.h>
#include <string.h>

#include "context.h"
#include "nr_map_equal.h"
#include "nr_sched.h"
#include "pooled.h"

#define FIBERS 4
#define STEPS 5
#define WORDS 20 /* of the longest value */
#define EVENTS 64

enum { PUT, CREATE, REPLACE, REMOVE, GET, MODIFY, KINDS };
#define ASYNC KINDS /* two puts at once */

static struct {
	struct nr_map *map;
	uint64_t now, values;
	struct event events[EVENTS];
	size_t n;
	uint64_t made[FIBERS][WORDS]; /* zero when nobody waits for it */
} run;

struct actor {
	uint64_t random;
	unsigned number;
};

/* A value is its number, over and over; its length follows from it. */
static size_t length(uint64_t value)
{
	return 1 + value * 7 % WORDS;
}

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

static const struct history_model model = { 2 * sizeof(uint64_t), apply };

static uint64_t get(struct nr_map_context *c, uint64_t key)
{
	uint64_t v[WORDS];
	int got = nr_map_get(c, &key, sizeof(key), v, sizeof(v));

	if (got == -ENOENT)
		return 0;
	sched_check(got > 0 && (size_t)got == 8 * length(v[0]));
	for (size_t i = 1; i < (size_t)got / 8; i++)
		sched_check(v[i] == v[0]);
	return v[0];
}

static uint64_t put(struct nr_map_context *c, const uint64_t *op)
{
	static const unsigned flags[] = { 0, NR_CREATE, NR_REPLACE };
	uint64_t v[WORDS];

	for (size_t i = 0; i < length(op[2]); i++)
		v[i] = op[2];
	return (uint64_t)nr_map_put(c, &op[1], sizeof(op[1]), v,
				    8 * length(op[2]), flags[op[0]]);
}

static int make_change(const void *old, size_t olen, void *value, size_t room,
		       const void *arg, size_t alen)
{
	uint64_t was = 0, by, now, *v = value;

	sched_check(alen == sizeof(by) && room == 8 * WORDS);
	memcpy(&by, arg, sizeof(by));
	if (old) {
		memcpy(&was, old, sizeof(was));
		sched_check(olen == 8 * length(was));
	}
	now = change(was, by);
	if (now == STAYS)
		return -ECANCELED;
	for (size_t i = 0; now && i < length(now); i++)
		v[i] = now;
	return now ? (int)(8 * length(now)) : -ENOENT;
}

static uint64_t modify(struct nr_map_context *c, const uint64_t *op,
		       uint64_t *v)
{
	struct nr_map_change how = { make_change, &op[2], 8, 8 * WORDS };
	int ret = nr_map_modify(c, &op[1], sizeof(op[1]), &how, v, 8 * WORDS);
	uint64_t now = v[0];

	if (ret < 0)
		return (uint64_t)ret;
	sched_check((size_t)ret == 8 * length(now));
	for (size_t i = 1; i < (size_t)ret / 8; i++)
		sched_check(v[i] == now);
	memset(v, 0, 8 * WORDS);
	return now;
}

static void keep(const struct event *e)
{
	sched_check(run.n < EVENTS);
	run.events[run.n++] = *e;
}

/* Two at the same time, of one key; those that had no room have not been. */
static void step_async(struct actor *a, struct nr_map_context *c)
{
	struct event e[2] = { { .op = { PUT } }, { .op = { PUT } } };
	struct nr_done done[2] = { { .tag = 0 } };
	unsigned got = 0;
	uint64_t v[WORDS];

	for (unsigned k = 0; k < 2; k++) {
		e[k].begin = ++run.now;
		e[k].op[0] = sched_random(&a->random) % 2 ? PUT : REMOVE;
		e[k].op[1] = a->number % 2;
		if (e[k].op[0] == PUT) {
			e[k].op[2] = ++run.values;
			for (size_t i = 0; i < length(e[k].op[2]); i++)
				v[i] = e[k].op[2];
			sched_check(nr_map_submit_put(c, &e[k].op[1], 8, v,
						      8 * length(e[k].op[2]), 0,
						      k) == 0);
		} else {
			sched_check(nr_map_submit_remove(c, &e[k].op[1], 8,
							 k) == 0);
		}
	}
	while (got < 2) {
		int n = sched_random(&a->random) % 2
				? nr_map_poll(c, done + got, 2 - got)
				: nr_map_wait(c, done + got, 2 - got, 1);

		sched_check(n >= 0);
		got += (unsigned)n;
		if (!n)
			nr_test_idle();
	}
	sched_check(nr_map_poll(c, done, 1) == -ENOENT);
	for (unsigned k = 0; k < 2; k++) {
		sched_check(done[k].tag == k);
		e[k].result = (uint64_t)(int64_t)done[k].ret;
		e[k].end = ++run.now;
		if (done[k].ret != -EAGAIN)
			keep(&e[k]);
	}
}

static void step(struct actor *a, struct nr_map_context *c)
{
	struct event e = { .op = { sched_random(&a->random) % (KINDS + 1),
				   sched_random(&a->random) % 2, 0 } };

	if (e.op[0] == ASYNC) {
		step_async(a, c);
		return;
	}

	if (e.op[0] < REMOVE || e.op[0] == MODIFY)
		e.op[2] = ++run.values;
	e.begin = ++run.now;
	if (e.op[0] == GET)
		e.result = get(c, e.op[1]);
	else if (e.op[0] == MODIFY)
		e.result = modify(c, e.op, run.made[a->number]);
	else if (e.op[0] == REMOVE)
		e.result =
			(uint64_t)nr_map_remove(c, &e.op[1], sizeof(e.op[1]));
	else
		e.result = put(c, e.op);
	e.end = ++run.now;
	keep(&e);
}

static struct nr_map_context *join(uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_map_context *c = NULL;

	attr.replica = replica;
	sched_check(nr_map_register(run.map, &attr, &c) == 0);
	return c;
}

static void use(void *arg)
{
	struct actor *a = arg;
	struct nr_map_context *c = join(1 + a->number % 2);

	for (int i = 0; i < STEPS; i++)
		step(a, c);
	nr_map_leave(c);
}

static void come_and_go(void *arg)
{
	struct nr_map_context *c;
	int id;

	for (int i = 0; i < 2; i++) {
		id = nr_map_replica_add(run.map, -1);
		sched_check(id > 2);
		c = join((uint32_t)id);
		for (int k = 0; k < 2; k++)
			step(arg, c);
		nr_map_leave(c);
		sched_check(nr_map_replica_remove(run.map, (uint32_t)id) == 0);
	}
}

static const char *make(uint64_t seed)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;

	sched_mapped(1);
	nr.topology = "2x1";
	nr.replicas = 2;
	nr.log_size = 4 << seed % 2;
	attr.nr = &nr;
	attr.seed = 1 + seed % 8; /* the same schedule again */
	memset(&run, 0, sizeof(run));
	return nr_map_create(&attr, &run.map) ? "not made" : NULL;
}

static const char *end(const char *bad)
{
	if (!bad && !map_is_equal(run.map))
		bad = "replicas differ";
	if (nr_map_destroy(run.map) && !bad)
		bad = "contexts are left";
	return !bad && sched_mapped(0) ? "memory is left" : bad;
}

const char *scenario_map(uint64_t seed)
{
	struct sched_fiber fibers[FIBERS];
	struct actor actors[FIBERS];
	const char *bad = make(seed);

	if (bad)
		return bad;
	for (unsigned i = 0; i < FIBERS; i++) {
		actors[i] = (struct actor){ seed * FIBERS + i, i };
		fibers[i] = (struct sched_fiber){ i ? use : come_and_go,
						  &actors[i] };
	}
	bad = sched_run(seed, fibers, FIBERS);
	if (bad)
		return bad;
	bad = end(history_check(&model, run.events, run.n));
	/* All replicas have done all of it: what they wrote then is here. */
	for (unsigned i = 0; i < FIBERS; i++)
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

/* There is no room for any of them, for there is no chunk yet. */
static void poll(void *arg)
{
	struct nr_map_context *c = join(1);
	uint32_t batch = nr_map_nr(run.map)->attr.batch;
	struct nr_done done[3];
	int got = 0;

	(void)arg;
	for (uint64_t i = 0; i < 3; i++)
		sched_check(nr_map_submit_put(c, &i, 8, &i, 8, 0, i) == 0);
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
		sched_check(nr_map_submit_put(c, "k", 1, "v", 1, 0, 9) == 0);
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
	return bad ? bad : end(NULL);
}
