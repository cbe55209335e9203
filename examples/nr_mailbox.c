/* SPDX-License-Identifier: MIT */
/*
 * nr_mailbox: a file system in memory that threads on all nodes share. Mail is
 * written to a file in "tmp" and then moved to "new": nobody sees half of one.
 */
#include <inttypes.h>
#include <nr_memfs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define SENDERS 4
#define MAILS 50

static struct nr_memfs *fs;
static uint64_t journal; /* a file's number */
static atomic_int sending = SENDERS;

static void *send(void *arg)
{
	struct nr_memfs_context *c; /* this thread's */
	uintptr_t sent = 0;
	char tmp[64], new[64], text[64];
	uint64_t file;

	if (nr_memfs_register(fs, NULL, &c)) {
		atomic_fetch_sub(&sending, 1);
		return NULL;
	}
	for (int i = 0; i < MAILS; i++) {
		int len = snprintf(text, sizeof(text), "%d from %" PRIuPTR, i,
				   (uintptr_t)arg);

		snprintf(tmp, sizeof(tmp), "tmp/%" PRIuPTR ".%d",
			 (uintptr_t)arg, i);
		snprintf(new, sizeof(new), "new/%" PRIuPTR ".%d",
			 (uintptr_t)arg, i);
		if (nr_memfs_mkfile(c, NR_FILES_ROOT, tmp, 0600, &file) ||
		    nr_memfs_write(c, file, 0, text, (size_t)len) != len ||
		    nr_memfs_rename(c, NR_FILES_ROOT, tmp, NR_FILES_ROOT, new))
			break;
		nr_memfs_write(c, journal, NR_FILES_END, "+", 1);
		sent++;
	}
	nr_memfs_leave(c);
	atomic_fetch_sub(&sending, 1);
	return (void *)sent;
}

struct first {
	char name[NR_NAME_MAX + 1];
	uint64_t file;
};

static int take_first(const struct nr_dirent *entry, void *arg)
{
	struct first *first = arg;

	memcpy(first->name, entry->name, entry->len);
	first->name[entry->len] = '\0';
	first->file = entry->ino;
	return 1; /* no more */
}

/* Read and remove all that is there. Return: how many. */
static int receive(struct nr_memfs_context *c, uint64_t dir)
{
	struct first first;
	char text[64];
	int n = 0;

	while (nr_memfs_list(c, dir, NULL, take_first, &first) == 1) {
		int len = nr_memfs_read(c, first.file, 0, text, sizeof(text));

		if (len <= 0 || nr_memfs_unlink(c, dir, first.name))
			return -1;
		n++;
	}
	return n;
}

int main(void)
{
	struct nr_stats stats = { .size = sizeof(stats) };
	pthread_t senders[SENDERS];
	struct nr_memfs_context *c;
	uintptr_t sent = 0;
	struct nr_file st;
	uint64_t dir;
	int late, left, more, got = 0;
	void *n;

	if (nr_memfs_create(NULL, &fs) || nr_memfs_register(fs, NULL, &c) ||
	    nr_memfs_mkdir(c, NR_FILES_ROOT, "tmp", 0700, NULL) ||
	    nr_memfs_mkdir(c, NR_FILES_ROOT, "new", 0700, &dir) ||
	    nr_memfs_mkfile(c, NR_FILES_ROOT, "journal", 0600, &journal))
		return 1;
	for (uintptr_t i = 0; i < SENDERS; i++)
		pthread_create(&senders[i], NULL, send, (void *)i);
	late = nr_memfs_replica_add(fs, -1); /* while they send */
	do {
		left = atomic_load(&sending);
		more = receive(c, dir);
		got += more;
	} while (more >= 0 && (left || more));
	for (int i = 0; i < SENDERS; i++) {
		pthread_join(senders[i], &n);
		sent += (uintptr_t)n;
	}
	nr_memfs_stat(c, journal, &st);
	printf("%" PRIuPTR " sent, %d received, %" PRIu64 " in the journal\n",
	       sent, got, st.size);
	nr_memfs_truncate(c, journal, 10);
	nr_memfs_link(c, journal, dir, "../log");
	nr_memfs_unlink(c, NR_FILES_ROOT, "journal");
	if (nr_memfs_lookup(c, NR_FILES_ROOT, "new/../log", &st) == 0)
		printf("the log has %" PRIu64 " bytes and %" PRIu32 " name\n",
		       st.size, st.nlink);
	printf("tmp is %s\n",
	       nr_memfs_rmdir(c, NR_FILES_ROOT, "tmp") ? "not empty" : "empty");
	nr_stats(nr_memfs_nr(fs), &stats, NULL, 0);
	printf("%s\n", stats.replicas > 1 ? "several replicas" : "one replica");
	nr_memfs_leave(c);
	return (late > 0 && nr_memfs_replica_remove(fs, (uint32_t)late)) ||
	       nr_memfs_destroy(fs);
}
