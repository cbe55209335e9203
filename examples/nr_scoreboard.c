/* SPDX-License-Identifier: MIT */
/* nr_scoreboard: a structure of one's own, replicated on every NUMA node */
#include <nr.h>
#include <pthread.h>
#include <stdio.h>

struct board { /* it knows nothing of threads */
	unsigned long points[3];
};

static void score(void *board, const void *op, size_t len, void *result)
{
	unsigned long now = ++((struct board *)board)->points[*(const int *)op];

	if (result && len) /* one of the replicas is asked */
		*(unsigned long *)result = now;
}

static void look(const void *board, const void *op, size_t len, void *result)
{
	(void)len;
	*(unsigned long *)result =
		((const struct board *)board)->points[*(const int *)op];
}

static void *play(void *nr)
{
	struct nr_context *context; /* this thread's */
	unsigned long mine, now;
	const int team = 1;

	if (nr_register(nr, NULL, &context))
		return NULL;
	for (int i = 0; i < 1000; i++)
		nr_update(context, &team, sizeof(team), &mine);
	nr_read(context, &team, sizeof(team), &now);
	if (mine == 4000)
		printf("the last one sees %lu points\n", now);
	nr_leave(context);
	return NULL;
}

int main(void)
{
	struct nr_ops ops = NR_OPS_INIT;
	pthread_t threads[4];
	struct nr *nr;

	ops.object_size = sizeof(struct board);
	ops.result_size = sizeof(unsigned long);
	ops.update = score;
	ops.read = look;
	if (nr_create(&ops, NULL, &nr))
		return 1;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, play, nr);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return nr_destroy(nr) ? 1 : 0;
}
