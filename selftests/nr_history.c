/* SPDX-License-Identifier: MIT */
#include "nr_history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char wrong[256];

/* ---- by indices --------------------------------------------------------- */

struct moment_of {
	uint64_t time;
	struct event *event;
	int is_end;
};

static int by_time(const void *a, const void *b)
{
	const struct moment_of *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	/* What happens in the same moment is concurrent. */
	return x->is_end - y->is_end;
}

static int by_index(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->is_read != y->is_read)
		return x->is_read - y->is_read;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Each index once, without gaps. */
static const char *check_unique(struct event *events, size_t n, uint64_t first)
{
	if (n)
		qsort(events, n, sizeof(*events), by_index);
	for (size_t i = 0; i < n && !events[i].is_read; i++)
		if (events[i].at != first + i) {
			snprintf(wrong, sizeof(wrong),
				 "update %llu has index %llu: lost or doubled",
				 (unsigned long long)first + i,
				 (unsigned long long)events[i].at);
			return wrong;
		}
	return NULL;
}

const char *history_check_indices(struct event *events, size_t n,
				  uint64_t first)
{
	struct moment_of *m = malloc(2 * n * sizeof(*m) + 1);
	uint64_t *floor = malloc(n * sizeof(*floor) + 1), done = first;
	const char *bad = check_unique(events, n, first);

	if (!m || !floor)
		abort();
	for (size_t i = 0; i < n; i++) {
		m[2 * i] = (struct moment_of){ events[i].begin, &events[i], 0 };
		m[2 * i + 1] =
			(struct moment_of){ events[i].end, &events[i], 1 };
	}
	qsort(m, 2 * n, sizeof(*m), by_time);
	for (size_t i = 0; i < 2 * n && !bad; i++) {
		struct event *e = m[i].event;
		/* so many updates are before this is over */
		uint64_t seen = e->at + !e->is_read;

		if (!m[i].is_end) {
			floor[e - events] = done;
			continue;
		}
		if (e->at < floor[e - events]) {
			snprintf(wrong, sizeof(wrong),
				 "%s at %llu, though %llu had been done before",
				 e->is_read ? "read" : "update",
				 (unsigned long long)e->at,
				 (unsigned long long)floor[e - events]);
			bad = wrong;
		}
		if (seen > done)
			done = seen;
	}
	free(m);
	free(floor);
	return bad;
}

/* A read that saw so many updates is before the one with that index. */
static int by_version(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return y->is_read - x->is_read;
}

const char *history_replay(const struct history_model *model, void *state,
			   struct event *events, size_t n)
{
	if (n)
		qsort(events, n, sizeof(*events), by_version);
	for (size_t i = 0; i < n; i++)
		if (!model->apply(state, events[i].op, events[i].result)) {
			snprintf(wrong, sizeof(wrong),
				 "the result of the %s at %llu was %llu",
				 events[i].is_read ? "read" : "update",
				 (unsigned long long)events[i].at,
				 (unsigned long long)events[i].result);
			return wrong;
		}
	return NULL;
}

/* ---- by a model --------------------------------------------------------- */

#define SEEN_BITS 16

struct search {
	const struct history_model *model;
	const struct event *events;
	size_t n;
};

/*
 * Sets of operations and states that lead nowhere, found in search number
 * `used`; a collision loses what was there, which costs time only.
 */
static struct {
	uint64_t done;
	uint64_t used;
	unsigned char state[HISTORY_STATE_MAX];
} seen[1u << SEEN_BITS];
static uint64_t searches;

static uint64_t hash(uint64_t done, const unsigned char *state, size_t size)
{
	uint64_t h = done * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < size; i++)
		h = (h ^ state[i]) * UINT64_C(0x100000001b3);
	return (h ^ (h >> 32)) & ((1u << SEEN_BITS) - 1);
}

/* The earliest end of those not done: what begins later cannot come first. */
static uint64_t earliest_end(const struct search *s, uint64_t done)
{
	uint64_t end = UINT64_MAX;

	for (size_t i = 0; i < s->n; i++)
		if (!(done >> i & 1) && s->events[i].end < end)
			end = s->events[i].end;
	return end;
}

static int try(struct search *s, uint64_t done, const unsigned char *state)
{
	size_t size = s->model->size;
	uint64_t end = earliest_end(s, done), h = hash(done, state, size);
	unsigned char next[HISTORY_STATE_MAX];

	if (end == UINT64_MAX)
		return 1;
	if (seen[h].used == searches && seen[h].done == done &&
	    !memcmp(seen[h].state, state, size))
		return 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct event *e = &s->events[i];

		if ((done >> i & 1) || e->begin > end)
			continue;
		memcpy(next, state, size);
		if (s->model->apply(next, e->op, e->result) &&
		    try(s, done | UINT64_C(1) << i, next))
			return 1;
	}
	seen[h].used = searches;
	seen[h].done = done;
	memcpy(seen[h].state, state, size);
	return 0;
}

struct due_event {
	uint64_t due;
	struct event event;
};

static int by_due(const void *a, const void *b)
{
	const struct due_event *x = a, *y = b;

	return x->due < y->due ? -1 : x->due > y->due;
}

static void prepare(const struct history_model *model, struct event *events,
		    size_t n)
{
	struct due_event all[HISTORY_MAX];
	uint64_t due[HISTORY_MAX];

	model->prepare(events, n, due);
	for (size_t i = 0; i < n; i++)
		all[i] = (struct due_event){ due[i], events[i] };
	qsort(all, n, sizeof(*all), by_due);
	for (size_t i = 0; i < n; i++)
		events[i] = all[i].event;
}

const char *history_check(const struct history_model *model,
			  const struct event *events, size_t n)
{
	unsigned char state[HISTORY_STATE_MAX] = { 0 };
	struct event prepared[HISTORY_MAX];
	struct search s = { model, events, n };
	int ok;

	if (n > HISTORY_MAX || model->size > HISTORY_STATE_MAX)
		return "history too long";
	if (model->prepare && n) {
		memcpy(prepared, events, n * sizeof(*events));
		prepare(model, prepared, n);
		s.events = prepared;
	}
	searches++;
	ok = try(&s, 0, state);
	if (ok)
		return NULL;
	snprintf(wrong, sizeof(wrong),
		 "no order of the %zu operations explains their results", n);
	return wrong;
}
