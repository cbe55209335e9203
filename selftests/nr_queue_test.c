/* SPDX-License-Identifier: MIT */
/* nr_queue_test.c - replicated queues, against a simple one; and by threads */
#include "testlib.h"

#include <pthread.h>
#include <stdatomic.h>

#include "nr_map_equal.h"
#include "nr_queue.h"
#include "nr_sched.h"

static struct nr_queue *make(enum nr_order order, uint64_t log_size)
{
	struct nr_queue_attr attr = NR_QUEUE_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_queue *q;

	nr.topology = "2x1";
	nr.log_size = log_size;
	attr.nr = &nr;
	attr.order = order;
	assert_int_equal(nr_queue_create(&attr, &q), 0);
	return q;
}

static struct nr_queue_context *join(struct nr_queue *q, uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_queue_context *c;

	attr.replica = replica;
	CHECK(nr_queue_register(q, &attr, &c) == 0);
	return c;
}

static void basics(void **state)
{
	struct nr_queue_attr attr = NR_QUEUE_ATTR_INIT;
	struct nr_queue *q = make(NR_PRIORITY, 0);
	struct nr_queue_context *a = join(q, 1), *b = join(q, 2);
	char item[8] = "";
	uint64_t priority = 0;

	(void)state;
	assert_int_equal(nr_queue_take(a, item, 8, NULL), -ENOENT);
	assert_int_equal(nr_queue_peek(a, item, 8, NULL), -ENOENT);
	assert_int_equal(nr_queue_put(a, "later", 5, UINT64_MAX), 0);
	assert_int_equal(nr_queue_put(b, "soon", 4, 3), 0);
	assert_int_equal(nr_queue_put(a, NULL, 0, 3), 0);
	assert_true(nr_queue_count(b) == 3);
	/* too long: it stays */
	assert_int_equal(nr_queue_take(b, item, 3, &priority), -EMSGSIZE);
	assert_true(nr_queue_count(b) == 3 && !priority);
	assert_int_equal(nr_queue_peek(b, item, 3, &priority), 4);
	assert_string_equal(item, "soo");
	assert_true(priority == 3);
	assert_int_equal(nr_queue_take(b, item, 8, &priority), 4);
	assert_string_equal(item, "soon");
	assert_int_equal(nr_queue_take(a, NULL, 0, NULL), 0);
	assert_int_equal(nr_queue_take(a, item, 8, &priority), 5);
	assert_true(!memcmp(item, "later", 5) && priority == UINT64_MAX);
	assert_int_equal(nr_queue_put(a, item, NR_ITEM_MAX, 0), -EMSGSIZE);
	assert_int_equal(nr_queue_replica_remove(q, 2), -EBUSY);
	assert_int_equal(nr_queue_replica_add(q, 2), -EINVAL);
	assert_int_equal(nr_queue_destroy(q), -EBUSY);
	nr_queue_leave(a);
	nr_queue_leave(b);
	nr_queue_leave(NULL);
	assert_int_equal(nr_queue_destroy(q), 0);
	assert_int_equal(nr_queue_destroy(NULL), 0);
	attr.order = 3;
	assert_int_equal(nr_queue_create(&attr, &q), -EINVAL);
}

/* ---- against a list ----------------------------------------------------- */

#define MOST 200

struct model {
	struct {
		uint64_t priority;
		size_t len;
		unsigned char fill;
	} item[MOST];
	unsigned n;
	uint64_t rng;
	enum nr_order order;
};

static uint32_t below(struct model *m, uint32_t n)
{
	return (uint32_t)(sched_random(&m->rng) % n);
}

static void model_put(struct model *m, uint64_t priority, size_t len,
		      unsigned char fill)
{
	unsigned at = m->order == NR_LIFO ? 0 : m->n;

	if (m->order != NR_PRIORITY)
		priority = 0;
	while (m->order == NR_PRIORITY && at &&
	       m->item[at - 1].priority > priority)
		at--;
	memmove(&m->item[at + 1], &m->item[at],
		(m->n++ - at) * sizeof(m->item[0]));
	m->item[at].priority = priority;
	m->item[at].len = len;
	m->item[at].fill = fill;
}

static void check_item(const struct model *m, unsigned i, const void *item,
		       size_t len, uint64_t priority)
{
	assert_true(i < m->n);
	assert_int_equal(len, m->item[i].len);
	assert_true(priority == m->item[i].priority);
	for (size_t k = 0; k < len; k++)
		assert_int_equal(((const unsigned char *)item)[k],
				 m->item[i].fill);
}

struct walk {
	const struct model *m;
	unsigned i;
};

static int walk(const void *item, size_t len, uint64_t priority, void *arg)
{
	struct walk *w = arg;

	check_item(w->m, w->i++, item, len, priority);
	return 0;
}

static void against_a_list(enum nr_order order)
{
	struct nr_queue *q = make(order, 16);
	struct nr_queue_context *c[2] = { join(q, 1), join(q, 2) };
	static struct model m;
	unsigned char item[400];
	uint64_t priority;
	int id = 0, ret;

	memset(&m, 0, sizeof(m));
	m.order = order;
	for (unsigned n = 0; n < 40000 / slowness; n++) {
		struct nr_queue_context *me = c[below(&m, 2)];
		size_t len = below(&m, 300), room = below(&m, 400);
		struct walk w = { &m, 0 };

		/* It grows and shrinks for long. */
		switch (below(&m, 4) + (n / 500 & 1)) {
		case 0:
		case 1:
			if (m.n == MOST)
				break;
			priority = below(&m, 5);
			memset(item, (int)(n & 255), len);
			assert_int_equal(nr_queue_put(me, item, len, priority),
					 0);
			model_put(&m, priority, len, n & 255);
			break;
		case 2:
			ret = nr_queue_peek(me, item, sizeof(item), &priority);
			if (m.n)
				check_item(&m, 0, item, (size_t)ret, priority);
			else
				assert_int_equal(ret, -ENOENT);
			assert_int_equal(nr_queue_each(me, walk, &w), 0);
			assert_int_equal(w.i, m.n);
			break;
		default:
			ret = nr_queue_take(me, item, room, &priority);
			if (!m.n || m.item[0].len > room) {
				assert_int_equal(ret,
						 m.n ? -EMSGSIZE : -ENOENT);
				break;
			}
			check_item(&m, 0, item, (size_t)ret, priority);
			memmove(&m.item[0], &m.item[1],
				--m.n * sizeof(m.item[0]));
		}
		assert_true(nr_queue_count(me) == m.n);
		if (n % 2000 == 77)
			id = nr_queue_replica_add(q, -1);
		if (n % 2000 == 1500) {
			assert_true(is_sorted_equal(nr_queue_nr(q)));
			assert_int_equal(
				nr_queue_replica_remove(q, (uint32_t)id), 0);
		}
	}
	assert_true(is_sorted_equal(nr_queue_nr(q)));
	nr_queue_leave(c[0]);
	nr_queue_leave(c[1]);
	assert_int_equal(nr_queue_destroy(q), 0);
}

/* The sequential structure by itself, for each order */
static void alone(void **state)
{
	static struct model m;
	unsigned char item[300];
	struct nr_items *items;
	uint64_t priority;
	const void *first;
	size_t len;

	(void)state;
	assert_int_equal(nr_items_create((enum nr_order)3, &items), -EINVAL);
	for (unsigned n = 0; n < 60000 / slowness; n++) {
		struct walk w = { &m, 0 };

		if (n % (20000 / slowness) == 0) {
			memset(&m, 0, sizeof(m));
			m.order = (enum nr_order)(n / (20000 / slowness));
			assert_int_equal(nr_items_create(m.order, &items), 0);
		}
		first = nr_items_first(items, &len, &priority);
		if (m.n)
			check_item(&m, 0, first, len, priority);
		else
			assert_null(first);
		/* It grows and shrinks for long. */
		if (below(&m, 4) + (n / 500 & 1) < 2 && m.n < MOST) {
			len = below(&m, sizeof(item));
			priority = below(&m, 5);
			memset(item, (int)(n & 255), len);
			assert_int_equal(
				nr_items_put(items, item, len, priority), 0);
			model_put(&m, priority, len, n & 255);
		} else if (m.n) {
			assert_int_equal(nr_items_drop(items), 0);
			memmove(&m.item[0], &m.item[1],
				--m.n * sizeof(m.item[0]));
		} else {
			assert_int_equal(nr_items_drop(items), -ENOENT);
		}
		assert_int_equal(nr_items_count(items), m.n);
		assert_int_equal(nr_items_each(items, walk, &w), 0);
		assert_int_equal(w.i, m.n);
		if (n % (20000 / slowness) + 1 < 20000 / slowness)
			continue;
		assert_int_equal(nr_items_put(items, item, NR_ITEM_MAX, 0),
				 -EMSGSIZE);
		nr_items_destroy(items);
	}
	nr_items_destroy(NULL);
}

static void fifo(void **state)
{
	(void)state;
	against_a_list(NR_FIFO);
}

static void lifo(void **state)
{
	(void)state;
	against_a_list(NR_LIFO);
}

static void by_priority(void **state)
{
	(void)state;
	against_a_list(NR_PRIORITY);
}

/* ---- threads ------------------------------------------------------------ */

#define PAIRS 2
#define ITEMS (8000 / slowness)

static struct nr_queue *shared;
static _Atomic uint64_t taken;

struct item {
	uint64_t producer, number;
};

static void *produce(void *arg)
{
	struct nr_queue_context *c = join(shared, 1);
	struct item item = { (uintptr_t)arg, 1 };

	for (; item.number <= ITEMS; item.number++)
		CHECK(nr_queue_put(c, &item, sizeof(item), item.number) == 0);
	nr_queue_leave(c);
	return NULL;
}

/* What one producer put in, this one gets in order. Takes each a sum of its
 * own, that all are there once. */
static void *consume(void *arg)
{
	struct nr_queue_context *c = join(shared, 2);
	uint64_t last[PAIRS] = { 0 }, *sum = arg;
	struct item item;

	while (atomic_load(&taken) < PAIRS * ITEMS) {
		int ret = nr_queue_take(c, &item, sizeof(item), NULL);

		if (ret == -ENOENT)
			continue;
		CHECK(ret == sizeof(item) && item.producer < PAIRS);
		CHECK(item.number > last[item.producer]);
		last[item.producer] = item.number;
		*sum += item.number;
		atomic_fetch_add(&taken, 1);
	}
	nr_queue_leave(c);
	return NULL;
}

static void each_once(void **state)
{
	uint64_t sum[PAIRS] = { 0 }, n = ITEMS;
	pthread_t threads[2 * PAIRS];

	(void)state;
	shared = make(NR_FIFO, 64);
	atomic_store(&taken, 0);
	for (uintptr_t i = 0; i < PAIRS; i++) {
		assert_int_equal(pthread_create(&threads[2 * i], NULL, produce,
						(void *)i),
				 0);
		assert_int_equal(pthread_create(&threads[2 * i + 1], NULL,
						consume, &sum[i]),
				 0);
	}
	for (int i = 0; i < 2 * PAIRS; i++)
		pthread_join(threads[i], NULL);
	assert_true(sum[0] + sum[1] == PAIRS * (n * (n + 1) / 2));
	assert_true(is_sorted_equal(nr_queue_nr(shared)));
	assert_int_equal(nr_queue_destroy(shared), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(basics),    cmocka_unit_test(fifo),
		cmocka_unit_test(lifo),	     cmocka_unit_test(by_priority),
		cmocka_unit_test(each_once), cmocka_unit_test(alone),
	};

	return cmocka_run_group_tests_name("queues", tests, NULL, NULL);
}
