/* SPDX-License-Identifier: MIT */
/*
 * nr_async_test.c - asynchronous updates of what is ready-made, and of several
 * logs
 */
#include "testlib.h"

#include "cnr.h"
#include "nr_cnr_object.h"
#include "nr_map_equal.h"
#include "nr_omap.h"
#include "nr_queue.h"

static struct nr_attr two_places(void)
{
	struct nr_attr nr = NR_ATTR_INIT;

	nr.topology = "2x1";
	nr.log_size = 64;
	return nr;
}

static struct nr_context_attr on(uint32_t replica, uint32_t depth)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;

	attr.replica = replica;
	attr.depth = depth;
	return attr;
}

static struct nr_map *make_map(void)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr nr = two_places();
	struct nr_map *m;

	attr.nr = &nr;
	assert_int_equal(nr_map_create(&attr, &m), 0);
	return m;
}

static struct nr_map_context *join_map(struct nr_map *m, uint32_t replica)
{
	struct nr_context_attr attr = on(replica, 0);
	struct nr_map_context *c;

	assert_int_equal(nr_map_register(m, &attr, &c), 0);
	return c;
}

/* ---- the hash map ------------------------------------------------------- */

/* Submit it, again and again while there was no room. */
static int put_later(struct nr_map_context *c, uint64_t i, const void *value,
		     size_t len)
{
	struct nr_done done;

	do {
		assert_int_equal(nr_map_submit_put(c, &i, 8, value, len, 0, i),
				 0);
		assert_int_equal(nr_map_wait(c, &done, 1, 1), 1);
		assert_true(done.tag == i);
	} while (done.ret == -EAGAIN);
	return done.ret;
}

static void map(void **state)
{
	struct nr_map *m = make_map();
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_map_context *c, *other = join_map(m, 2);
	static char long_value[4000];
	struct nr_done done[200];
	uint64_t v;

	(void)state;
	attr.replica = 1;
	attr.depth = 128;
	assert_int_equal(nr_map_register(m, &attr, &c), 0);
	assert_int_equal(nr_map_poll(c, done, 1), -ENOENT);
	assert_int_equal(nr_map_wait(c, done, 1, 1), -ENOENT);
	assert_int_equal(put_later(c, 0, "x", 1), 0);
	/* as many as it has room for, in order, more than are reaped at once */
	for (uint64_t i = 0; i < 128; i++)
		assert_int_equal(nr_map_submit_put(c, "k", 1, &i, 8, 0, i + 7),
				 0);
	assert_int_equal(nr_map_submit_put(c, "k", 1, "x", 1, 0, 0), -EAGAIN);
	assert_int_equal(nr_map_submit_remove(c, "k", 1, 0), -EAGAIN);
	assert_int_equal(nr_map_wait(c, done, 200, 128), 128);
	for (unsigned i = 0; i < 128; i++) {
		assert_true(done[i].tag == i + 7);
		assert_int_equal(done[i].ret, i != 0);
	}
	assert_int_equal(nr_map_get(other, "k", 1, &v, 8), 8);
	assert_true(v == 127);
	/* what has been done is reaped, all of it */
	for (uint64_t i = 0; i < 128; i++)
		assert_int_equal(nr_map_submit_put(c, "k", 1, &i, 8, 0, i), 0);
	assert_int_equal(nr_map_put(c, "k", 1, &v, 8, 0), 1);
	assert_int_equal(nr_map_poll(c, done, 100), 100);
	assert_int_equal(nr_map_poll(c, done, 200), 28);
	assert_true(done[27].tag == 127);
	/* a synchronous one comes after them */
	assert_int_equal(nr_map_submit_remove(c, "k", 1, 1), 0);
	assert_int_equal(nr_map_submit_remove(c, "k", 1, 2), 0);
	assert_int_equal(nr_map_submit_put(c, "k", 1, "a", 1, NR_CREATE, 3), 0);
	assert_int_equal(nr_map_put(c, "k", 1, "b", 1, NR_CREATE), -EEXIST);
	assert_int_equal(nr_map_poll(c, done, 200), 3);
	assert_int_equal(done[0].ret, 0);
	assert_int_equal(done[1].ret, -ENOENT);
	assert_int_equal(done[2].ret, 0);
	assert_int_equal(
		nr_map_submit_put(c, v ? "k" : "", NR_KEY_MAX, "", 0, 0, 0),
		-EMSGSIZE);
	assert_int_equal(nr_map_submit_put(c, "k", 1, "", 0, 3, 0), -EINVAL);
	assert_int_equal(nr_map_submit_remove(c, "k", NR_KEY_MAX, 0),
			 -EMSGSIZE);
	/* long ones, for which chunks and buckets have to be made */
	for (uint64_t i = 1; i < 2000; i++)
		assert_int_equal(put_later(c, i, long_value, i * 37 % 4000), 0);
	assert_true(nr_map_count(other) == 2001);
	for (uint64_t i = 1; i < 2000; i++)
		assert_int_equal(nr_map_get(other, &i, 8, NULL, 0),
				 i * 37 % 4000);
	/* what is outstanding is done, and its result dropped */
	assert_int_equal(nr_map_submit_put(c, "last", 4, "x", 1, 0, 0), 0);
	nr_map_leave(c);
	assert_int_equal(nr_map_get(other, "last", 4, NULL, 0), 1);
	assert_true(map_is_equal(m));
	nr_map_leave(other);
	assert_int_equal(nr_map_destroy(m), 0);
}

/* ---- the ordered map ---------------------------------------------------- */

static void ordered_map(void **state)
{
	struct nr_omap_attr attr = NR_OMAP_ATTR_INIT;
	struct nr_context_attr cattr = on(1, 128);
	struct nr_attr nr = two_places();
	static char value[4000];
	struct nr_omap_context *c, *other;
	struct nr_done done[200];
	struct nr_omap *m;

	(void)state;
	attr.nr = &nr;
	assert_int_equal(nr_omap_create(&attr, &m), 0);
	assert_int_equal(nr_omap_register(m, &cattr, &c), 0);
	cattr.replica = 2;
	assert_int_equal(nr_omap_register(m, &cattr, &other), 0);
	assert_int_equal(nr_omap_poll(c, done, 1), -ENOENT);
	assert_int_equal(nr_omap_wait(c, done, 1, 1), -ENOENT);
	/* All that there is no room for say so, and are put again. */
	for (unsigned char i = 0; i < 128; i++)
		assert_int_equal(nr_omap_submit_put(c, &i, 1, value,
						    i * 37u % 4000, NR_CREATE,
						    i),
				 0);
	assert_int_equal(nr_omap_submit_put(c, "", 0, "", 0, 0, 0), -EAGAIN);
	for (unsigned all = 0, n = 0; all < 128;) {
		int got = nr_omap_wait(c, done, 200, 1);

		assert_true(got > 0);
		for (int i = 0; i < got; i++) {
			unsigned char key = (unsigned char)done[i].tag;

			assert_true(done[i].ret == 0 || done[i].ret == -EAGAIN);
			all += !done[i].ret;
			if (done[i].ret == -EAGAIN)
				assert_int_equal(
					nr_omap_submit_put(c, &key, 1, value,
							   key * 37u % 4000,
							   NR_CREATE, key),
					0);
		}
		assert_true(++n < 1000);
	}
	assert_int_equal(nr_omap_poll(c, done, 1), -ENOENT);
	assert_true(nr_omap_count(other) == 128);
	for (unsigned char i = 0; i < 128; i++)
		assert_int_equal(nr_omap_get(other, &i, 1, NULL, 0),
				 i * 37 % 4000);
	/* in order, and before a synchronous one */
	assert_int_equal(nr_omap_submit_remove(c, "\5", 1, 1), 0);
	assert_int_equal(nr_omap_submit_remove(c, "\5", 1, 2), 0);
	assert_int_equal(nr_omap_submit_put(c, "\6", 1, "", 0, NR_CREATE, 3),
			 0);
	assert_int_equal(nr_omap_put(c, "\5", 1, "", 0, NR_REPLACE), -ENOENT);
	assert_int_equal(nr_omap_poll(c, done, 200), 3);
	assert_true(done[0].tag == 1 && done[0].ret == 0);
	assert_true(done[1].tag == 2 && done[1].ret == -ENOENT);
	assert_true(done[2].tag == 3 && done[2].ret == -EEXIST);
	assert_int_equal(nr_omap_submit_put(c, "", NR_KEY_MAX, "", 0, 0, 0),
			 -EMSGSIZE);
	assert_int_equal(nr_omap_submit_put(c, "", 0, "", 0, 3, 0), -EINVAL);
	assert_int_equal(nr_omap_submit_remove(c, "", NR_KEY_MAX, 0),
			 -EMSGSIZE);
	/* what is outstanding is done, and its result dropped */
	assert_int_equal(nr_omap_submit_remove(c, "\7", 1, 1), 0);
	nr_omap_leave(c);
	assert_int_equal(nr_omap_get(other, "\7", 1, NULL, 0), -ENOENT);
	assert_true(is_sorted_equal(nr_omap_nr(m)));
	nr_omap_leave(other);
	assert_int_equal(nr_omap_destroy(m), 0);
}

/* ---- queues ------------------------------------------------------------- */

static void queue(void **state)
{
	struct nr_queue_attr attr = NR_QUEUE_ATTR_INIT;
	struct nr_context_attr cattr = on(1, 32);
	struct nr_attr nr = two_places();
	struct nr_queue_context *c;
	struct nr_done done[100];
	uint64_t item, next = 0;
	struct nr_queue *q;

	(void)state;
	attr.nr = &nr;
	assert_int_equal(nr_queue_create(&attr, &q), 0);
	assert_int_equal(nr_queue_register(q, &cattr, &c), 0);
	assert_int_equal(nr_queue_poll(c, done, 1), -ENOENT);
	assert_int_equal(nr_queue_wait(c, done, 1, 1), -ENOENT);
	assert_int_equal(nr_queue_put(c, &next, 8, 0), 0);
	for (item = 1; item <= 32; item++)
		assert_int_equal(nr_queue_submit_put(c, &item, 8, 0, item), 0);
	assert_int_equal(nr_queue_submit_put(c, "", 0, 0, 0), -EAGAIN);
	assert_int_equal(nr_queue_submit_put(c, "", NR_ITEM_MAX, 0, 0),
			 -EMSGSIZE);
	/* before one that waits; and what has been done is reaped, all of it */
	assert_int_equal(nr_queue_put(c, &item, 8, 0), 0);
	assert_int_equal(nr_queue_poll(c, done, 100), 32);
	for (unsigned i = 0; i < 32; i++)
		assert_true(done[i].tag == i + 1 && done[i].ret == 0);
	assert_true(nr_queue_count(c) == 34);
	for (; next < 34; next++) {
		assert_int_equal(nr_queue_take(c, &item, 8, NULL), 8);
		assert_true(item == next);
	}
	assert_int_equal(nr_queue_submit_put(c, "late", 4, 0, 9), 0);
	assert_int_equal(nr_queue_wait(c, done, 5, 5), 1);
	assert_true(done->tag == 9 && done->ret == 0);
	assert_int_equal(nr_queue_submit_put(c, "later", 5, 0, 9), 0);
	nr_queue_leave(c);
	assert_int_equal(nr_queue_register(q, &cattr, &c), 0);
	assert_true(nr_queue_count(c) == 2);
	assert_true(is_sorted_equal(nr_queue_nr(q)));
	nr_queue_leave(c);
	assert_int_equal(nr_queue_destroy(q), 0);
}

/* ---- several logs ------------------------------------------------------- */

static const struct cnr_test four_logs = { 4, 0, 0 };

static struct nr_cnr *make_cnr(void)
{
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_attr nr = two_places();
	struct nr_cnr *cnr;

	nr.arg = (void *)(uintptr_t)&four_logs;
	attr.nr = &nr;
	attr.logs = four_logs.logs;
	assert_int_equal(nr_cnr_create(&cnr_test_ops, &attr, &cnr), 0);
	return cnr;
}

static struct nr_cnr_context *join_cnr(struct nr_cnr *cnr, uint32_t replica)
{
	struct nr_context_attr attr = on(replica, 16);
	struct nr_cnr_context *c;

	assert_int_equal(nr_cnr_register(cnr, &attr, &c), 0);
	return c;
}

static int submit(struct nr_cnr_context *c, enum cnr_kind kind, uint64_t cell,
		  uint64_t value, uint64_t *result, uint64_t tag)
{
	struct cnr_test_op op = { .kind = kind,
				  .cell = cell,
				  .other = (cell + 1) % CNR_CELLS,
				  .value = value };

	return nr_cnr_submit(c, &op, sizeof(op), result, tag);
}

static uint64_t update(struct nr_cnr_context *c, enum cnr_kind kind,
		       uint64_t cell)
{
	struct cnr_test_op op = { .kind = kind, .cell = cell, .value = 1 };
	uint64_t result = UINT64_MAX;

	assert_int_equal(nr_cnr_update(c, &op, sizeof(op), &result), 0);
	return result;
}

static void logs(void **state)
{
	struct nr_cnr *cnr = make_cnr();
	struct nr_cnr_context *c = join_cnr(cnr, 1), *d = join_cnr(cnr, 1);
	uint64_t result[17], tags[20], sum = 0;
	struct gate *g;

	(void)state;
	assert_int_equal(nr_cnr_poll(c, tags, 1), -ENOENT);
	assert_int_equal(nr_cnr_wait(c, tags, 1, 1), -ENOENT);
	/* as many as it has room for, in all logs; reaped in order */
	for (uint64_t i = 0; i < 16; i++)
		assert_int_equal(
			submit(c, CNR_ADD, i * i % 4, 1, &result[i], 100 + i),
			0);
	assert_int_equal(submit(c, CNR_ADD, 0, 1, NULL, 0), -EAGAIN);
	assert_int_equal(submit(c, CNR_MOVE, 0, 1, NULL, 0), -ENOTSUP);
	assert_int_equal(submit(c, CNR_ADD_ALL, 0, 1, NULL, 0), -ENOTSUP);
	assert_int_equal(nr_cnr_submit(c, tags, (size_t)1 << 30, NULL, 0),
			 -EMSGSIZE);
	assert_int_equal(nr_cnr_wait(c, tags, 20, 20), 16);
	sum += 16;
	for (uint64_t i = 0; i < 16; i++) {
		assert_true(tags[i] == 100 + i);
		assert_true(result[i] == i / 2);
	}
	/* done by another thread in one log, not in the other: in order */
	assert_int_equal(submit(c, CNR_ADD, 0, 5, &result[0], 1), 0);
	assert_int_equal(submit(c, CNR_ADD, 2, 7, &result[1], 2), 0);
	assert_true(update(d, CNR_ADD, 2) == 0);
	assert_int_equal(nr_cnr_poll(c, tags, 20), 2);
	assert_true(tags[0] == 1 && tags[1] == 2);
	assert_true(result[0] == 8 && result[1] == 1);
	sum += 5 + 7 + 1;
	/* before those of their thread that wait, in that log, and in all */
	assert_int_equal(submit(c, CNR_ADD, 1, 5, NULL, 3), 0);
	assert_true(update(c, CNR_ADD, 1) == 8 + 5);
	assert_int_equal(submit(c, CNR_ADD, 3, 9, NULL, 4), 0);
	sum += 5 + 1 + 9;
	assert_true(update(c, CNR_ADD_ALL, 0) == sum);
	sum += CNR_CELLS;
	assert_int_equal(nr_cnr_poll(c, NULL, 1), 1);
	assert_int_equal(nr_cnr_poll(c, tags, 20), 1);
	assert_true(tags[0] == 4);
	/* a poll does not wait for a combiner */
	g = &cnr->replicas->parts[1]->lock.gate;
	gate_lock(g);
	assert_int_equal(submit(c, CNR_ADD, 1, 1, NULL, 5), 0);
	assert_int_equal(submit(c, CNR_ADD, 2, 1, NULL, 6), 0);
	assert_int_equal(nr_cnr_poll(c, tags, 20), 0);
	gate_unlock(g);
	assert_int_equal(nr_cnr_wait(c, tags, 20, 1), 2);
	assert_true(tags[0] == 5 && tags[1] == 6);
	assert_int_equal(nr_cnr_poll(c, tags, 20), -ENOENT);
	/* what is outstanding is done, and its result dropped */
	assert_int_equal(submit(c, CNR_ADD, 0, 1, &result[0], 7), 0);
	assert_int_equal(submit(c, CNR_ADD, 1, 1, &result[0], 7), 0);
	nr_cnr_leave(c);
	sum += 4;
	assert_null(cnr_test_equal(cnr, sum));
	nr_cnr_leave(d);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map),
		cmocka_unit_test(ordered_map),
		cmocka_unit_test(queue),
		cmocka_unit_test(logs),
	};

	return cmocka_run_group_tests_name("asynchronous", tests, NULL, NULL);
}
