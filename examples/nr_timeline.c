/* SPDX-License-Identifier: MIT */
/*
 * nr_timeline: an ordered map that several threads use, with a replica on every
 * NUMA node: what happened between two moments?
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <nr_omap.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct nr_omap *line;

static int count(const struct nr_entry *entry, void *arg)
{
	*(int *)arg += entry->klen == sizeof(uint64_t);
	return 0;
}

/* Of those that are done: put in again what there was no room for. 0, -errno.
 */
static int finish(struct nr_omap_context *c, const struct nr_done *done, int n)
{
	int err = n < 0 && n != -ENOENT ? n : 0;

	for (int i = 0; i < n; i++) {
		uint64_t key = done[i].tag;
		int ret = done[i].ret;

		if (ret == -EAGAIN)
			ret = nr_omap_put(c, &key, sizeof(key), "tick", 4,
					  NR_CREATE);
		if (ret < 0)
			err = ret;
	}
	return err;
}

/* Does not wait for it, unless there are too many already. */
static int tick(struct nr_omap_context *c, uint64_t key)
{
	struct nr_done done[32];
	int err;

	while ((err = nr_omap_submit_put(c, &key, sizeof(key), "tick", 4,
					 NR_CREATE, key)) == -EAGAIN) {
		err = finish(c, done, nr_omap_wait(c, done, 32, 1));
		if (err)
			break;
	}
	return err ? err : finish(c, done, nr_omap_poll(c, done, 32));
}

/* Two, at once. */
static int forget(struct nr_omap_context *c, uint64_t one, uint64_t other)
{
	struct nr_done done;
	int err = nr_omap_submit_remove(c, &one, sizeof(one), one);

	if (err)
		return err;
	/* Those that do not wait go before those of this thread that do. */
	err = nr_omap_remove(c, &other, sizeof(other));
	if (nr_omap_wait(c, &done, 1, 1) != 1)
		return -ENOENT;
	return err ? err : done.ret;
}

/* Each thread has its own second of every four. Return: what went wrong. */
static void *work(void *second)
{
	uint32_t first = *(const uint32_t *)second;
	struct nr_omap_context *c; /* this thread's */
	struct nr_done done[32];
	int err = 0, n;

	if (nr_omap_register(line, NULL, &c))
		return second;
	/* Big endian, so that they are in order. */
	for (uint64_t i = first; i < 1000 && !err; i += 4)
		err = tick(c, htobe64(i));
	while (!err && (n = nr_omap_wait(c, done, 32, 32)) > 0)
		err = finish(c, done, n);
	nr_omap_leave(c);
	return err ? second : NULL;
}

int main(void)
{
	uint64_t from = htobe64(100), to = htobe64(200), key;
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr_found last = { .key = &key, .kroom = sizeof(key) };
	struct nr_omap_context *c;
	static const uint32_t seconds[4] = { 0, 1, 2, 3 };
	void *bad, *any = NULL;
	pthread_t threads[4];
	char text[8] = "";
	int late, n = 0;

	if (nr_omap_create(NULL, &line) || nr_omap_register(line, NULL, &c))
		return 1;
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, work,
				   (void *)(uintptr_t)&seconds[i]))
			return 1;
	late = nr_omap_replica_add(line, -1); /* while they work */
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &bad);
		any = bad ? bad : any;
	}
	for (uint64_t i = 9; i < 1000 && !any; i += 20)
		if (forget(c, htobe64(i), htobe64(i + 10)))
			any = line;
	if (any)
		return 1;
	nr_omap_range(c, &from, sizeof(from), &to, sizeof(to), count, &n);
	nr_omap_get(c, &from, sizeof(from), text, sizeof(text));
	nr_omap_find(c, NULL, 0, NR_LAST, &last);
	nr_stats(nr_omap_nr(line), &stats, NULL, 0);
	printf("%" PRIu64 " %ss, %d of them from 100 to 200, the last at "
	       "%" PRIu64 ", %s\n",
	       nr_omap_count(c), text, n, be64toh(key),
	       stats.replicas > 1 ? "several replicas" : "one replica");
	nr_omap_leave(c);
	return (late > 0 && nr_omap_replica_remove(line, (uint32_t)late)) ||
	       nr_omap_destroy(line);
}
