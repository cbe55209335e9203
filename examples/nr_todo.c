/* SPDX-License-Identifier: MIT */
/*
 * nr_todo: the priority queue below nr_queue by itself, for one thread: what is
 * to be done next?
 */
#include <inttypes.h>
#include <nr_items.h>
#include <stdio.h>
#include <string.h>

static int print(const void *item, size_t len, uint64_t priority, void *arg)
{
	(void)arg;
	printf("%" PRIu64 " %.*s\n", priority, (int)len, (const char *)item);
	return 0;
}

int main(void)
{
	static const struct {
		const char *what;
		uint64_t priority;
	} jobs[] = {
		{ "sweep", 7 },
		{ "put out the fire", 0 },
		{ "cook", 3 },
		{ "eat", 3 },
	};
	struct nr_items *todo;
	const void *next;
	size_t len;
	int err;

	err = nr_items_create(NR_PRIORITY, &todo);
	if (err) {
		fprintf(stderr, "nr_todo: %s\n", strerror(-err));
		return 1;
	}
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]) && !err; i++)
		err = nr_items_put(todo, jobs[i].what, strlen(jobs[i].what),
				   jobs[i].priority);
	next = nr_items_first(todo, &len, NULL);
	if (!err && next) {
		printf("at once: %.*s\n", (int)len, (const char *)next);
		nr_items_drop(todo);
	}
	printf("%" PRIu64 " more\n", nr_items_count(todo));
	nr_items_each(todo, print, NULL);
	nr_items_destroy(todo);
	return err ? 1 : 0;
}
