/* SPDX-License-Identifier: MIT */
/*
 * nr_cnr_index_test.c - several logs: long histories, by the versions of things
 *
 * As nr_thread_test.c for one log; NR_OPERATIONS says how many there are, and
 * NR_LOAD=NAME one of them alone.
 */
#include "testlib.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "nr_cnr.h"
#include "nr_order.h"
#include "nr_progress.h"
#include "nr_sched.h"

#define THINGS ORDER_THINGS
#define ALL ((1u << THINGS) - 1)

/* ---- the structure ------------------------------------------------------ */

struct object {
	const struct test_load *load;
	/* Where reads are beside updates: release and acquire. Else relaxed:
	 * that is for the library to order. */
	_Atomic uint64_t version[THINGS];
};

struct op {
	uint32_t things;
};

struct found {
	uint64_t at[THINGS];
};

struct test_load {
	const char *name;
	uint32_t logs, flags;
	uint64_t log_size;
	uint32_t adds; /* replicas that come and go in each round */
};

static int object_init(void *object, void *arg)
{
	((struct object *)object)->load = arg;
	return 0;
}

static int object_clone(void *object, const void *from, void *arg)
{
	(void)arg;
	memcpy(object, from, sizeof(struct object));
	return 0;
}

static uint64_t class_of(const void *bytes, size_t len, struct nr_classes *more)
{
	const struct op *op = bytes;
	unsigned first = (unsigned)__builtin_ctz(op->things);

	(void)len;
	if (op->things == ALL)
		return NR_CLASS_ALL;
	for (unsigned t = first + 1; t < THINGS; t++)
		if (op->things >> t & 1)
			nr_classes_add(more, t);
	return first;
}

static void update(void *object, const void *bytes, size_t len, void *result)
{
	const struct op *op = bytes;
	struct object *o = object;
	const memory_order order = o->load->flags & NR_CNR_CONCURRENT
					   ? memory_order_release
					   : memory_order_relaxed;

	(void)len;
	for (unsigned t = 0; t < THINGS; t++) {
		uint64_t was = atomic_load_explicit(&o->version[t],
						    memory_order_relaxed);

		if (!(op->things >> t & 1))
			continue;
		if (result)
			((struct found *)result)->at[t] = was;
		atomic_store_explicit(&o->version[t], was + 1, order);
	}
}

static void look(const void *object, const void *bytes, size_t len,
		 void *result)
{
	const struct op *op = bytes;
	const struct object *o = object;
	const memory_order order = o->load->flags & NR_CNR_CONCURRENT
					   ? memory_order_acquire
					   : memory_order_relaxed;

	(void)len;
	for (unsigned t = 0; t < THINGS; t++)
		if (op->things >> t & 1)
			((struct found *)result)->at[t] =
				atomic_load_explicit(&o->version[t], order);
}

static int is_at(uint32_t replica, const void *object, void *arg)
{
	const struct object *o = object;
	const uint64_t *versions = arg;

	(void)replica;
	for (unsigned t = 0; t < THINGS; t++)
		if (o->version[t] != versions[t])
			return 1;
	return 0;
}

/* ---- threads ------------------------------------------------------------ */

#define THREADS 4
#define STEPS 4000u
#define AT_ONCE 3u /* submitted */

struct user {
	pthread_t thread;
	unsigned number;
	uint64_t random;
	size_t n;
	struct order_event events[2 * STEPS];
};

static struct {
	struct nr_cnr *cnr;
	const struct test_load *load;
	uint64_t versions[THINGS];
	struct user users[THREADS];
	struct order_event all[THREADS * 2 * STEPS];
} run;

/* One thing, mostly; or two, some, all. */
static struct op choose(struct user *u)
{
	uint64_t r = sched_random(&u->random);
	uint32_t things = 1u << r % THINGS;

	switch (r >> 8 & 15) {
	case 0:
		things = ALL;
		break;
	case 1:
		things |= (uint32_t)(r >> 16) & ALL;
		break;
	case 2:
	case 3:
		things |= 1u << (r >> 16) % THINGS;
	}
	return (struct op){ things };
}

static void keep(struct user *u, uint64_t begin, struct op op, int is_read,
		 const struct found *found)
{
	struct order_event *e = &u->events[u->n++];

	CHECK(u->n <= ARRAY_LEN(u->events));
	*e = (struct order_event){
		begin, time_ns(), op.things, is_read, { 0 }
	};
	memcpy(e->at, found->at, sizeof(e->at));
}

/* Of one log each, or they cannot be submitted. */
static void submit(struct user *u, struct nr_cnr_context *c)
{
	struct found found[AT_ONCE];
	struct op op[AT_ONCE];
	uint64_t begin[AT_ONCE];
	unsigned got = 0;

	for (unsigned i = 0; i < AT_ONCE; i++) {
		op[i].things = 1u << sched_random(&u->random) % THINGS;
		begin[i] = time_ns();
		CHECK(!nr_cnr_submit(c, &op[i], sizeof(op[i]), &found[i], i));
	}
	while (got < AT_ONCE) {
		int n = sched_random(&u->random) % 2
				? nr_cnr_poll(c, NULL, AT_ONCE - got)
				: nr_cnr_wait(c, NULL, AT_ONCE - got, 1);

		CHECK(n >= 0);
		got += (unsigned)n;
	}
	for (unsigned i = 0; i < AT_ONCE; i++)
		keep(u, begin[i], op[i], 0, &found[i]);
}

static void step(struct user *u, struct nr_cnr_context *c)
{
	const uint64_t what = sched_random(&u->random) % 100;
	const uint64_t begin = time_ns();
	struct op op = choose(u);
	struct found found;

	if (what < 10) {
		submit(u, c);
	} else if (what < 60) {
		CHECK(!nr_cnr_update(c, &op, sizeof(op), &found));
		keep(u, begin, op, 0, &found);
	} else {
		CHECK(!nr_cnr_read(c, &op, sizeof(op), &found));
		keep(u, begin, op, 1, &found);
	}
}

static struct nr_cnr_context *join(uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_cnr_context *c;

	attr.replica = replica;
	CHECK(!nr_cnr_register(run.cnr, &attr, &c));
	return c;
}

static void come_and_go(struct user *u)
{
	for (uint32_t i = 0; i < run.load->adds; i++) {
		int id = nr_cnr_replica_add(run.cnr, -1);
		struct nr_cnr_context *c;

		CHECK(id > 2);
		c = join((uint32_t)id);
		for (unsigned k = 0; k < 3; k++)
			step(u, c);
		nr_cnr_leave(c);
		CHECK(!nr_cnr_replica_remove(run.cnr, (uint32_t)id));
	}
}

static void *use(void *user)
{
	struct user *u = user;
	struct nr_cnr_context *c;

	if (run.load->adds && !u->number) {
		come_and_go(u);
		return NULL;
	}
	c = join(1 + u->number % 2);
	for (unsigned i = 0; i < STEPS / slowness; i++)
		step(u, c);
	nr_cnr_leave(c);
	return NULL;
}

/* How many operations that were */
static size_t run_round(uint64_t round)
{
	const char *bad;
	size_t n = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		struct user *u = &run.users[i];

		u->number = i;
		u->random = round * THREADS + i;
		u->n = 0;
		assert_int_equal(pthread_create(&u->thread, NULL, use, u), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		struct user *u = &run.users[i];

		pthread_join(u->thread, NULL);
		memcpy(&run.all[n], u->events, u->n * sizeof(*u->events));
		n += u->n;
	}
	bad = order_check(run.all, n, run.versions);
	if (!bad && nr_cnr_inspect(run.cnr, is_at, run.versions))
		bad = "replicas differ";
	if (bad)
		fail_msg("round %llu: %s", (unsigned long long)round, bad);
	return n;
}

static const struct test_load loads[] = {
	{ "two logs, the smallest", 2, 0, 4, 0 },
	{ "three logs", 3, 0, 64, 0 },
	{ "a log for each", THINGS, 0, 64, 0 },
	{ "reads beside updates", 3, NR_CNR_CONCURRENT, 64, 0 },
	{ "replicas come and go", 3, 0, 64, 100 },
};

static void run_load(void **state)
{
	const struct nr_cnr_ops ops = {
		.size = sizeof(ops),
		.object_size = sizeof(struct object),
		.result_size = sizeof(struct found),
		.init = object_init,
		.clone = object_clone,
		.update = update,
		.read = look,
		.update_class = class_of,
		.read_class = class_of,
		.flags = (*(const struct test_load **)state)->flags,
	};
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	uint64_t done = 0, want;
	struct progress p;

	run.load = *state;
	memset(run.versions, 0, sizeof(run.versions));
	nr.topology = "2x1";
	nr.log_size = run.load->log_size;
	nr.arg = (void *)(uintptr_t)run.load;
	attr.nr = &nr;
	attr.logs = run.load->logs;
	assert_int_equal(nr_cnr_create(&ops, &attr, &run.cnr), 0);
	p = progress_begin(run.load->name);
	want = progress_number("NR_OPERATIONS", 3 * STEPS * THREADS / slowness);
	/* One history, which is checked piece by piece. */
	for (uint64_t round = 0; done < want; round++) {
		done += run_round(round);
		progress(&p, done, want);
	}
	assert_int_equal(nr_cnr_destroy(run.cnr), 0);
	printf("# %s: %llu operations\n", run.load->name,
	       (unsigned long long)done);
}

/* ---- the checker -------------------------------------------------------- */

#define UPDATE(b, e, ...)                                                      \
	{                                                                      \
		.begin = (b), .end = (e), .at = { __VA_ARGS__ }                \
	}
#define READ(b, e, ...)                                                        \
	{                                                                      \
		.begin = (b), .end = (e), .is_read = 1, .at = { __VA_ARGS__ }  \
	}

static int checked(const struct order_event *events, size_t n, uint32_t things,
		   uint64_t first)
{
	uint64_t versions[THINGS] = { first, first };
	struct order_event e[8];

	if (n)
		memcpy(e, events, n * sizeof(*e));
	for (size_t i = 0; i < n; i++)
		e[i].things = e[i].things ? e[i].things : things;
	return !order_check(e, n, versions);
}

static void checker(void **state)
{
	const struct order_event good[] = { UPDATE(1, 2, 0), READ(3, 4, 1),
					    UPDATE(1, 9, 1), READ(1, 9, 0) };
	const struct order_event lost[] = { UPDATE(1, 2, 0), UPDATE(3, 4, 0) };
	const struct order_event gap[] = { UPDATE(1, 2, 0), UPDATE(3, 4, 2) };
	const struct order_event stale[] = { UPDATE(1, 2, 0), READ(3, 4, 0) };
	const struct order_event early[] = { READ(1, 2, 1), UPDATE(3, 4, 0) };
	/* Two see two updates of different things in turn. */
	const struct order_event turned[] = {
		{ 1, 9, 1, 0, { 0 } },
		{ 1, 9, 2, 0, { 0 } },
		{ 1, 9, 3, 1, { 1, 0 } },
		{ 1, 9, 3, 1, { 0, 1 } },
	};

	(void)state;
	assert_true(checked(good, ARRAY_LEN(good), 1, 0));
	assert_false(checked(good, ARRAY_LEN(good), 1, 1));
	assert_false(checked(lost, ARRAY_LEN(lost), 1, 0));
	assert_false(checked(gap, ARRAY_LEN(gap), 1, 0));
	assert_false(checked(stale, ARRAY_LEN(stale), 1, 0));
	assert_false(checked(early, ARRAY_LEN(early), 1, 0));
	assert_true(checked(turned, 3, 0, 0));
	assert_false(checked(turned, 4, 0, 0));
	assert_true(checked(NULL, 0, 0, 0));
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(loads) + 1] = { cmocka_unit_test(
		checker) };
	size_t n = progress_loads(tests + 1, loads, ARRAY_LEN(loads),
				  sizeof(loads[0]), run_load);

	if (!n)
		return 2;
	return _cmocka_run_group_tests("several logs, by version", tests, n + 1,
				       NULL, NULL);
}
