/* SPDX-License-Identifier: MIT */
/*
 * nr_lock: libnr's reader lock by itself, for what is read all the time by many
 * and written rarely; and the places that replicas would have on this machine.
 */
#include <nr.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct nr_rwlock *lock;
static char setting[16] = "old"; /* what the lock is for */

static void *reader(void *arg)
{
	struct nr_reader *mine; /* a cache line of this thread's own */
	char copy[sizeof(setting)] = "";

	(void)arg;
	if (nr_rwlock_join(lock, &mine))
		return NULL;
	while (strcmp(copy, "new")) {
		nr_read_lock(mine);
		memcpy(copy, setting, sizeof(copy));
		nr_read_unlock(mine);
	}
	nr_rwlock_leave(mine);
	return NULL;
}

static int show_places(void)
{
	struct nr_place place = { .size = sizeof(place) };
	struct nr_topology *t;

	/* nr_topology_open(NULL, &t) would tell those of this machine. */
	if (nr_topology_open("2x1", &t))
		return 1;
	for (uint32_t i = 0; nr_topology_place(t, i, &place) == 0; i++)
		printf("place %u: %u CPU\n", i, place.cpus);
	if (nr_topology_here(t) < nr_topology_places(t))
		printf("this thread is in one of them\n");
	nr_topology_close(t);
	return 0;
}

int main(void)
{
	pthread_t threads[4];

	if (nr_rwlock_create(&lock))
		return 1;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, reader, NULL);
	nr_write_lock(lock);
	strcpy(setting, "new");
	nr_write_unlock(lock);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("4 readers saw the new setting\n");
	return nr_rwlock_destroy(lock) ? 1 : show_places();
}
