/* SPDX-License-Identifier: MIT */
/* nr_cnr_parts_test.c - several logs from inside: parts of replicas */
#include "testlib.h"

#include "cnr.h"
#include "nr_cnr_object.h"

#define LOG_SIZE 1024u
#define SIXTEENTH (LOG_SIZE / 16)

static const struct cnr_test two_logs = { 2, 0, 0 };
static const struct cnr_test four_logs = { 4, 0, 0 };

static struct nr_cnr *make(const struct cnr_test *test)
{
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_cnr *cnr;

	nr.topology = "2x1";
	nr.log_size = LOG_SIZE;
	nr.batch = 8;
	nr.arg = (void *)(uintptr_t)test;
	attr.nr = &nr;
	attr.logs = test->logs;
	assert_int_equal(nr_cnr_create(&cnr_test_ops, &attr, &cnr), 0);
	return cnr;
}

static struct nr_cnr_context *join(struct nr_cnr *cnr, uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_cnr_context *c;

	attr.replica = replica;
	assert_int_equal(nr_cnr_register(cnr, &attr, &c), 0);
	return c;
}

static struct replica *part(struct nr_cnr *cnr, uint32_t replica, uint32_t log)
{
	struct cnr_replica *r = cnr->replicas;

	while (r->id != replica)
		r = r->next;
	return r->parts[log];
}

/* Updates of one class, or of all. Return: what they add to the sum. */
static uint64_t update(struct nr_cnr_context *c, enum cnr_kind kind,
		       uint64_t cell, unsigned times)
{
	const struct cnr_test_op op = { .kind = kind,
					.cell = cell,
					.value = 1 };

	for (unsigned i = 0; i < times; i++)
		assert_int_equal(nr_cnr_update(c, &op, sizeof(op), NULL), 0);
	return times * (kind == CNR_ADD_ALL ? CNR_CELLS : 1);
}

/* ---- helping ------------------------------------------------------------ */

/* How far a replica is, in all logs. */
static uint64_t applied(struct nr_cnr *cnr, uint32_t replica)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < nr_cnr_logs(cnr); i++)
		n += load_relaxed(&part(cnr, replica, i)->ltail);
	return n;
}

/* As one who finds no room in that log, on the second replica. */
static void make_room(struct nr_cnr *cnr, uint32_t log)
{
	struct replica *r = part(cnr, 2, log);

	gate_lock(&r->lock.gate);
	replica_make_room(r);
	gate_unlock(&r->lock.gate);
}

/*
 * The first replica's threads are away, and far behind in all logs; what is
 * next in the first one needs them all. Who helps there does no more than who
 * helps where there is one log, and in the end it has been done.
 */
static void help_is_bounded(void **state)
{
	struct nr_cnr *cnr = make(&four_logs);
	struct nr_cnr_context *c = join(cnr, 2);
	uint64_t sum = 0, was = 0, now;
	unsigned helps = 0;

	(void)state;
	for (uint64_t i = 1; i < 4; i++)
		sum += update(c, CNR_ADD, i, 300);
	sum += update(c, CNR_ADD_ALL, 0, 1);
	while (load_relaxed(&part(cnr, 1, 0)->ltail) == 0) {
		make_room(cnr, 0);
		now = applied(cnr, 1);
		/* and the operation itself, in each log */
		assert_true(now > was && now - was <= SIXTEENTH + 4);
		was = now;
		helps++;
	}
	assert_int_equal(helps, (3 * 300 + SIXTEENTH - 1) / SIXTEENTH);
	assert_int_equal(applied(cnr, 1), 3 * 300 + 4);
	assert_null(cnr_test_equal(cnr, sum));
	nr_cnr_leave(c);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

/* One such operation after the other: each helper does one at most. */
static void help_is_once(void **state)
{
	struct nr_cnr *cnr = make(&two_logs);
	struct nr_cnr_context *c = join(cnr, 2);
	uint64_t sum = update(c, CNR_ADD_ALL, 0, 20), was = 0, now;

	(void)state;
	for (unsigned helps = 0; was < 2 * 20; was = now) {
		/* The first one in each log finds the head only. */
		make_room(cnr, helps++ / 2 & 1);
		now = applied(cnr, 1);
		assert_true(now == was || now == was + 2);
		assert_true(helps <= 4 * 20);
	}
	assert_null(cnr_test_equal(cnr, sum));
	nr_cnr_leave(c);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

/* Who of that replica waits for a part gets it. */
static void help_keeps_away(void **state)
{
	struct nr_cnr *cnr = make(&two_logs);
	struct nr_cnr_context *c = join(cnr, 2);
	uint64_t sum = update(c, CNR_ADD, 1, 20);
	struct replica *r = part(cnr, 1, 1);

	(void)state;
	part_of(r)->wanted = 1;
	make_room(cnr, 1);
	assert_int_equal(applied(cnr, 1), 0);
	part_of(r)->wanted = 0;
	gate_lock(&part_of(r)->replica->helping);
	make_room(cnr, 1);
	assert_int_equal(applied(cnr, 1), 0);
	gate_unlock(&part_of(r)->replica->helping);
	make_room(cnr, 1);
	assert_int_equal(applied(cnr, 1), 20);
	assert_null(cnr_test_equal(cnr, sum));
	nr_cnr_leave(c);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

/* Who has come to the operation waits there: his gate is not wanted. */
static void help_where_one_has_come(void **state)
{
	struct nr_cnr *cnr = make(&two_logs);
	struct nr_cnr_context *c = join(cnr, 2);
	uint64_t sum = update(c, CNR_ADD_ALL, 0, 1);
	struct replica *r = part(cnr, 1, 1);

	(void)state;
	/* As its combiner would: cnr_meet.c. */
	gate_lock(&r->lock.gate);
	make_room(cnr, 0);
	assert_int_equal(applied(cnr, 1), 0);
	rlock_write_begin(&r->lock);
	store_release(&part_of(r)->arrived, 1);
	make_room(cnr, 0);
	assert_int_equal(part(cnr, 1, 0)->ltail, 1);
	assert_int_equal(r->ltail, 0);
	cnr_let_go(r, 0);
	gate_unlock(&r->lock.gate);
	assert_null(cnr_test_equal(cnr, sum));
	nr_cnr_leave(c);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

/* ---- statistics --------------------------------------------------------- */

static void read_it(struct nr_cnr_context *c, enum cnr_kind kind, uint64_t cell,
		    uint64_t other, unsigned times)
{
	const struct cnr_test_op op = { .kind = kind,
					.cell = cell,
					.other = other };
	uint64_t v;

	for (unsigned i = 0; i < times; i++)
		assert_int_equal(nr_cnr_read(c, &op, sizeof(op), &v), 0);
}

/* Both replicas'. */
static void expect(struct nr_cnr *cnr, uint32_t log, uint64_t updates,
		   uint64_t reads, uint64_t tail, uint64_t batches)
{
	struct nr_replica_stats r[2] = { { .size = sizeof(r[0]) } };
	struct nr_stats s = { .size = sizeof(s) };

	assert_int_equal(nr_stats(nr_cnr_log(cnr, log), &s, r, 2), 2);
	assert_int_equal(r[0].updates + r[1].updates, updates);
	assert_int_equal(r[0].reads + r[1].reads, reads);
	assert_int_equal(r[0].batches + r[1].batches, batches);
	assert_int_equal(s.log_tail, tail);
	assert_int_equal(r[1].applied, tail);
}

/* Operations are counted once, entries in each log. */
static void statistics(void **state)
{
	struct nr_cnr_stats s = { .size = sizeof(s) };
	struct nr_cnr *cnr = make(&four_logs);
	struct nr_cnr_context *a = join(cnr, 1), *b = join(cnr, 2);
	struct cnr_test_op move = {
		.kind = CNR_MOVE, .cell = 3, .other = 2, .value = 1
	};
	uint64_t sum;

	(void)state;
	sum = update(a, CNR_ADD, 0, 5) + update(b, CNR_ADD, 2, 7) +
	      update(b, CNR_ADD_ALL, 0, 3);
	assert_int_equal(nr_cnr_update(b, &move, sizeof(move), NULL), 0);
	read_it(a, CNR_GET, 2, 0, 4);
	read_it(b, CNR_PAIR, 3, 1, 6);
	read_it(b, CNR_SUM, 0, 0, 2);
	nr_cnr_sync(b);
	/* both go, and what they have done is still known */
	for (int i = 0; i < 2; i++) {
		expect(cnr, 0, 5 + 3, 2, 5 + 3, 5);
		expect(cnr, 1, 0, 6, 3, 0);
		expect(cnr, 2, 7 + 1, 4, 7 + 3 + 1, 7);
		expect(cnr, 3, 0, 0, 3 + 1, 0);
		if (!i) {
			nr_cnr_leave(a);
			nr_cnr_leave(b);
		}
	}
	assert_int_equal(nr_cnr_stats(cnr, &s), 0);
	assert_int_equal(s.updates, 3 + 1);
	assert_int_equal(s.reads, 0);
	assert_int_equal(s.visits, 0);
	assert_int_equal(s.empty, 0);
	assert_null(cnr_test_equal(cnr, sum));
	assert_int_equal(nr_cnr_stats(cnr, &s), 0);
	assert_int_equal(s.visits, 2);
	s.size = 0;
	assert_int_equal(nr_cnr_stats(cnr, &s), -EINVAL);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

/* ---- room --------------------------------------------------------------- */

/* Combiners leave an entry for who needs one in several logs. */
static void room_is_kept(void **state)
{
	struct log log = { .entries = NULL };
	uint64_t at = 0;

	(void)state;
	assert_int_equal(log_init(&log, 8, LOG_OP_SIZE), 0);
	assert_int_equal(log_take(&log, 5, &at), 1);
	log_keep(&log, 1);
	assert_int_equal(log_take(&log, 3, &at), 0);
	assert_int_equal(log_take(&log, 2, &at), 1);
	assert_int_equal(at, 5);
	assert_int_equal(log_take(&log, 1, &at), 0);
	assert_int_equal(log_take_kept(&log, &at), 1);
	assert_int_equal(at, 7);
	assert_int_equal(log_take_kept(&log, &at), 0);
	log_keep(&log, 0);
	store_relaxed(&log.ctail, 8);
	log_collected(&log, 8);
	assert_int_equal(log_take(&log, 8, &at), 1);
	for (uint64_t i = 0; i < 8; i++)
		log_write(&log, 8 + i, NULL, 0);
	log_fini(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help_is_bounded),
		cmocka_unit_test(help_is_once),
		cmocka_unit_test(help_keeps_away),
		cmocka_unit_test(help_where_one_has_come),
		cmocka_unit_test(statistics),
		cmocka_unit_test(room_is_kept),
	};

	return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
