/* SPDX-License-Identifier: MIT */
/*
 * nr_budget.c - updates and reads for selftests/nr_budget_test.sh to count
 *
 * One thread, nobody in its way: what is counted is the path of an update and
 * of a read, and beside it that of the bare structure's functions, called as
 * the library calls them, through a pointer. Each is done N times in a function
 * of its own, whose name is what callgrind's --toggle-collect is given.
 * `nr_budget time` says what they take: the least of many rounds.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "nr.h"

#define N 64
/* For time: each round is a millisecond or less, and some are not disturbed. */
#define CALLS 10000
#define ROUNDS 1000

struct object {
	uint64_t cells[16];
};

static void update(void *object, const void *op, size_t len, void *result)
{
	const uint64_t *w = op;
	struct object *o = object;

	(void)len;
	if (result)
		*(uint64_t *)result = o->cells[w[0] & 15];
	o->cells[w[0] & 15] = w[1];
}

static void look(const void *object, const void *op, size_t len, void *result)
{
	const uint64_t *w = op;
	const struct object *o = object;

	(void)len;
	*(uint64_t *)result = o->cells[w[0] & 15];
}

static struct object bare;
static struct nr_context *context;
static void (*volatile bare_update)(void *, const void *, size_t,
				    void *) = update;
static void (*volatile bare_read)(const void *, const void *, size_t,
				  void *) = look;

static __attribute__((noinline)) int count_bare_update(const uint64_t *op,
						       uint64_t *result)
{
	bare_update(&bare, op, 16, result);
	return 0;
}

static __attribute__((noinline)) int count_update(const uint64_t *op,
						  uint64_t *result)
{
	return nr_update(context, op, 16, result);
}

static __attribute__((noinline)) int count_bare_read(const uint64_t *op,
						     uint64_t *result)
{
	bare_read(&bare, op, 16, result);
	return 0;
}

static __attribute__((noinline)) int count_read(const uint64_t *op,
						uint64_t *result)
{
	return nr_read(context, op, 16, result);
}

static double ns_of(int (*count)(const uint64_t *op, uint64_t *result))
{
	struct timespec from, to;
	uint64_t op[2] = { 0, 0 }, was, ns;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (op[0] = 0; op[0] < CALLS; op[0]++)
		if (count(op, &was))
			return 1e9;
	clock_gettime(CLOCK_MONOTONIC, &to);
	ns = (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000 +
	     (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec;
	return (double)ns / CALLS;
}

/* In turn, so that all see the same machine */
static void tell_time(void)
{
	static const struct {
		const char *name;
		int (*count)(const uint64_t *op, uint64_t *result);
	} all[] = {
		{ "bare update", count_bare_update },
		{ "update", count_update },
		{ "bare read", count_bare_read },
		{ "read", count_read },
	};
	double least[4] = { 1e9, 1e9, 1e9, 1e9 };

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 4; i++) {
			double ns = ns_of(all[i].count);

			if (ns < least[i])
				least[i] = ns;
		}
	}
	for (int i = 0; i < 4; i++)
		printf("%-12s %6.1f ns\n", all[i].name, least[i]);
}

int main(int argc, char **argv)
{
	struct nr_attr attr = NR_ATTR_INIT;
	struct nr_ops ops = NR_OPS_INIT;
	uint64_t op[2] = { 0, 0 }, was, is;
	struct nr *nr;

	ops.object_size = sizeof(struct object);
	ops.result_size = sizeof(uint64_t);
	ops.update = update;
	ops.read = look;
	attr.replicas = 1;
	if (nr_create(&ops, &attr, &nr) || nr_register(nr, NULL, &context))
		return 1;
	for (op[0] = 0; op[0] < N; op[0]++) {
		op[1] = op[0] + 1;
		if (count_bare_update(op, &was) || count_update(op, &is) ||
		    was != is)
			return 1;
		if (count_bare_read(op, &was) || count_read(op, &is) ||
		    was != is)
			return 1;
	}
	if (argc > 1 && !strcmp(argv[1], "time"))
		tell_time();
	nr_leave(context);
	return nr_destroy(nr) ? 1 : 0;
}
