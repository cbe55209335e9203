/* SPDX-License-Identifier: MIT */
/* nr_phonebook: a hash map that several threads use, on every NUMA node */
#include <inttypes.h>
#include <nr_map.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct nr_map *book;

static int sum(const void *key, size_t klen, const void *value, size_t vlen,
	       void *arg)
{
	uint32_t number;

	memcpy(&number, value, vlen);
	*(uint64_t *)arg += key && klen ? number : 0;
	return 0;
}

/* Registers 1000 numbers, looks them up, and keeps the first ten. */
static void *work(void *first)
{
	struct nr_map_context *c; /* this thread's */
	char name[32];

	if (nr_map_register(book, NULL, &c))
		return NULL;
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t number = (uint32_t)(uintptr_t)first + i, found = 0;
		size_t n = (size_t)sprintf(name, "caller %u", number);

		if (nr_map_put(c, name, n, &number, 4, NR_CREATE) < 0)
			break; /* there already, or no memory */
		nr_map_get(c, name, n, &found, 4);
		if (found != number || i >= 10)
			nr_map_remove(c, name, n);
	}
	nr_map_leave(c);
	return NULL;
}

int main(void)
{
	struct nr_map_context *c;
	pthread_t threads[4];
	uint64_t total = 0;

	if (nr_map_create(NULL, &book) || nr_map_register(book, NULL, &c))
		return 1;
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, work, (void *)(1000 * i));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	nr_map_each(c, sum, &total);
	printf("%" PRIu64 " entries, sum %" PRIu64 "\n", nr_map_count(c),
	       total);
	nr_map_leave(c);
	return nr_map_destroy(book);
}
