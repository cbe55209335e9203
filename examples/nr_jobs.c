/* SPDX-License-Identifier: MIT */
/*
 * nr_jobs: a priority queue that several threads share: what is urgent is taken
 * first, and anybody can see what is to be done.
 */
#include <errno.h>
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

/* Of those that are done: put again what there was no room for. 0 or -errno. */
static int finish(struct nr_queue_context *c, const struct nr_done *done, int n)
{
	int err = n < 0 && n != -ENOENT ? n : 0;

	for (int i = 0; i < n; i++) {
		int ret = done[i].ret;

		if (ret == -EAGAIN)
			ret = nr_queue_put(c, "routine", 7, done[i].tag);
		if (ret < 0)
			err = ret;
	}
	return err;
}

/* Many, without waiting for each. 0 or -errno. */
static int put_routine(struct nr_queue_context *c, uint64_t n)
{
	struct nr_done done[32];
	uint64_t i = 100;
	int err = 0, got;

	while (i < 100 + n && !err) {
		err = nr_queue_submit_put(c, "routine", 7, i, i);
		if (!err)
			i++;
		if (err == -EAGAIN) /* too many: until one is done */
			err = finish(c, done, nr_queue_wait(c, done, 32, 1));
		else if (!err)
			err = finish(c, done, nr_queue_poll(c, done, 32));
	}
	while (!err && (got = nr_queue_wait(c, done, 32, 32)) > 0)
		err = finish(c, done, got);
	return err;
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
	if (put_routine(c, 1000))
		return 1;
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
