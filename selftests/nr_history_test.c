/* SPDX-License-Identifier: MIT */
/* nr_history_test.c - do the checkers of histories see what is wrong? */
#include "testlib.h"

#include "nr_history.h"
#include "nr_load.h"
#include "nr_sched.h"

/* ---- by indices --------------------------------------------------------- */

/* { begin, end, read?, index or version } */
#define E(b, e, r, a)                                                          \
	{                                                                      \
		.begin = (b), .end = (e), .is_read = (r), .at = (a)            \
	}

static void indices(struct event *events, size_t n, int good)
{
	const char *bad = history_check_indices(events, n, 0);

	if (good && bad)
		fail_msg("refused: %s", bad);
	if (!good && !bad)
		fail_msg("accepted");
}

static void by_index(void **state)
{
	struct event in_order[] = { E(1, 2, 0, 0), E(3, 4, 0, 1), E(5, 6, 1, 2),
				    E(7, 8, 0, 2), E(9, 10, 1, 3) };
	struct event concurrent[] = { E(1, 9, 0, 1), E(2, 8, 0, 0),
				      E(3, 4, 1, 0), E(5, 6, 1, 2) };
	struct event doubled[] = { E(1, 2, 0, 0), E(3, 4, 0, 0) };
	struct event lost[] = { E(1, 2, 0, 0), E(3, 4, 0, 2) };
	struct event turned[] = { E(1, 2, 0, 1), E(3, 4, 0, 0) };
	/* an update had returned: the read must see it */
	struct event stale[] = { E(1, 2, 0, 0), E(3, 4, 1, 0) };
	/* one read has seen it: a later one must, too (bug 1) */
	struct event back[] = { E(1, 9, 0, 0), E(2, 3, 1, 1), E(4, 5, 1, 0) };
	/* a read of what begins only later */
	struct event early[] = { E(1, 2, 1, 1), E(3, 4, 0, 0) };

	(void)state;
	indices(in_order, ARRAY_LEN(in_order), 1);
	indices(concurrent, ARRAY_LEN(concurrent), 1);
	indices(doubled, ARRAY_LEN(doubled), 0);
	indices(lost, ARRAY_LEN(lost), 0);
	indices(turned, ARRAY_LEN(turned), 0);
	indices(stale, ARRAY_LEN(stale), 0);
	indices(back, ARRAY_LEN(back), 0);
	indices(early, ARRAY_LEN(early), 0);
	indices(NULL, 0, 1);
}

/* ---- by a model --------------------------------------------------------- */

/* A queue of at most 7: { 0, value } puts, { 1 } takes, 0: empty. */
struct queue {
	uint64_t n, v[7];
};

static int queue_apply(void *state, const uint64_t *op, uint64_t result)
{
	struct queue *q = state;
	uint64_t first = q->n ? q->v[0] : 0;

	if (op[0] == 0) {
		q->v[q->n++] = op[1];
		return 1;
	}
	if (q->n) {
		memmove(q->v, q->v + 1, sizeof(q->v) - sizeof(q->v[0]));
		q->n--;
		q->v[6] = 0;
	}
	return result == first;
}

static const struct history_model queue_model = {
	.size = sizeof(struct queue),
	.apply = queue_apply,
};

#define PUT(b, e, v)                                                           \
	{                                                                      \
		.begin = (b), .end = (e), .op = { 0, (v) }                     \
	}
#define TAKE(b, e, v)                                                          \
	{                                                                      \
		.begin = (b), .end = (e), .op = { 1 }, .result = (v)           \
	}

static void model(const struct event *events, size_t n, int good)
{
	const char *bad = history_check(&queue_model, events, n);

	if (good && bad)
		fail_msg("refused: %s", bad);
	if (!good && !bad)
		fail_msg("accepted");
}

static void by_model(void **state)
{
	struct event in_order[] = { PUT(1, 2, 5), PUT(3, 4, 6), TAKE(5, 6, 5),
				    TAKE(7, 8, 6), TAKE(9, 10, 0) };
	struct event either[] = { PUT(1, 5, 5), PUT(2, 4, 6), TAKE(6, 7, 6),
				  TAKE(8, 9, 5) };
	struct event beside[] = { TAKE(1, 9, 5), PUT(2, 3, 5) };
	struct event turned[] = { PUT(1, 2, 5), PUT(3, 4, 6), TAKE(5, 6, 6),
				  TAKE(7, 8, 5) };
	struct event lost[] = { PUT(1, 2, 5), TAKE(3, 4, 0) };
	struct event doubled[] = { PUT(1, 2, 5), TAKE(3, 9, 5), TAKE(4, 8, 5) };
	struct event early[] = { TAKE(1, 2, 5), PUT(3, 4, 5) };

	(void)state;
	model(in_order, ARRAY_LEN(in_order), 1);
	model(either, ARRAY_LEN(either), 1);
	model(beside, ARRAY_LEN(beside), 1);
	model(turned, ARRAY_LEN(turned), 0);
	model(lost, ARRAY_LEN(lost), 0);
	model(doubled, ARRAY_LEN(doubled), 0);
	model(early, ARRAY_LEN(early), 0);
	model(NULL, 0, 1);
}

/* All orders of what overlaps: by trying them one after the other. */
static int any_order(const struct event *e, size_t n, unsigned done,
		     struct queue q)
{
	if (done == (1u << n) - 1)
		return 1;
	for (size_t i = 0; i < n; i++) {
		struct queue next = q;
		int may = !(done >> i & 1);

		for (size_t k = 0; k < n; k++)
			may &= (done >> k & 1) || e[k].end >= e[i].begin;
		if (may && queue_apply(&next, e[i].op, e[i].result) &&
		    any_order(e, n, done | 1u << i, next))
			return 1;
	}
	return 0;
}

/* Random short histories, right and wrong ones: both say the same. */
static void against_brute_force(void **state)
{
	uint64_t rng = 1, right = 0, wrong = 0;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct event e[6];
		int want;

		for (size_t i = 0; i < ARRAY_LEN(e); i++) {
			memset(&e[i], 0, sizeof(e[i]));
			e[i].begin = 2 * (sched_random(&rng) % 8);
			e[i].end =
				e[i].begin + 1 + 2 * (sched_random(&rng) % 4);
			e[i].op[0] = sched_random(&rng) & 1;
			e[i].op[1] = 1 + sched_random(&rng) % 2;
			if (e[i].op[0])
				e[i].result = sched_random(&rng) % 3;
		}
		want = any_order(e, ARRAY_LEN(e), 0, (struct queue){ 0 });
		model(e, ARRAY_LEN(e), want);
		right += (uint64_t)want;
		wrong += (uint64_t)!want;
	}
	assert_true(right > 300 && wrong > 300);
}

/* The model of the load: not only what has an index is looked at. */
static void model_of_load(void **state)
{
	struct event good[] = {
		{ .begin = 1, .end = 2, .op = { LOAD_SET, 1, 7 } },
		{ .begin = 3, .end = 4, .op = { LOAD_ADD, 1, 2 }, .result = 7 },
		{ .begin = 5,
		  .end = 6,
		  .op = { 2, 1 },
		  .is_read = 1,
		  .result = 9 }
	};

	(void)state;
	assert_null(history_check(&load_model, good, 3));
	good[2].result = 7;
	assert_non_null(history_check(&load_model, good, 3));
	good[2].begin = 1; /* now it may have been before the second */
	assert_null(history_check(&load_model, good, 3));
}

/* The same by indices; and a history longer than one can search. */
static void replay(void **state)
{
	unsigned char from[HISTORY_STATE_MAX] = { 0 }, half[HISTORY_STATE_MAX];
	static struct event e[3000];
	uint64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(e); i++) {
		int is_read = i % 3 == 2;

		/* a read sees what has been added before it, in this order */
		e[i] = (struct event){ .begin = 2 * i,
				       .end = 2 * i + 1,
				       .is_read = is_read,
				       .at = i - i / 3,
				       .op = { is_read ? 2 : LOAD_ADD, 1, i },
				       .result = sum };
		sum += is_read ? 0 : i;
	}
	assert_null(history_check_indices(e, ARRAY_LEN(e), 0));
	assert_null(history_replay(&load_model, from, e, ARRAY_LEN(e)));
	/* In two pieces: the second goes on where the first has ended. */
	assert_null(history_check_indices(e + 1500, 1500, 1000));
	assert_non_null(history_check_indices(e + 1500, 1500, 0));
	assert_non_null(history_check_indices(e + 1500, 1500, 1001));
	memset(half, 0, sizeof(half));
	assert_non_null(history_replay(&load_model, half, e + 1500, 1500));
	memset(half, 0, sizeof(half));
	assert_null(history_replay(&load_model, half, e, 1500));
	assert_null(history_replay(&load_model, half, e + 1500, 1500));
	assert_memory_equal(from, half, sizeof(from));
	memset(from, 0, sizeof(from));
	e[ARRAY_LEN(e) - 1].result++;
	assert_null(history_check_indices(e, ARRAY_LEN(e), 0));
	assert_non_null(history_replay(&load_model, from, e, ARRAY_LEN(e)));
	assert_null(history_replay(&load_model, from, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_index),
		cmocka_unit_test(by_model),
		cmocka_unit_test(against_brute_force),
		cmocka_unit_test(model_of_load),
		cmocka_unit_test(replay),
	};

	return cmocka_run_group_tests_name("histories", tests, NULL, NULL);
}
