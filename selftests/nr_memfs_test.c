/* SPDX-License-Identifier: MIT */
/* nr_memfs_test.c - the replicated file system, against tables; by threads */
#include "nr_files_steps.h"

#include <pthread.h>
#include <stdatomic.h>

#include "nr_memfs_equal.h"

static struct nr_memfs *make(uint64_t log_size)
{
	struct nr_memfs_attr attr = NR_MEMFS_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_memfs *fs;

	nr.topology = "2x1";
	nr.log_size = log_size;
	attr.nr = &nr;
	assert_int_equal(nr_memfs_create(&attr, &fs), 0);
	return fs;
}

static struct nr_memfs_context *join(struct nr_memfs *fs, uint32_t replica)
{
	struct nr_context_attr attr = NR_CONTEXT_ATTR_INIT;
	struct nr_memfs_context *c;

	attr.replica = replica;
	CHECK(nr_memfs_register(fs, &attr, &c) == 0);
	return c;
}

static void basics(void **state)
{
	static char name[NR_PATH_MAX + 2];
	struct nr_memfs *fs = make(0);
	struct nr_memfs_context *a = join(fs, 1), *b = join(fs, 2);
	struct nr_file st;
	uint64_t file, dir;
	char text[16] = "";

	(void)state;
	assert_int_equal(nr_memfs_mkdir(a, 1, "etc", 0755, &dir), 0);
	assert_int_equal(nr_memfs_mkfile(a, dir, "motd", 0644, &file), 0);
	assert_int_equal(nr_memfs_mkfile(b, 1, "/etc/motd", 0, NULL), -EEXIST);
	assert_int_equal(nr_memfs_mkfile(b, 1, "x", 010000, NULL), -EINVAL);
	assert_int_equal(nr_memfs_mkdir(b, 1, "x", 010000, NULL), -EINVAL);
	memset(name, 'n', sizeof(name) - 1);
	assert_int_equal(nr_memfs_mkfile(b, 1, name, 0, NULL), -ENAMETOOLONG);
	assert_int_equal(nr_memfs_rename(b, 1, "etc", 1, name), -ENAMETOOLONG);
	assert_int_equal(nr_memfs_rename(b, 1, name, 1, "etc"), -ENAMETOOLONG);
	assert_int_equal(nr_memfs_lookup(b, 1, name, &st), -ENAMETOOLONG);
	assert_int_equal(nr_memfs_write(b, file, 6, "world", 5), 5);
	assert_int_equal(nr_memfs_write(a, file, 0, "hello", 5), 5);
	assert_int_equal(nr_memfs_read(a, file, 0, text, sizeof(text)), 11);
	assert_memory_equal(text, "hello\0world", 11);
	assert_int_equal(nr_memfs_link(a, file, 1, "greeting"), 0);
	assert_int_equal(nr_memfs_unlink(b, 1, "etc/motd"), 0);
	assert_int_equal(nr_memfs_rename(b, 1, "greeting", dir, "hello"), 0);
	assert_int_equal(nr_memfs_lookup(a, 1, "etc/hello", &st), 0);
	assert_true(st.ino == file && st.size == 11 && st.nlink == 1);
	assert_int_equal(st.mode, S_IFREG | 0644);
	assert_int_equal(nr_memfs_rmdir(a, 1, "etc"), -ENOTEMPTY);
	assert_int_equal(nr_memfs_truncate(a, file, 2), 0);
	assert_int_equal(nr_memfs_unlink(a, dir, "hello"), 0);
	assert_int_equal(nr_memfs_read(b, file, 0, text, 1), -ESTALE);
	assert_int_equal(nr_memfs_rmdir(b, 1, "etc/"), 0);
	assert_int_equal(nr_memfs_stat(a, dir, &st), -ESTALE);
	assert_true(memfs_is_equal(fs));
	assert_int_equal(nr_memfs_replica_remove(fs, 1), -EBUSY);
	assert_int_equal(nr_memfs_replica_add(fs, 9), -EINVAL);
	assert_int_equal(nr_memfs_destroy(fs), -EBUSY);
	nr_memfs_leave(a);
	nr_memfs_leave(b);
	nr_memfs_leave(NULL);
	assert_int_equal(nr_memfs_destroy(fs), 0);
	assert_int_equal(nr_memfs_destroy(NULL), 0);
}

static void like_tables(void **state)
{
	struct nr_memfs *fs = make(16);
	struct nr_memfs_context *c[2] = { join(fs, 1), join(fs, 2) };
	static struct model m;
	int id = 0;

	(void)state;
	model_init(&m, 99);
	for (unsigned n = 0; n < 40000 / slowness; n++) {
		struct subject s = { NULL, c[below(&m, 2)] };

		model_step(&s, &m);
		if (n % 3000 == 77)
			id = nr_memfs_replica_add(fs, -1);
		if (n % 3000 == 2000) {
			model_check(&s, &m);
			assert_true(memfs_is_equal(fs));
			assert_int_equal(
				nr_memfs_replica_remove(fs, (uint32_t)id), 0);
		}
	}
	model_check(&(struct subject){ NULL, c[0] }, &m);
	model_fini(&m);
	assert_true(memfs_is_equal(fs));
	nr_memfs_leave(c[0]);
	nr_memfs_leave(c[1]);
	assert_int_equal(nr_memfs_destroy(fs), 0);
}

/* ---- threads ------------------------------------------------------------ */

#define THREADS 4
#define RECORD 24u
#define WHOLE 20000u /* of a file that is written as a whole: some blocks */

static struct {
	struct nr_memfs *fs;
	uint64_t journal, whole, counter;
	pthread_barrier_t begun;
	_Atomic int working;
} run;

/* A record of the journal: who, how many of his before, and again. */
static void append(struct nr_memfs_context *c, uint64_t number, uint64_t n)
{
	uint64_t record[RECORD / 8] = { number, n, number ^ n };

	CHECK(nr_memfs_write(c, run.journal, NR_FILES_END, record, RECORD) ==
	      RECORD);
}

/* Each one's are in order, and none is missing. */
static uint64_t read_journal(struct nr_memfs_context *c, uint64_t *next)
{
	uint64_t record[64][RECORD / 8], off = 0;
	int ret;

	while ((ret = nr_memfs_read(c, run.journal, off, record,
				    sizeof(record)))) {
		CHECK(ret > 0 && ret % (int)RECORD == 0);
		for (unsigned i = 0; i < (unsigned)ret / RECORD; i++) {
			const uint64_t *r = record[i];

			CHECK(r[0] < THREADS && r[1] == next[r[0]]++);
			CHECK(r[2] == (r[0] ^ r[1]));
		}
		off += (uint64_t)ret;
	}
	return off / RECORD;
}

/* All of it is of one write. */
static void read_whole(struct nr_memfs_context *c)
{
	static _Thread_local unsigned char bytes[WHOLE];
	int ret = nr_memfs_read(c, run.whole, 0, bytes, WHOLE);

	CHECK(ret == 0 || ret == WHOLE);
	for (int i = 1; i < ret; i++)
		CHECK(bytes[i] == bytes[0]);
}

static void write_whole(struct nr_memfs_context *c, uint64_t value)
{
	static _Thread_local unsigned char bytes[WHOLE];

	memset(bytes, (int)(value & 255), WHOLE);
	CHECK(nr_memfs_write(c, run.whole, 0, bytes, WHOLE) == WHOLE);
}

/* Who makes the file has the lock. */
static void count_up(struct nr_memfs_context *c)
{
	uint64_t count = 0;
	int ret;

	while ((ret = nr_memfs_mkfile(c, NR_FILES_ROOT, "lock", 0, NULL)))
		CHECK(ret == -EEXIST);
	CHECK(nr_memfs_read(c, run.counter, 0, &count, 8) >= 0);
	count++;
	CHECK(nr_memfs_write(c, run.counter, 0, &count, 8) == 8);
	CHECK(nr_memfs_unlink(c, NR_FILES_ROOT, "lock") == 0);
}

static int count_entry(const struct nr_dirent *e, void *arg)
{
	CHECK(e->len == 1 && e->name[0] >= '0' && e->name[0] < '0' + THREADS);
	CHECK(S_ISDIR(e->mode));
	(*(unsigned *)arg)++;
	return 0;
}

/*
 * Each has a directory of its own, with a file, that it moves from one place to
 * the other and back: it is there and not here, with what is in it. Here there
 * is therefore never one of each.
 */
static void move(struct nr_memfs_context *c, uint64_t number, uint64_t n)
{
	static const char *const at[] = { "left", "right" };
	char from[16], to[16], path[32];
	unsigned seen = 0;
	struct nr_file left, right;

	sprintf(from, "%s/%u", at[n % 2], (unsigned)number);
	sprintf(to, "%s/%u", at[(n + 1) % 2], (unsigned)number);
	CHECK(nr_memfs_rename(c, NR_FILES_ROOT, from, NR_FILES_ROOT, to) == 0);
	CHECK(nr_memfs_lookup(c, NR_FILES_ROOT, from, &left) == -ENOENT);
	CHECK(nr_memfs_lookup(c, NR_FILES_ROOT, to, &left) == 0);
	sprintf(path, "%s/../../%s/%u/mine", to, at[(n + 1) % 2],
		(unsigned)number);
	CHECK(nr_memfs_lookup(c, NR_FILES_ROOT, path, &right) == 0);
	CHECK(right.ino == left.ino + 1);
	CHECK(nr_memfs_rename(c, NR_FILES_ROOT, to, left.ino, "in") == -EINVAL);
	CHECK(nr_memfs_lookup(c, NR_FILES_ROOT, at[n % 2], &left) == 0);
	CHECK(nr_memfs_list(c, left.ino, NULL, count_entry, &seen) == 0);
	CHECK(seen < THREADS);
}

static void *work(void *arg)
{
	uint64_t number = (uintptr_t)arg, next[THREADS];
	struct nr_memfs_context *c = join(run.fs, 1 + (uint32_t)number % 2);

	pthread_barrier_wait(&run.begun);
	for (uint64_t n = 0; n < 2000 / slowness; n++) {
		append(c, number, n);
		move(c, number, n);
		if (n % 8 == number)
			write_whole(c, number + n);
		read_whole(c);
		if (n % 4 == 0)
			count_up(c);
		if (n % 64 == 0) {
			memset(next, 0, sizeof(next));
			read_journal(c, next);
			CHECK(next[number] == n + 1);
		}
	}
	nr_memfs_leave(c);
	run.working--;
	return NULL;
}

static void *come_and_go(void *arg)
{
	(void)arg;
	while (run.working) {
		int id = nr_memfs_replica_add(run.fs, -1);
		struct nr_memfs_context *c;

		CHECK(id > 2);
		c = join(run.fs, (uint32_t)id);
		read_whole(c);
		nr_memfs_leave(c);
		CHECK(nr_memfs_replica_remove(run.fs, (uint32_t)id) == 0);
	}
	return NULL;
}

static void threads(void **state)
{
	uint64_t next[THREADS] = { 0 }, count = 0, rounds = 2000 / slowness;
	pthread_t thread[THREADS + 1];
	struct nr_memfs_context *c;
	char path[32];

	(void)state;
	run.fs = make(64);
	c = join(run.fs, 1);
	assert_int_equal(nr_memfs_mkfile(c, 1, "journal", 0, &run.journal), 0);
	assert_int_equal(nr_memfs_mkfile(c, 1, "whole", 0, &run.whole), 0);
	assert_int_equal(nr_memfs_mkfile(c, 1, "counter", 0, &run.counter), 0);
	assert_int_equal(nr_memfs_mkdir(c, 1, "left", 0, NULL), 0);
	assert_int_equal(nr_memfs_mkdir(c, 1, "right", 0, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		sprintf(path, "left/%u", i);
		assert_int_equal(nr_memfs_mkdir(c, 1, path, 0, NULL), 0);
		sprintf(path, "left/%u/mine", i);
		assert_int_equal(nr_memfs_mkfile(c, 1, path, 0, NULL), 0);
	}
	run.working = THREADS;
	pthread_barrier_init(&run.begun, NULL, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, work, (void *)i), 0);
	assert_int_equal(
		pthread_create(&thread[THREADS], NULL, come_and_go, NULL), 0);
	for (int i = 0; i <= THREADS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&run.begun);
	assert_true(read_journal(c, next) == THREADS * rounds);
	assert_int_equal(nr_memfs_read(c, run.counter, 0, &count, 8), 8);
	assert_true(count == THREADS * ((rounds + 3) / 4));
	nr_memfs_leave(c);
	assert_true(memfs_is_equal(run.fs));
	assert_int_equal(nr_memfs_destroy(run.fs), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(basics),
		cmocka_unit_test(like_tables),
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests_name("file system", tests, NULL, NULL);
}
