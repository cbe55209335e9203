/* SPDX-License-Identifier: MIT */
/*
 * nr_timeline: an ordered map that several threads use, with a replica on every
 * NUMA node: what happened between two moments?
 */
#include <endian.h>
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

/* Each thread has its own second of every four. */
static void *work(void *number)
{
	struct nr_omap_context *c; /* this thread's */
	uint64_t time = (uintptr_t)number;

	if (nr_omap_register(line, NULL, &c))
		return NULL;
	for (int i = 0; i < 250; i++, time += 4) {
		uint64_t key = htobe64(time); /* so that they are in order */

		if (nr_omap_put(c, &key, sizeof(key), "tick", 4, NR_CREATE))
			break;
		if (time % 10 == 9)
			nr_omap_remove(c, &key, sizeof(key));
	}
	nr_omap_leave(c);
	return NULL;
}

int main(void)
{
	uint64_t from = htobe64(100), to = htobe64(200), key;
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr_found last = { .key = &key, .kroom = sizeof(key) };
	struct nr_omap_context *c;
	pthread_t threads[4];
	char text[8] = "";
	int late, n = 0;

	if (nr_omap_create(NULL, &line) || nr_omap_register(line, NULL, &c))
		return 1;
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	late = nr_omap_replica_add(line, -1); /* while they work */
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
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
