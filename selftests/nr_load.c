/* SPDX-License-Identifier: MIT */
#include "nr_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nr_sched.h"

static uint32_t below(struct load_thread *t, uint32_t n)
{
	return (uint32_t)(sched_random(&t->random) % n);
}

static size_t make_op(struct load_thread *t, struct load_op *op)
{
	op->kind = below(t, 2);
	op->cell = below(t, LOAD_CELLS);
	op->id = t->updates * LOAD_THREADS + t->number + 1;
	op->value = op->id;
	if (below(t, 100) >= t->load->attr.longs)
		return offsetof(struct load_op, pad);
	memset(op->pad, (int)(unsigned char)op->id, sizeof(op->pad));
	return sizeof(*op);
}

static void record(struct load_thread *t, uint64_t begin, uint64_t end,
		   int is_read, const struct load_op *op,
		   const struct load_result *r)
{
	struct event *e;

	if (!t->load->attr.keep)
		return;
	if (t->nevents == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->events = realloc(t->events, t->cap * sizeof(*t->events));
		if (!t->events)
			abort();
	}
	e = &t->events[t->nevents++];
	*e = (struct event){ .begin = begin,
			     .end = end,
			     .is_read = is_read,
			     .at = r->at,
			     .op = { is_read ? LOAD_READ : op->kind, op->cell,
				     op->value },
			     .result = r->value };
}

static void must(struct load_thread *t, const char *what, int err)
{
	if (err)
		t->load->fail("%s: %s", what, strerror(-err));
}

static void update(struct load_thread *t)
{
	struct load *l = t->load;
	struct load_result r = { UINT64_MAX, 0 };
	struct load_op op;
	size_t len = make_op(t, &op);
	uint64_t begin = l->now(), end;

	must(t, "update", nr_update(t->context, &op, len, &r));
	t->updates++;
	end = l->now();
	if (end - begin > t->worst)
		t->worst = end - begin;
	record(t, begin, end, 0, &op, &r);
}

static void read_cell(struct load_thread *t)
{
	struct load *l = t->load;
	struct load_result r = { UINT64_MAX, 0 };
	struct load_op op = { .cell = below(t, LOAD_CELLS) };
	uint64_t begin = l->now();

	must(t, "read", nr_read(t->context, &op, sizeof(op), &r));
	t->reads++;
	record(t, begin, l->now(), 1, &op, &r);
}

/*
 * Submit some, up to a full ring, with a synchronous one among them, which must
 * not overtake them; reap them, one at a time or all. They end when they are
 * reaped.
 */
static void submit(struct load_thread *t)
{
	struct load_result r[4];
	struct load_op op[4];
	uint64_t begin[4], tags[4];
	unsigned n = 1 + below(t, 4), reaped = 0;
	uint64_t first = t->updates, last = 0;
	int got;

	for (unsigned i = 0; i < n; i++) {
		size_t len = make_op(t, &op[i]);

		r[i].at = UINT64_MAX;
		begin[i] = t->load->now();
		must(t, "submit",
		     nr_submit(t->context, &op[i], len, &r[i], first + i));
		t->updates++;
	}
	if (below(t, 2)) {
		uint32_t was = t->nevents;

		update(t);
		if (t->load->attr.keep)
			last = t->events[was].at;
	}
	while (reaped < n) {
		got = below(t, 2)
			      ? nr_poll(t->context, tags + reaped, n - reaped)
			      : nr_wait(t->context, tags + reaped, n - reaped,
					1 + below(t, n));
		if (got < 0)
			must(t, "poll", got);
		reaped += (unsigned)got;
		if (!got)
			nr_test_idle();
	}
	for (unsigned i = 0; i < n; i++) {
		if (tags[i] != first + i)
			t->load->fail("reaped out of order");
		if (i && r[i].at <= r[i - 1].at)
			t->load->fail("done out of order");
		if (last && r[i].at >= last)
			t->load->fail("overtaken by a later update");
		record(t, begin[i], t->load->now(), 0, &op[i], &r[i]);
	}
	if (nr_poll(t->context, tags, 1) != -ENOENT)
		t->load->fail("something is outstanding");
}

static void step(struct load_thread *t)
{
	const struct load_attr *a = &t->load->attr;
	uint32_t what = below(t, 100);

	if (what < a->reads)
		read_cell(t);
	else if (what < a->reads + a->syncs)
		nr_sync(t->context);
	else if (what < a->reads + a->syncs + a->submits)
		submit(t);
	else
		update(t);
}

static void join(struct load_thread *t, uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;

	attr.replica = replica;
	attr.depth = 4u << below(t, 2);
	must(t, "register", nr_register(t->load->nr, &attr, &t->context));
	if (replica && nr_context_replica(t->context) != replica)
		t->load->fail("registered elsewhere");
}

static void leave(struct load_thread *t)
{
	nr_leave(t->context);
	t->context = NULL;
}

/* Replicas come and go; one in use cannot go. */
static void add_and_remove(struct load_thread *t)
{
	struct nr *nr = t->load->nr;

	for (uint32_t i = 0; i < t->load->attr.adds; i++) {
		int id = nr_replica_add(nr, -1);

		if (id <= 0) {
			must(t, "add", id);
			return;
		}
		join(t, (uint32_t)id);
		read_cell(t);
		for (uint32_t k = 0; k < 2; k++)
			step(t);
		if (nr_replica_remove(nr, (uint32_t)id) != -EBUSY) {
			t->load->fail("a replica in use was removed");
			return;
		}
		read_cell(t);
		leave(t);
		must(t, "remove", nr_replica_remove(nr, (uint32_t)id));
	}
}

void load_thread(void *thread)
{
	struct load_thread *t = thread;
	const struct load_attr *a = &t->load->attr;
	uint32_t n = a->spread ? a->spread : a->replicas;

	if (a->adds && !t->number) {
		add_and_remove(t);
		return;
	}
	if (a->joins && !t->number) {
		for (uint32_t i = 0; i < a->joins; i++) {
			join(t, 1 + i % n);
			step(t);
			leave(t);
		}
		return;
	}
	if (t->number >= a->threads - a->idlers) {
		/* on those replicas that the others do not use, if any */
		join(t, a->replicas - t->number % (a->replicas - n + 1));
		return;
	}
	join(t, 1 + t->number % n);
	for (uint32_t i = 0; i < a->steps; i++)
		step(t);
	leave(t);
}

/* ------------------------------------------------------------------------- */

static void make_threads(struct load *l, uint64_t seed)
{
	memset(l->threads, 0, sizeof(l->threads));
	for (uint32_t i = 0; i < l->attr.threads; i++) {
		l->threads[i].load = l;
		l->threads[i].number = i;
		l->threads[i].random = seed * LOAD_THREADS + i;
	}
}

void load_begin(struct load *l, const struct load_attr *attr, uint64_t seed)
{
	struct nr_attr a = NR_ATTR_INIT;
	int err;

	sched_mapped(1);
	l->attr = *attr;
	a.topology = attr->topology ? attr->topology : "2x1";
	a.log_size = attr->log_size;
	a.batch = attr->batch;
	a.replicas = attr->replicas;
	err = nr_create(&load_ops, &a, &l->nr);
	if (err) {
		fprintf(stderr, "# nr_create: %s\n", strerror(-err));
		abort();
	}
	l->updates = 0;
	memset(l->state, 0, sizeof(l->state));
	make_threads(l, seed);
}

/* All that they did, in one piece */
static struct event *gather(struct load *l, size_t *n)
{
	struct event *all;
	size_t at = 0;

	*n = 0;
	for (uint32_t i = 0; i < l->attr.threads; i++)
		*n += l->threads[i].nevents;
	all = malloc((*n + 1) * sizeof(*all));
	if (!all)
		abort();
	for (uint32_t i = 0; i < l->attr.threads; i++) {
		struct load_thread *t = &l->threads[i];

		if (t->nevents)
			memcpy(all + at, t->events, t->nevents * sizeof(*all));
		at += t->nevents;
		free(t->events);
		t->events = NULL;
	}
	return all;
}

static const char *check(struct load *l)
{
	const int whole = !l->updates;
	uint64_t updates = l->updates;
	const char *bad = NULL;
	struct event *all;
	size_t n;

	for (uint32_t i = 0; i < l->attr.threads; i++) {
		updates += l->threads[i].updates;
		if (l->threads[i].context)
			leave(&l->threads[i]);
	}
	all = gather(l, &n);
	if (l->attr.keep)
		bad = history_check_indices(all, n, l->updates);
	if (!bad && l->attr.keep)
		bad = history_replay(&load_model, l->state, all, n);
	if (!bad && l->attr.keep && whole && n <= HISTORY_MAX)
		bad = history_check(&load_model, all, n);
	free(all);
	l->updates = updates;
	return bad ? bad : load_equal(l->nr, updates);
}

const char *load_go_on(struct load *l, uint64_t seed)
{
	const char *bad = check(l);

	make_threads(l, seed);
	return bad;
}

const char *load_end(struct load *l)
{
	const char *bad = check(l);

	if (nr_destroy(l->nr) && !bad)
		bad = "contexts are left";
	if (sched_mapped(0) && !bad)
		bad = "memory is left";
	return bad;
}
