/* SPDX-License-Identifier: MIT */
/*
 * nr_scoreboard: a structure of one's own, which knows nothing of threads,
 * used by several; libnr keeps a replica of it on every NUMA node.
 */
#include <inttypes.h>
#include <nr.h>
#include <pthread.h>
#include <stdio.h>

struct board { /* the structure */
	uint64_t points[3];
};

struct score { /* an operation on it */
	uint32_t team, points;
};

static void update(void *object, const void *op, size_t len, void *result)
{
	const struct score *s = op;
	struct board *b = object;

	b->points[s->team] += s->points;
	if (result && len == sizeof(*s)) /* one of the replicas is asked */
		*(uint64_t *)result = b->points[s->team];
}

static void points_of(const void *object, const void *op, size_t len,
		      void *result)
{
	const struct score *s = op;

	if (len == sizeof(*s))
		*(uint64_t *)result =
			((const struct board *)object)->points[s->team];
}

static void *play(void *nr)
{
	struct nr_context *context; /* this thread's */
	uint64_t now;

	if (nr_register(nr, NULL, &context))
		return NULL;
	for (uint32_t i = 0; i < 1000; i++) {
		struct score s = { .team = i % 3, .points = 1 };

		nr_update(context, &s, sizeof(s), &now);
		nr_read(context, &s, sizeof(s), &now);
	}
	nr_leave(context);
	return (void *)(uintptr_t)now;
}

int main(void)
{
	struct nr_ops ops = NR_OPS_INIT;
	pthread_t threads[4];
	void *now, *last = NULL;
	struct nr *nr;

	ops.object_size = sizeof(struct board);
	ops.result_size = sizeof(uint64_t);
	ops.update = update;
	ops.read = points_of;
	if (nr_create(&ops, NULL, &nr))
		return 1;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, play, nr);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &now);
		last = now > last ? now : last;
	}
	printf("the last one saw %" PRIuPTR " points\n", (uintptr_t)last);
	return nr_destroy(nr) ? 1 : 0;
}
