/* SPDX-License-Identifier: MIT */
/*
 * uring_rings_test.c - transfers through rings and by system calls: the same
 * results, and what tells them apart
 *
 * What is said of both kinds of sets is tried on both; where there is no
 * io_uring, on one.
 */
#include "testlib.h"

#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "uring_sets.h"

enum { SIZE = 100000 };

static uint32_t flags_of(void **state)
{
	return *(const uint32_t *)*state;
}

/* ---- one after the other --------------------------------------------------
 */

/* Errors of all kinds; and what is no error */
static void results(void **state)
{
	const long page = sysconf(_SC_PAGESIZE);
	char *buf = mmap(NULL, SIZE * 2, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *nowhere = mmap(NULL, (size_t)page, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec mine = { buf, SIZE };
	int fd = file_of(SIZE), files[] = { fd };
	int readable = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int writable = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int dir = open("/", O_RDONLY | O_CLOEXEC);
	int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	/* Nobody has mapped its first page. */
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	struct skyipc_uring_attr attr = { .size = sizeof(attr),
					  .files = files,
					  .nfiles = 1,
					  .buffers = &mine,
					  .nbuffers = 1 };
	const enum {
		R = SKYIPC_URING_READ,
		W = SKYIPC_URING_WRITE,
		S = SKYIPC_URING_SYNC,
		D = SKYIPC_URING_DATASYNC
	} end = D;
	const uint32_t F = SKYIPC_URING_FILE, B = SKYIPC_URING_BUFFER,
		       A = SKYIPC_URING_ALL, O = SKYIPC_URING_ONDISK;
	const struct {
		uint32_t op, flags;
		int fd;
		uint32_t buffer;
		void *buf;
		size_t len;
		int64_t offset, result;
	} cases[] = {
		{ R, 0, fd, 0, buf, SIZE, 0, SIZE },
		{ R, 0, fd, 0, buf, 1, SIZE - 1, 1 },
		{ R, 0, fd, 0, buf, SIZE, 1234, SIZE - 1234 },
		{ R, A, fd, 0, buf, SIZE * 2, 0, SIZE },
		{ R, A, fd, 0, buf, SIZE, SIZE - 5, 5 },
		{ R, 0, fd, 0, buf, 10, SIZE, 0 },
		{ R, A, fd, 0, buf, 10, INT64_MAX - 10, 0 },
		{ R, 0, fd, 0, buf, 0, 0, 0 },
		{ R, F, 0, 0, buf, 500, 7, 500 },
		{ R, B, fd, 0, buf, SIZE, 0, SIZE },
		{ R, B, fd, 0, buf + SIZE, 0, 0, 0 },
		{ R, F | B | A, 0, 0, buf + 50, 77, 9, 77 },
		/* More than a ring can be told: as much as there is */
		{ R, 0, fd, 0, buf, (size_t)1 << 32, 0, SIZE },
		{ R, 0, fd, 0, buf, ((size_t)1 << 32) + 3, SIZE - 9, 9 },
		{ W, 0, fd, 0, buf, 100, 10, 100 },
		{ W, O, fd, 0, buf, 100, 10, 100 },
		{ W, F | B | A | O, 0, 0, buf, 100, 10, 100 },
		{ W, 0, writable, 0, buf, SIZE, 0, SIZE },
		{ S, 0, fd, 0, NULL, 0, 0, 0 },
		{ D, F, 0, 0, NULL, 0, 0, 0 },
		/* offsets and lengths */
		{ R, 0, fd, 0, buf, 10, -1, -EINVAL },
		{ R, 0, fd, 0, buf, 10, -2, -EINVAL },
		{ W, 0, fd, 0, buf, 10, INT64_MIN, -EINVAL },
		{ R, 0, fd, 0, buf, 11, INT64_MAX - 10, -EINVAL },
		{ R, 0, fd, 0, buf, SIZE_MAX, 0, -EINVAL },
		{ R, A, fd, 0, buf, (size_t)INT64_MAX + 1, 0, -EINVAL },
		/* files */
		{ R, 0, -1, 0, buf, 10, 0, -EBADF },
		{ R, 0, 1 << 30, 0, buf, 10, 0, -EBADF },
		{ S, 0, -1, 0, NULL, 0, 0, -EBADF },
		{ R, F, 1, 0, buf, 10, 0, -EBADF },
		{ W, F, -1, 0, buf, 10, 0, -EBADF },
		{ S, F, INT32_MIN, 0, NULL, 0, 0, -EBADF },
		{ R, 0, writable, 0, buf, 10, 0, -EBADF },
		{ W, 0, readable, 0, buf, 10, 0, -EBADF },
		{ R, 0, dir, 0, buf, 10, 0, -EISDIR },
		{ W, 0, full, 0, buf, 10, 0, -ENOSPC },
		{ R, 0, memory, 0, buf, 10, 0, -EIO },
		{ S, 0, readable, 0, NULL, 0, 0, -EINVAL },
		/* memory */
		{ R, 0, fd, 0, nowhere, 10, 0, -EFAULT },
		{ W, 0, fd, 0, nowhere, 10, 0, -EFAULT },
		{ R, 0, fd, 0, NULL, 10, 0, -EFAULT },
		{ R, B, fd, 1, buf, 10, 0, -EFAULT },
		{ R, B, fd, UINT32_MAX, buf, 10, 0, -EFAULT },
		{ R, B, fd, 0, buf, SIZE + 1, 0, -EFAULT },
		{ R, B, fd, 0, buf + 1, SIZE, 0, -EFAULT },
		{ W, B, fd, 0, buf - 1, 1, 0, -EFAULT },
		{ W, B, fd, 0, buf + SIZE + 1, 0, 0, -EFAULT },
		/* what there is not */
		{ end + 1, 0, fd, 0, buf, 10, 0, -EINVAL },
		{ UINT32_MAX, 0, fd, 0, buf, 10, 0, -EINVAL },
		{ R, 16, fd, 0, buf, 10, 0, -EINVAL },
		{ R, O, fd, 0, buf, 10, 0, -EINVAL },
		{ S, A, fd, 0, NULL, 0, 0, -EINVAL },
	};
	struct skyipc_uring *u = set_of(&attr, flags_of(state));

	assert_true(dir >= 0 && full >= 0 && memory >= 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct skyipc_uring_io io = {
			.op = cases[i].op,
			.flags = cases[i].flags,
			.fd = cases[i].fd,
			.buffer = cases[i].buffer,
			.buf = cases[i].buf,
			.len = cases[i].len,
			.offset = cases[i].offset,
		};
		int64_t result;

		/* (It objects to memory that is not there before the
		 * kernel does.) */
		if (under_valgrind() &&
		    (cases[i].result == -EFAULT || cases[i].len > SIZE * 2))
			continue;
		memset(buf, 0xa5, SIZE * 2);
		if (io.op == W && io.buf == buf)
			for (size_t k = 0; k < SIZE; k++)
				buf[k] =
					(char)pattern(0, (size_t)io.offset + k);
		result = do_io(u, io);
		if (result != cases[i].result)
			fail_msg("case %zu: %lld, not %lld", i,
				 (long long)result, (long long)cases[i].result);
		/* Its bytes and no others, of the right place */
		if (io.op == R && result > 0) {
			assert_true(file_is(io.buf, (size_t)result,
					    (size_t)io.offset));
			assert_true(((uint8_t *)io.buf)[result] == 0xa5);
		}
	}
	/* All that was written was what had been there. */
	assert_int_equal(pread(fd, buf, SIZE * 2, 0), SIZE);
	assert_true(file_is(buf, SIZE, 0));
	skyipc_uring_destroy(u);
	for (size_t i = 0; i < 6; i++)
		close(((int[]){ fd, readable, writable, dir, full,
				memory })[i]);
	munmap(buf, SIZE * 2);
	munmap(nowhere, (size_t)page);
}

/* The short functions */
static void short_ones(void **state)
{
	struct skyipc_uring_attr attr = SKYIPC_URING_ATTR_INIT;
	struct skyipc_uring *u = set_of(&attr, flags_of(state));
	int fd = file_of(SIZE);
	char buf[300] = "";

	assert_int_equal(skyipc_uring_read(u, fd, buf, sizeof(buf), 99), 300);
	assert_true(file_is(buf, sizeof(buf), 99));
	memset(buf, 'x', sizeof(buf));
	assert_int_equal(skyipc_uring_write(u, fd, buf, 10, SIZE), 10);
	assert_int_equal(skyipc_uring_sync(u, fd), 0);
	memset(buf, 'y', sizeof(buf));
	assert_int_equal(skyipc_uring_read(u, fd, buf, sizeof(buf), SIZE), 10);
	assert_memory_equal(buf, "xxxxxxxxxxyy", 12);
	assert_int_equal(skyipc_uring_read(u, -1, buf, 1, 0), -EBADF);
	assert_int_equal(skyipc_uring_write(u, fd, buf, 1, -1), -EINVAL);
	assert_int_equal(skyipc_uring_sync(u, -1), -EBADF);
	close(fd);
	skyipc_uring_destroy(u);
}

/* A limit in size: what fits, and then an error */
static void too_big(void **state)
{
	struct skyipc_uring_attr attr = SKYIPC_URING_ATTR_INIT;
	struct skyipc_uring *u = set_of(&attr, flags_of(state));
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	uint64_t was = set_limit(RLIMIT_FSIZE, SIZE + 50);
	int fd = file_of(SIZE);
	char buf[100] = "";

	sigaction(SIGXFSZ, &ignore, &old);
	assert_int_equal(skyipc_uring_write(u, fd, buf, 100, SIZE), 50);
	assert_int_equal(skyipc_uring_write(u, fd, buf, 100, SIZE + 50),
			 -EFBIG);
	/* Of all of it as much */
	assert_int_equal(
		do_io(u, (struct skyipc_uring_io){ .op = SKYIPC_URING_WRITE,
						   .flags = SKYIPC_URING_ALL,
						   .fd = fd,
						   .buf = buf,
						   .len = 100,
						   .offset = SIZE }),
		50);
	set_limit(RLIMIT_FSIZE, was);
	sigaction(SIGXFSZ, &old, NULL);
	close(fd);
	skyipc_uring_destroy(u);
}

/* ---- pipes ----------------------------------------------------------------
 */

struct feeder {
	int fd;
	char data[6];
};

static void *feed(void *arg)
{
	struct feeder *f = arg;

	/* Each when the one before has been taken */
	for (size_t i = 0; i < sizeof(f->data); i++) {
		int left;

		do
			CHECK(!ioctl(f->fd, FIONREAD, &left));
		while (left);
		CHECK(write(f->fd, &f->data[i], 1) == 1);
	}
	return NULL;
}

static void pipes(void **state)
{
	struct skyipc_uring_attr attr = SKYIPC_URING_ATTR_INIT;
	struct skyipc_uring *u = set_of(&attr, flags_of(state));
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	struct feeder f = { .data = "abcdef" };
	struct skyipc_uring_io all = { .op = SKYIPC_URING_READ,
				       .flags = SKYIPC_URING_ALL };
	char buf[10] = "";
	pthread_t thread;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	/* Offsets mean nothing there, but are looked at. */
	assert_int_equal(skyipc_uring_write(u, p[1], "hello", 5, 77), 5);
	assert_int_equal(skyipc_uring_read(u, p[0], buf, 10, -1), -EINVAL);
	assert_int_equal(skyipc_uring_read(u, p[0], buf, 10, 1000), 5);
	assert_memory_equal(buf, "hello", 5);
	/* What comes bit by bit */
	f.fd = p[1];
	all.fd = p[0];
	all.buf = buf;
	all.len = 6;
	assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
	assert_int_equal(do_io(u, all), 6);
	assert_memory_equal(buf, "abcdef", 6);
	pthread_join(thread, NULL);
	/* It is waited for though others do not want to. */
	assert_int_equal(fcntl(p[0], F_SETFL, O_NONBLOCK), 0);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
	assert_int_equal(do_io(u, all), 6);
	assert_memory_equal(buf, "abcdef", 6);
	pthread_join(thread, NULL);
	/* Its end is the end. */
	assert_int_equal(write(p[1], "xyz", 3), 3);
	close(p[1]);
	assert_int_equal(do_io(u, all), 3);
	assert_memory_equal(buf, "xyz", 3);
	assert_int_equal(do_io(u, all), 0);
	close(p[0]);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	close(p[0]);
	sigaction(SIGPIPE, &ignore, &old);
	assert_int_equal(skyipc_uring_write(u, p[1], "x", 1, 0), -EPIPE);
	sigaction(SIGPIPE, &old, NULL);
	close(p[1]);
	assert_int_equal(skyipc_uring_read(u, p[1], buf, 1, 0), -EBADF);
	skyipc_uring_destroy(u);
}

/* ---- many at a time --------------------------------------------------------
 */

enum { MANY = 700, PART = 100 };

/* Rings small and large; errors among them; arrays that find no ring */
static void arrays(void **state)
{
	static struct skyipc_uring_io io[3][MANY];
	static char buf[3][MANY][PART];
	int fd = file_of(SIZE);

	for (uint32_t depth = 1; depth < 3000; depth = depth * 5 + 1) {
		struct skyipc_uring_attr attr = { .size = sizeof(attr),
						  .rings = 2,
						  .depth = depth };
		struct skyipc_uring *u = set_of(&attr, flags_of(state));
		uint32_t n = stats_of(u).rings;
		struct skyipc_uring_stats s;

		memset(buf, 0, sizeof(buf));
		for (int a = 0; a < 3; a++) {
			for (uint32_t i = 0; i < MANY; i++)
				io[a][i] = (struct skyipc_uring_io){
					.op = i % 7 == 3 ? 99 : 0,
					.fd = i % 7 == 5 ? -1 : fd,
					.buf = buf[a][i],
					.len = PART,
					.offset = i * PART + a,
				};
			assert_int_equal(skyipc_uring_submit(u, io[a], MANY),
					 0);
		}
		for (int a = 2; a >= 0; a--) {
			assert_int_equal(skyipc_uring_wait(u, io[a], MANY), 0);
			for (uint32_t i = 0; i < MANY; i++) {
				assert_int_equal(io[a][i].result,
						 i % 7 == 3   ? -EINVAL
						 : i % 7 == 5 ? -EBADF
							      : PART);
				if (io[a][i].result == PART)
					assert_true(
						file_is(buf[a][i], PART,
							i * PART + (size_t)a));
			}
		}
		/* What is no transfer is not counted. */
		s = stats_of(u);
		assert_int_equal(s.done + s.direct, MANY / 7 * 6 * 3);
		assert_int_equal(s.done, MANY / 7 * 6 * n);
		assert_int_equal(s.busy, n ? 1 : 0);
		assert_int_equal(skyipc_uring_submit(u, NULL, 0), 0);
		assert_int_equal(skyipc_uring_wait(u, NULL, 0), 0);
		skyipc_uring_destroy(u);
	}
	close(fd);
}

struct writer {
	struct skyipc_uring *u;
	pthread_t thread;
	int fd, number;
};

enum { WRITERS = 8, OWN = 4096 };

/* Writes and reads its own part, each time something else */
static void *write_own(void *arg)
{
	const struct writer *w = arg;
	int64_t at = w->number * OWN;
	char mine[OWN], back[OWN] = "";

	for (unsigned i = 0; i < 400 / slowness; i++) {
		size_t len = (i * 37 + (unsigned)w->number) % OWN + 1;

		pattern_fill(mine, len, i + (unsigned)w->number * 1000u);
		CHECK(skyipc_uring_write(w->u, w->fd, mine, len, at) ==
		      (ssize_t)len);
		memset(back, 0, sizeof(back));
		CHECK(skyipc_uring_read(w->u, w->fd, back, len, at) ==
		      (ssize_t)len);
		CHECK(!memcmp(mine, back, len));
	}
	return NULL;
}

static void threads(void **state)
{
	int fd = file_of(WRITERS * OWN);

	for (uint32_t n = 1; n <= WRITERS; n = n * 2 + 1) {
		struct skyipc_uring_attr attr = { .size = sizeof(attr),
						  .rings = n,
						  .depth = 1 };
		struct skyipc_uring *u = set_of(&attr, flags_of(state));
		struct skyipc_uring_stats s;
		struct writer w[WRITERS];

		for (int i = 0; i < WRITERS; i++) {
			w[i] = (struct writer){ .u = u, .fd = fd, .number = i };
			assert_int_equal(pthread_create(&w[i].thread, NULL,
							write_own, &w[i]),
					 0);
		}
		for (int i = 0; i < WRITERS; i++)
			pthread_join(w[i].thread, NULL);
		s = stats_of(u);
		assert_int_equal(s.done + s.direct,
				 400 / slowness * 2 * WRITERS);
		assert_int_equal(s.busy, s.rings ? s.direct : 0);
		skyipc_uring_destroy(u);
	}
	close(fd);
}

/* Another thread than that which has submitted waits. */
struct handed {
	struct skyipc_uring *u;
	struct skyipc_uring_io *io;
};

static void *wait_handed(void *arg)
{
	struct handed *h = arg;

	CHECK(!skyipc_uring_wait(h->u, h->io, 2));
	return NULL;
}

static void hand_over(void **state)
{
	struct skyipc_uring_attr attr = SKYIPC_URING_ATTR_INIT;
	struct skyipc_uring *u = set_of(&attr, flags_of(state));
	int fd = file_of(SIZE);
	char buf[2][50];
	pthread_t thread;

	for (int i = 0; i < 20; i++) {
		struct skyipc_uring_io io[2] = {
			{ .fd = fd, .buf = buf[0], .len = 50, .offset = 500 },
			{ .fd = fd, .buf = buf[1], .len = 50, .offset = 550 },
		};
		struct handed h = { u, io };

		memset(buf, 0, sizeof(buf));
		assert_int_equal(skyipc_uring_submit(u, io, 2), 0);
		assert_int_equal(pthread_create(&thread, NULL, wait_handed, &h),
				 0);
		pthread_join(thread, NULL);
		assert_true(file_is(buf, sizeof(buf), 500));
	}
	close(fd);
	skyipc_uring_destroy(u);
}

static uint32_t rings = SKYIPC_URING_REQUIRED, calls = SKYIPC_URING_DIRECT;

#define BOTH(test)                                                             \
	{ #test ", rings", test, NULL, NULL, &rings },                         \
	{                                                                      \
#test ", system calls", test, NULL, NULL, &calls               \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(results), BOTH(short_ones), BOTH(too_big),	  BOTH(pipes),
		BOTH(arrays),  BOTH(threads),	 BOTH(hand_over),
	};

	cmocka_set_test_filter(getenv("SKY_TEST"));
	return cmocka_run_group_tests_name("transfers", tests, NULL, NULL);
}
