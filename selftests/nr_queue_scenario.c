/* SPDX-License-Identifier: MIT */
/*
 * nr_queue_scenario.c - queues, of each order, under schedules
 *
 * As nr_omap_scenario.c.
 */
#include "nr_scenario.h"

#include <string.h>

#include "nr_actors.h"
#include "nr_map_equal.h"
#include "nr_queue.h"

ACTORS_TYPE(queue);
ACTORS_POLL(queue)

static struct {
	struct nr_queue *queue;
	enum nr_order order;
	uint64_t values;
	/* What is taken; zero when nobody waits for it. */
	uint64_t room[ACTORS][VALUE_WORDS];
	struct actors all;
} run;

enum { PUT, TAKE, TAKE_SHORT, PEEK };
#define SHORT 64u   /* room for some */
#define UNSEEN 128u /* from here on no values are put */

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
static int apply(void *state, const uint64_t *op, uint64_t result)
{
	struct items *s = state;
	unsigned at = s->n;

	if (op[0] == PUT) {
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
	if (op[0] == TAKE_SHORT && value_length(s->value[0]) > SHORT)
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

/* Whether the @k-th event has seen what the @i-th has put */
static int saw(const struct event *events, size_t k, size_t i)
{
	return events[k].op[0] != PUT && (int64_t)events[k].result >= 0 &&
	       events[k].result % 1000 == (events[i].op[2] & 255);
}

/* What became of what was put: who took it, and who saw it last. NULL: nobody
 */
struct fate {
	const struct event *put, *taken, *seen;
};

/* It has to have been put before the other one. */
static int is_before(const struct fate *one, const struct fate *other)
{
	if (run.order == NR_PRIORITY && one->put->op[1] != other->put->op[1])
		return 0;
	/* Who is seen was first, or last, of those that were there. */
	if (run.order != NR_LIFO)
		return one->seen &&
		       (!other->taken || one->seen->end < other->taken->end);
	return other->seen && one->put->end < other->seen->begin &&
	       (!one->taken || other->seen->end < one->taken->end);
}

/*
 * What nobody saw may be anything that is as long, but nothing that is there;
 * and priorities are nothing to queues that do not go by them.
 */
static void make_equal(const struct fate *f, struct event *put)
{
	const int is_long = value_length(put->op[2]) > SHORT;

	if (!f->seen) {
		put->op[2] = UNSEEN;
		while ((value_length(put->op[2]) > SHORT) != is_long)
			put->op[2]++;
	}
	if (run.order != NR_PRIORITY)
		put->op[1] = 0;
}

/* What is put is there when somebody sees it, and when the next one is put. */
static void prepare(struct event *events, size_t n, uint64_t *due)
{
	struct fate fates[HISTORY_MAX];
	int again = 1;

	for (size_t i = 0; i < n; i++) {
		struct fate *f = &fates[i];

		*f = (struct fate){ &events[i], NULL, NULL };
		due[i] = events[i].end;
		for (size_t k = 0; events[i].op[0] == PUT && k < n; k++) {
			if (!saw(events, k, i))
				continue;
			if (events[k].end <= due[i])
				due[i] = events[k].end - 1;
			if (!f->seen || f->seen->end < events[k].end)
				f->seen = &events[k];
			if (events[k].op[0] != PEEK)
				f->taken = &events[k];
		}
	}
	while (again) {
		again = 0;
		for (size_t i = 0; i < n * n; i++) {
			const size_t a = i / n, b = i % n;

			if (a == b || events[a].op[0] != PUT ||
			    events[b].op[0] != PUT || due[a] < due[b] ||
			    !due[b] || !is_before(&fates[a], &fates[b]))
				continue;
			due[a] = due[b] - 1;
			again = 1;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (events[i].op[0] == PUT)
			make_equal(&fates[i], &events[i]);
}

static const struct history_model model = {
	.size = sizeof(struct items),
	.apply = apply,
	.prepare = prepare,
};

static void act(void *context, uint64_t random, struct event *e, uint64_t *v)
{
	uint64_t priority = 99;
	size_t room = 8 * VALUE_WORDS;
	int ret;

	e->op[0] = random % 2 ? PUT : 1 + (random >> 8) % 3;
	switch (e->op[0]) {
	case PUT:
		e->op[1] = (random >> 16) % 3;
		e->op[2] = ++run.values;
		value_fill(v, e->op[2]);
		e->result = (uint64_t)nr_queue_put(
			context, v, value_length(e->op[2]), e->op[1]);
		memset(v, 0, 8 * VALUE_WORDS);
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
	memset(v, 0, 8 * VALUE_WORDS);
}

static void choose(struct actor *a, struct event *e)
{
	e->op[0] = PUT;
	e->op[1] = sched_random(&a->random) % 3;
	e->op[2] = ++run.values;
}

static int submit(void *context, const struct event *e, uint64_t tag)
{
	uint64_t v[VALUE_WORDS];

	value_fill(v, e->op[2]);
	return nr_queue_submit_put(context, v, value_length(e->op[2]), e->op[1],
				   tag);
}

static const struct actors_async async = { choose, submit, queue_poll,
					   queue_wait };

static void step(struct actor *a, void *context)
{
	struct event e = { .begin = ++a->of->now };

	if (sched_random(&a->random) % 5 == 0) {
		actors_step_async(a, context, &async);
		return;
	}
	act(context, sched_random(&a->random), &e, run.room[a->number]);
	e.end = ++a->of->now;
	actors_keep(a->of, &e);
}

static int equal(void *queue)
{
	return is_sorted_equal(nr_queue_nr(queue));
}

const char *scenario_queue(uint64_t seed)
{
	struct nr_queue_attr attr = NR_QUEUE_ATTR_INIT;
	struct nr_attr nr = actors_attr(seed);
	const char *bad;

	memset(&run, 0, sizeof(run));
	attr.nr = &nr;
	attr.seed = 1 + seed; /* the same schedule again */
	attr.order = seed % 3;
	run.order = (enum nr_order)attr.order;
	if (nr_queue_create(&attr, &run.queue))
		return "not made";
	run.all.type = &queue_type;
	run.all.structure = run.queue;
	run.all.step = step;
	run.all.model = &model;
	run.all.equal = equal;
	bad = actors_run(&run.all, seed);
	/* All replicas have done all of it: what they wrote then is here. */
	for (unsigned i = 0; i < ACTORS; i++)
		if (!bad && run.room[i][0])
			bad = "written after it was returned";
	return bad;
}
