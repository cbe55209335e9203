/* SPDX-License-Identifier: MIT */
/*
 * nr_sorted_scenario.c - the ordered map and queues under schedules
 *
 * As nr_map_scenario.c: few keys, values of different lengths, chunks of 256
 * bytes, so that memory goes through the log all the time, and a fiber that
 * adds replicas and removes them.
 */
#include "nr_scenario.h"

#include <errno.h>
#include <string.h>

#include "nr_map_equal.h"
#include "nr_omap.h"
#include "nr_queue.h"
#include "nr_sched.h"

#define FIBERS 4
#define STEPS 5
#define WORDS 20 /* of the longest value */
#define EVENTS 64
#define KEYS 3

static struct {
	struct nr_omap *map; /* or */
	struct nr_queue *queue;
	enum nr_order order;
	uint64_t now, values;
	struct event events[EVENTS];
	size_t n;
	/* What is taken; zero when nobody waits for it. */
	uint64_t room[FIBERS][WORDS];
} run;

struct actor {
	uint64_t random;
	unsigned number;
};

/* A value is its number, over and over; its length follows from it. */
static size_t length(uint64_t value)
{
	return 8 * (1 + value * 7 % WORDS);
}

static void fill(uint64_t *v, uint64_t value)
{
	for (size_t i = 0; i < length(value) / 8; i++)
		v[i] = value;
}

static uint64_t value_of(const void *bytes, size_t len)
{
	uint64_t v[WORDS];

	sched_check(len >= 8 && len <= sizeof(v));
	memcpy(v, bytes, len);
	sched_check(len == length(v[0]));
	for (size_t i = 1; i < len / 8; i++)
		sched_check(v[i] == v[0]);
	return v[0];
}

/* ---- the ordered map ---------------------------------------------------- */

enum { PUT, REMOVE, FIND, RANGE, MAP_KINDS };

/* Of a key and what it has; so that the order counts. */
static uint64_t fold(uint64_t sum, uint64_t key, uint64_t value)
{
	return (sum * 31 + key) * 1009 + value;
}

/* op: kind, key and which, value. State: the value of each key, or 0. */
static int apply_map(void *state, const uint64_t *op, uint64_t result)
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

static const struct history_model map_model = { KEYS * sizeof(uint64_t),
						apply_map };

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
	uint64_t v[WORDS];
	struct nr_found f = { &other, 1, 0, v, sizeof(v), 0 };
	int ret = nr_omap_find(c, key, 1, which, &f);

	return ret ? (uint64_t)ret : fold(0, other, value_of(v, f.vlen));
}

static void step_map(void *context, uint64_t random, struct event *e)
{
	unsigned char key = (random >> 8) % KEYS;
	uint64_t v[WORDS];

	e->op[0] = random % MAP_KINDS;
	e->op[1] = (random >> 16) % 2 * KEYS + key;
	switch (e->op[0]) {
	case PUT:
		e->op[2] = ++run.values;
		fill(v, e->op[2]);
		e->result = (uint64_t)nr_omap_put(context, &key, 1, v,
						  length(e->op[2]), 0);
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

/* ---- queues ------------------------------------------------------------- */

enum { PUT_IN = PUT, TAKE, TAKE_SHORT, PEEK, QUEUE_KINDS };
#define SHORT 64u /* room for some */

struct items {
	unsigned char n, priority[60], value[60];
};

static uint64_t first_of(const struct items *s, unsigned priority)
{
	return priority ? s->priority[0] * UINT64_C(1000) + s->value[0]
			: s->value[0];
}

/* op: kind, priority, value; result: the value that was taken, and 1000 times
 * its priority. */
static int apply_queue(void *state, const uint64_t *op, uint64_t result)
{
	struct items *s = state;
	unsigned at = s->n;

	if (op[0] == PUT_IN) {
		if (run.order == NR_LIFO)
			at = 0;
		while (run.order == NR_PRIORITY && at &&
		       s->priority[at - 1] > op[1])
			at--;
		memmove(&s->value[at + 1], &s->value[at], s->n - at);
		memmove(&s->priority[at + 1], &s->priority[at], s->n - at);
		s->value[at] = op[2] & 255;
		s->priority[at] = op[1] & 255;
		s->n++;
		return !result;
	}
	if (!s->n)
		return (int)result == -ENOENT;
	if (op[0] == TAKE_SHORT && length(s->value[0]) > SHORT)
		return (int)result == -EMSGSIZE;
	if (result != first_of(s, run.order == NR_PRIORITY))
		return 0;
	if (op[0] == PEEK)
		return 1;
	s->n--;
	memmove(&s->value[0], &s->value[1], s->n);
	memmove(&s->priority[0], &s->priority[1], s->n);
	s->value[s->n] = s->priority[s->n] = 0;
	return 1;
}

static const struct history_model queue_model = { sizeof(struct items),
						  apply_queue };

static void step_queue(void *context, uint64_t random, struct event *e,
		       uint64_t *v)
{
	uint64_t priority = 99;
	size_t room = 8 * WORDS;
	int ret;

	e->op[0] = random % 2 ? PUT_IN : 1 + (random >> 8) % 3;
	switch (e->op[0]) {
	case PUT_IN:
		e->op[1] = (random >> 16) % 3;
		e->op[2] = ++run.values;
		fill(v, e->op[2]);
		e->result = (uint64_t)nr_queue_put(context, v, length(e->op[2]),
						   e->op[1]);
		memset(v, 0, 8 * WORDS);
		return;
	case TAKE_SHORT:
		room = SHORT;
		/* fall through */
	case TAKE:
		ret = nr_queue_take(context, v, room, &priority);
		break;
	default:
		ret = nr_queue_peek(context, v, room, &priority);
	}
	e->result = ret < 0 ? (uint64_t)ret
			    : value_of(v, (size_t)ret) + 1000 * priority;
	memset(v, 0, 8 * WORDS);
}

/* ---- both --------------------------------------------------------------- */

static int submit(void *context, const struct event *e, uint64_t tag)
{
	unsigned char key = (unsigned char)e->op[1];
	uint64_t v[WORDS];

	fill(v, e->op[2]);
	if (run.queue)
		return nr_queue_submit_put(context, v, length(e->op[2]),
					   e->op[1], tag);
	if (e->op[0] == REMOVE)
		return nr_omap_submit_remove(context, &key, 1, tag);
	return nr_omap_submit_put(context, &key, 1, v, length(e->op[2]), 0,
				  tag);
}

static int reap(void *context, int wait, struct nr_done *done, unsigned n)
{
	if (run.queue)
		return wait ? nr_queue_wait(context, done, n, 1)
			    : nr_queue_poll(context, done, n);
	return wait ? nr_omap_wait(context, done, n, 1)
		    : nr_omap_poll(context, done, n);
}

static void keep(const struct event *e)
{
	sched_check(run.n < EVENTS);
	run.events[run.n++] = *e;
}

/* Two at a time; those that had no room have not been. */
static void step_async(struct actor *a, void *context)
{
	struct event e[2] = { { .begin = 0 } };
	struct nr_done done[2];
	unsigned got = 0;

	for (unsigned k = 0; k < 2; k++) {
		uint64_t random = sched_random(&a->random);

		e[k].begin = ++run.now;
		e[k].op[0] = run.queue || random % 2 ? PUT : REMOVE;
		e[k].op[1] = (random >> 8) % KEYS;
		e[k].op[2] = e[k].op[0] == PUT ? ++run.values : 0;
		sched_check(submit(context, &e[k], k) == 0);
	}
	while (got < 2) {
		int n = reap(context, sched_random(&a->random) % 2, done + got,
			     2 - got);

		sched_check(n >= 0);
		got += (unsigned)n;
		if (!n)
			nr_test_idle();
	}
	for (unsigned k = 0; k < 2; k++) {
		sched_check(done[k].tag == k);
		e[k].result = (uint64_t)(int64_t)done[k].ret;
		e[k].end = ++run.now;
		if (done[k].ret != -EAGAIN)
			keep(&e[k]);
	}
}

static void step(struct actor *a, void *context)
{
	struct event e = { .begin = ++run.now };

	if (sched_random(&a->random) % 5 == 0) {
		step_async(a, context);
		return;
	}
	if (run.map)
		step_map(context, sched_random(&a->random), &e);
	else
		step_queue(context, sched_random(&a->random), &e,
			   run.room[a->number]);
	e.end = ++run.now;
	keep(&e);
}

static void *join(uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_queue_context *q = NULL;
	struct nr_omap_context *m = NULL;

	attr.replica = replica;
	if (run.map)
		sched_check(nr_omap_register(run.map, &attr, &m) == 0);
	else
		sched_check(nr_queue_register(run.queue, &attr, &q) == 0);
	return run.map ? (void *)m : (void *)q;
}

static void leave(void *context)
{
	if (run.map)
		nr_omap_leave(context);
	else
		nr_queue_leave(context);
}

static void use(void *arg)
{
	struct actor *a = arg;
	void *context = join(1 + a->number % 2);

	for (int i = 0; i < STEPS; i++)
		step(a, context);
	leave(context);
}

static void come_and_go(void *arg)
{
	for (int i = 0; i < 2; i++) {
		int id = run.map ? nr_omap_replica_add(run.map, -1)
				 : nr_queue_replica_add(run.queue, -1);
		uint32_t replica = (uint32_t)id;
		void *context;

		sched_check(id > 2);
		context = join(replica);
		for (int k = 0; k < 2; k++)
			step(arg, context);
		leave(context);
		id = run.map ? nr_omap_replica_remove(run.map, replica)
			     : nr_queue_replica_remove(run.queue, replica);
		sched_check(id == 0);
	}
}

static const char *run_fibers(uint64_t seed, const struct history_model *model)
{
	struct sched_fiber fibers[FIBERS];
	struct actor actors[FIBERS];
	struct nr *nr = run.map ? nr_omap_nr(run.map) : nr_queue_nr(run.queue);
	const char *bad;

	for (unsigned i = 0; i < FIBERS; i++) {
		actors[i] = (struct actor){ seed * FIBERS + i, i };
		fibers[i] = (struct sched_fiber){ i ? use : come_and_go,
						  &actors[i] };
	}
	bad = sched_run(seed, fibers, FIBERS);
	if (bad)
		return bad;
	bad = history_check(model, run.events, run.n);
	if (!bad && !is_sorted_equal(nr))
		bad = "replicas differ";
	/* All replicas have done all of it: what they wrote then is here. */
	for (unsigned i = 0; i < FIBERS; i++)
		if (!bad && run.room[i][0])
			bad = "written after it was returned";
	if ((nr_omap_destroy(run.map) || nr_queue_destroy(run.queue)) && !bad)
		bad = "contexts are left";
	return !bad && sched_mapped(0) ? "memory is left" : bad;
}

static struct nr_attr begin(uint64_t seed)
{
	struct nr_attr nr = NR_ATTR_INIT;

	sched_mapped(1);
	memset(&run, 0, sizeof(run));
	nr.topology = "2x1";
	nr.log_size = 4 << seed % 2;
	return nr;
}

const char *scenario_omap(uint64_t seed)
{
	struct nr_omap_attr attr = NR_OMAP_ATTR_INIT;
	struct nr_attr nr = begin(seed);

	attr.nr = &nr;
	attr.seed = 1 + seed; /* the same schedule again */
	if (nr_omap_create(&attr, &run.map))
		return "not made";
	return run_fibers(seed, &map_model);
}

const char *scenario_queue(uint64_t seed)
{
	struct nr_queue_attr attr = NR_QUEUE_ATTR_INIT;
	struct nr_attr nr = begin(seed);

	attr.nr = &nr;
	attr.seed = 1 + seed;
	attr.order = seed % 3;
	run.order = (enum nr_order)attr.order;
	if (nr_queue_create(&attr, &run.queue))
		return "not made";
	return run_fibers(seed, &queue_model);
}
