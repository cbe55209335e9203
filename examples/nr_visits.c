/* SPDX-License-Identifier: MIT */
/*
 * nr_visits: counts visits in a replicated hash map. Each is a change of what
 * is there; new pages are put in many at a time, while a replica comes and
 * goes.
 */
#include <errno.h>
#include <inttypes.h>
#include <nr_map.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PAGES 100u

static struct nr_map *visits;

/* Runs on every replica. */
static int add(const void *old, size_t olen, void *value, size_t room,
	       const void *arg, size_t alen)
{
	uint64_t n = 0, more = 0;

	if (!old || room < sizeof(n))
		return -ENOENT; /* no such page */
	memcpy(&n, old, olen);
	memcpy(&more, arg, alen);
	n += more;
	memcpy(value, &n, sizeof(n));
	return sizeof(n);
}

/* Return: NULL, or something if a visit was not counted. */
static void *visit(void *arg)
{
	struct nr_map_context *c; /* this thread's */
	uint64_t one = 1, now;
	const struct nr_map_change change = { add, &one, sizeof(one),
					      sizeof(now) };
	void *bad = NULL;

	if (nr_map_register(visits, NULL, &c))
		return arg;
	for (uint32_t i = 0; i < 10 * PAGES; i++) {
		uint32_t page = i % PAGES;
		int ret = nr_map_modify(c, &page, sizeof(page), &change, &now,
					sizeof(now));

		/* One page is not there; all else is an error. */
		if (ret != sizeof(now) && ret != -ENOENT)
			bad = arg;
	}
	nr_map_leave(c);
	return bad;
}

static const uint64_t none;

/*
 * Of those that are done: put in again what there was no room for. The order
 * does not matter here, so the one that waits will do. 0 or -errno.
 */
static int finish(struct nr_map_context *c, const struct nr_done *done, int n)
{
	int err = n < 0 && n != -ENOENT ? n : 0;

	for (int i = 0; i < n; i++) {
		uint32_t page = (uint32_t)done[i].tag;
		int ret = done[i].ret;

		if (ret == -EAGAIN)
			ret = nr_map_put(c, &page, sizeof(page), &none,
					 sizeof(none), NR_CREATE);
		if (ret < 0)
			err = ret;
	}
	return err;
}

/* Many at a time; and then the last one goes again. 0 or -errno. */
static int make_pages(struct nr_map_context *c)
{
	uint32_t page = 0, last = PAGES - 1;
	struct nr_done done[32];
	int err = 0, n;

	while (page < PAGES && !err) {
		err = nr_map_submit_put(c, &page, sizeof(page), &none,
					sizeof(none), NR_CREATE, page);
		if (!err)
			page++;
		if (err == -EAGAIN) /* too many: until one is done */
			err = finish(c, done, nr_map_wait(c, done, 32, 1));
		else if (!err)
			err = finish(c, done, nr_map_poll(c, done, 32));
	}
	while (!err && (n = nr_map_wait(c, done, 32, 32)) > 0)
		err = finish(c, done, n);
	if (!err)
		err = nr_map_submit_remove(c, &last, sizeof(last), 0);
	if (err)
		return err;
	nr_map_wait(c, done, 1, 1);
	return done[0].ret;
}

int main(void)
{
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr_map_context *c;
	pthread_t threads[4];
	uint64_t found = 0;
	uint32_t page = 7;
	void *bad, *any = NULL;
	int late;

	if (nr_map_create(NULL, &visits) || nr_map_register(visits, NULL, &c) ||
	    make_pages(c))
		return 1;
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, visit, visits))
			return 1;
	late = nr_map_replica_add(visits, -1); /* while they work */
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &bad);
		any = bad ? bad : any;
	}
	if (any || late < 0)
		return 1;
	nr_map_get(c, &page, sizeof(page), &found, sizeof(found));
	nr_stats(nr_map_nr(visits), &stats, NULL, 0);
	printf("%" PRIu64 " pages, %" PRIu64 " visits to page 7, %s\n",
	       nr_map_count(c), found,
	       stats.replicas > 1 ? "several replicas" : "one replica");
	nr_map_leave(c);
	return nr_map_replica_remove(visits, (uint32_t)late) ||
	       nr_map_destroy(visits);
}
