/* SPDX-License-Identifier: MIT */
/*
 * nr_jobs: a priority queue that several threads share: what is urgent is taken
 * first, and anybody can see what is to be done.
 */
#include <inttypes.h>
#include <nr_queue.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct nr_queue *jobs;

static int print(const void *item, size_t len, uint64_t priority, void *arg)
{
	printf("%s%" PRIu64 " %.*s", *(int *)arg ? ", " : "", priority,
	       (int)len, (const char *)item);
	*(int *)arg = 1;
	return 0;
}

/* Takes what it can get. Return: how many. */
static void *work(void *arg)
{
	struct nr_queue_context *c; /* this thread's */
	uintptr_t n = 0;
	char job[64];

	if (nr_queue_register(jobs, NULL, &c))
		return arg;
	while (nr_queue_take(c, job, sizeof(job), NULL) >= 0)
		n++;
	nr_queue_leave(c);
	return (void *)n;
}

int main(void)
{
	struct nr_queue_attr attr = NR_QUEUE_ATTR_INIT;
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr_queue_context *c;
	pthread_t threads[4];
	char first[64] = "";
	uintptr_t done = 0;
	void *n;
	int late, comma = 0;

	attr.order = NR_PRIORITY; /* or NR_FIFO, NR_LIFO */
	if (nr_queue_create(&attr, &jobs) || nr_queue_register(jobs, NULL, &c))
		return 1;
	nr_queue_put(c, "tidy up", 7, 9);
	nr_queue_put(c, "put out the fire", 16, 1);
	nr_queue_put(c, "have lunch", 10, 5);
	nr_queue_each(c, print, &comma); /* in the order of taking */
	nr_queue_peek(c, first, sizeof(first) - 1, NULL);
	printf("\nfirst: %s\n", first);
	for (uint64_t i = 0; i < 1000; i++)
		if (nr_queue_put(c, "routine", 7, 100 + i))
			break;
	printf("%" PRIu64 " jobs\n", nr_queue_count(c));
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	late = nr_queue_replica_add(jobs, -1); /* while they work */
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &n);
		done += (uintptr_t)n;
	}
	nr_stats(nr_queue_nr(jobs), &stats, NULL, 0);
	printf("%" PRIuPTR " done, %s\n", done,
	       stats.replicas > 1 ? "on several replicas" : "on one replica");
	nr_queue_leave(c);
	return (late > 0 && nr_queue_replica_remove(jobs, (uint32_t)late)) ||
	       nr_queue_destroy(jobs);
}
