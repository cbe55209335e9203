/* SPDX-License-Identifier: MIT */
#include "nr_order.h"

#include <stdio.h>
#include <stdlib.h>

/* Operations on one thing, by the version that they found, reads first */
struct line {
	struct order_event **events;
	size_t n, next; /* the first one of this version */
	uint64_t version;
	size_t reads; /* of this version, which are not done */
};

struct order {
	struct order_event *events;
	unsigned char *done;
	size_t n, earliest; /* the first one by its end that is not done */
	struct line lines[ORDER_THINGS];
};

static unsigned sorted_by;

static int by_end(const void *a, const void *b)
{
	const struct order_event *x = a, *y = b;

	return x->end < y->end ? -1 : x->end > y->end;
}

static int by_version(const void *a, const void *b)
{
	const struct order_event *x = *(struct order_event *const *)a;
	const struct order_event *y = *(struct order_event *const *)b;

	if (x->at[sorted_by] != y->at[sorted_by])
		return x->at[sorted_by] < y->at[sorted_by] ? -1 : 1;
	if (x->is_read != y->is_read)
		return y->is_read - x->is_read;
	return by_end(x, y);
}

static int has(const struct order_event *e, unsigned thing)
{
	return (int)(e->things >> thing & 1);
}

static int is_done(const struct order *o, const struct order_event *e)
{
	return o->done[e - o->events];
}

static void count_reads(struct line *l, unsigned thing)
{
	l->reads = 0;
	for (size_t i = l->next; i < l->n; i++) {
		const struct order_event *e = l->events[i];

		if (e->at[thing] != l->version || !e->is_read)
			break;
		l->reads++;
	}
}

static void make_line(struct order *o, unsigned thing, uint64_t version)
{
	struct line *l = &o->lines[thing];

	*l = (struct line){ .version = version };
	l->events = malloc(o->n * sizeof(struct order_event *) + 1);
	if (!l->events)
		abort();
	for (size_t i = 0; i < o->n; i++)
		if (has(&o->events[i], thing))
			l->events[l->n++] = &o->events[i];
	sorted_by = thing;
	if (l->n)
		qsort(l->events, l->n, sizeof(struct order_event *),
		      by_version);
	count_reads(l, thing);
}

/* Nothing that is not done comes before it. */
static int is_next(const struct order *o, const struct order_event *e)
{
	if (e->begin > o->events[o->earliest].end)
		return 0;
	for (unsigned t = 0; t < ORDER_THINGS; t++) {
		const struct line *l = &o->lines[t];

		if (has(e, t) &&
		    (e->at[t] != l->version || (!e->is_read && l->reads)))
			return 0;
	}
	return 1;
}

static void do_it(struct order *o, const struct order_event *e)
{
	o->done[e - o->events] = 1;
	while (o->earliest < o->n && o->done[o->earliest])
		o->earliest++;
	for (unsigned t = 0; t < ORDER_THINGS; t++) {
		struct line *l = &o->lines[t];

		if (!has(e, t))
			continue;
		if (e->is_read) {
			l->reads--;
			continue;
		}
		while (l->next < l->n && is_done(o, l->events[l->next]))
			l->next++;
		l->version++;
		count_reads(l, t);
	}
}

/* All of one thing that can be done now: how many */
static size_t go_on(struct order *o, unsigned thing)
{
	struct line *l = &o->lines[thing];
	const uint64_t version = l->version;
	size_t done = 0;

	for (size_t i = l->next; i < l->n; i++) {
		const struct order_event *e = l->events[i];

		if (e->at[thing] != version || l->version != version)
			break;
		if (is_done(o, e) || !is_next(o, e))
			continue;
		do_it(o, e);
		done++;
	}
	return done;
}

static const char *stuck(const struct order *o)
{
	const struct order_event *e = &o->events[o->earliest];
	static char wrong[400];
	int n = snprintf(wrong, sizeof(wrong),
			 "after %zu of %zu nothing can come next; %s found",
			 o->earliest, o->n,
			 e->is_read ? "a read" : "an update");

	for (unsigned t = 0; t < ORDER_THINGS; t++)
		if (has(e, t))
			n += snprintf(wrong + n, sizeof(wrong) - (size_t)n,
				      " %u at %llu (of %llu)", t,
				      (unsigned long long)e->at[t],
				      (unsigned long long)o->lines[t].version);
	return wrong;
}

const char *order_check(struct order_event *events, size_t n,
			uint64_t *versions)
{
	struct order o = { .events = events, .n = n };
	const char *bad = NULL;
	size_t done = 1;

	if (n)
		qsort(events, n, sizeof(*events), by_end);
	o.done = calloc(n + 1, 1);
	if (!o.done)
		abort();
	for (unsigned t = 0; t < ORDER_THINGS; t++)
		make_line(&o, t, versions[t]);
	while (o.earliest < n && done) {
		done = 0;
		for (unsigned t = 0; t < ORDER_THINGS; t++)
			done += go_on(&o, t);
	}
	if (o.earliest < n)
		bad = stuck(&o);
	for (unsigned t = 0; t < ORDER_THINGS; t++) {
		versions[t] = o.lines[t].version;
		free(o.lines[t].events);
	}
	free(o.done);
	return bad;
}
