/* SPDX-License-Identifier: MIT */
/*
 * uring_faults_test.c - sets of rings where something is missing: io_uring,
 * memory, descriptors, rights, an awake poller; and what fork() leaves of them
 *
 * Functions that the library calls are wrapped by the linker (build.mk), and
 * fail here when they are told to.
 */
#include "testlib.h"

#include <liburing.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "uring_sets.h"

enum { SIZE = 50000 };

/* ---- functions that fail ---------------------------------------------------
 */

/* How often this one goes well; negative: always. What it fails with */
struct fault {
	int left, err;
};
#define NO_FAULT                                                               \
	{                                                                      \
		-1, 0                                                          \
	}
static struct fault in_memory = NO_FAULT, in_setup = NO_FAULT,
		    in_files = NO_FAULT, in_buffers = NO_FAULT;
static int old_kernel;

static int fails(struct fault *f)
{
	return f->left >= 0 && f->left-- == 0;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails(&in_memory) ? NULL : __real_calloc(n, size);
}

void *__real_aligned_alloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t n, size_t size)
{
	return fails(&in_memory) ? NULL : __real_aligned_alloc(n, size);
}

int __real_io_uring_queue_init_params(unsigned n, struct io_uring *ring,
				      struct io_uring_params *p);
int __wrap_io_uring_queue_init_params(unsigned n, struct io_uring *ring,
				      struct io_uring_params *p);
int __wrap_io_uring_queue_init_params(unsigned n, struct io_uring *ring,
				      struct io_uring_params *p)
{
	int err;

	if (fails(&in_setup)) {
		in_setup.left = 0; /* and all others */
		return in_setup.err;
	}
	err = __real_io_uring_queue_init_params(n, ring, p);
	if (old_kernel)
		ring->features &= ~IORING_FEAT_SQPOLL_NONFIXED;
	return err;
}

int __real_io_uring_register_files(struct io_uring *ring, const int *files,
				   unsigned n);
int __wrap_io_uring_register_files(struct io_uring *ring, const int *files,
				   unsigned n);
int __wrap_io_uring_register_files(struct io_uring *ring, const int *files,
				   unsigned n)
{
	return fails(&in_files)
		       ? in_files.err
		       : __real_io_uring_register_files(ring, files, n);
}

int __real_io_uring_register_buffers(struct io_uring *ring,
				     const struct iovec *v, unsigned n);
int __wrap_io_uring_register_buffers(struct io_uring *ring,
				     const struct iovec *v, unsigned n);
int __wrap_io_uring_register_buffers(struct io_uring *ring,
				     const struct iovec *v, unsigned n)
{
	return fails(&in_buffers)
		       ? in_buffers.err
		       : __real_io_uring_register_buffers(ring, v, n);
}

/* ---- what works nevertheless -----------------------------------------------
 */

/* (Not static: some kernels register no memory that a file is mapped behind.)
 */
static char *buffer;

/* Everything registered, three rings */
static struct skyipc_uring_attr all_of(const int *fd)
{
	static struct iovec mine;

	mine = (struct iovec){ buffer, SIZE };
	return (struct skyipc_uring_attr){ .size = sizeof(
						   struct skyipc_uring_attr),
					   .rings = 3,
					   .files = fd,
					   .nfiles = 1,
					   .buffers = &mine,
					   .nbuffers = 1 };
}

/* By index and by descriptor, through every ring that there is, and without */
static void works(struct skyipc_uring *u, int fd)
{
	struct skyipc_uring_io io[4][2];

	memset(buffer, 0, SIZE);
	for (int i = 0; i < 4; i++) {
		io[i][0] = (struct skyipc_uring_io){
			.flags = SKYIPC_URING_FILE | SKYIPC_URING_BUFFER,
			.buf = buffer + i * 1000,
			.len = 500,
			.offset = i * 1000,
		};
		io[i][1] = (struct skyipc_uring_io){
			.fd = fd,
			.buf = buffer + i * 1000 + 500,
			.len = 500,
			.offset = i * 1000 + 500,
		};
		CHECK(!skyipc_uring_submit(u, io[i], 2));
	}
	for (int i = 0; i < 4; i++) {
		CHECK(!skyipc_uring_wait(u, io[i], 2));
		CHECK(io[i][0].result == 500 && io[i][1].result == 500);
	}
	CHECK(file_is(buffer, 4000, 0));
}

static void no_rings(void **state)
{
	static const int errors[] = { -EPERM,  -ENOSYS, -ENOMEM,
				      -EMFILE, -EINVAL, -EAGAIN };
	int fd = file_of(SIZE), before = fds_open(getpid());
	struct skyipc_uring_attr attr = all_of(&fd);
	struct skyipc_uring_stats s;
	struct skyipc_uring *u;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		attr.flags = 0;
		in_setup = (struct fault){ 0, errors[i] };
		assert_int_equal(skyipc_uring_create(&attr, &u), 0);
		s = stats_of(u);
		assert_int_equal(s.rings, 0);
		/* (With one CPU, nobody has asked for one.) */
		assert_true(strstr(s.why, "CPU") ||
			    strstr(s.why, strerror(-errors[i])));
		works(u, fd);
		s = stats_of(u);
		assert_int_equal(s.direct, 8);
		assert_int_equal(s.done + s.busy, 0);
		skyipc_uring_destroy(u);
		in_setup = (struct fault){ 0, errors[i] };
		attr.flags = SKYIPC_URING_REQUIRED;
		assert_int_equal(skyipc_uring_create(&attr, &u), errors[i]);
		assert_int_equal(fds_open(getpid()), before);
	}
	in_setup = (struct fault)NO_FAULT;
	close(fd);
}

/* Some, but not as many; some that lack something */
static void fewer(void **state)
{
	int fd = file_of(SIZE), before = fds_open(getpid());
	struct skyipc_uring_attr attr = all_of(&fd);
	struct skyipc_uring_stats s;
	struct skyipc_uring *u;

	(void)state;
	if (!rings_here())
		skip();
	attr.flags = SKYIPC_URING_REQUIRED;
	for (int n = 1; n <= 3; n++) {
		in_setup = (struct fault){ n, -EMFILE };
		in_files = (struct fault){ n - 1, -EMFILE };
		in_buffers = (struct fault){ 0, -ENOMEM };
		assert_int_equal(skyipc_uring_create(&attr, &u), 0);
		in_setup = in_files = in_buffers = (struct fault)NO_FAULT;
		s = stats_of(u);
		assert_int_equal(s.rings, n);
		assert_int_equal(s.files, n - 1);
		assert_int_equal(s.buffers, n - 1);
		assert_true(s.why[0]);
		works(u, fd);
		s = stats_of(u);
		assert_int_equal(s.done, 2 * n);
		assert_int_equal(s.direct, 8 - 2 * n);
		assert_int_equal(s.busy, 4 - n);
		skyipc_uring_destroy(u);
		assert_int_equal(fds_open(getpid()), before);
	}
	/* All there, for comparison */
	assert_int_equal(skyipc_uring_create(&attr, &u), 0);
	s = stats_of(u);
	assert_int_equal(s.rings, 3);
	assert_int_equal(s.files, 3);
	assert_int_equal(s.buffers, 3);
	assert_string_equal(s.why, "");
	works(u, fd);
	skyipc_uring_destroy(u);
	close(fd);
}

static void old(void **state)
{
	int fd = file_of(SIZE), before = fds_open(getpid());
	struct skyipc_uring_attr attr = all_of(&fd);
	struct skyipc_uring *u;

	(void)state;
	if (!rings_here())
		skip();
	old_kernel = 1;
	attr.flags = SKYIPC_URING_REQUIRED;
	assert_int_equal(skyipc_uring_create(&attr, &u), -EOPNOTSUPP);
	attr.flags = 0;
	assert_int_equal(skyipc_uring_create(&attr, &u), 0);
	old_kernel = 0;
	assert_int_equal(stats_of(u).rings, 0);
	works(u, fd);
	skyipc_uring_destroy(u);
	assert_int_equal(fds_open(getpid()), before);
	close(fd);
}

/* Each allocation fails once. */
static void memory(void **state)
{
	int fd = file_of(SIZE), before = fds_open(getpid()), n, err, whole = 0;
	struct skyipc_uring_attr attr = all_of(&fd);
	struct skyipc_uring *u;

	(void)state;
	for (n = 0; !whole; n++) {
		assert_true(n < 100);
		in_memory = (struct fault){ n, 0 };
		err = skyipc_uring_create(&attr, &u);
		whole = in_memory.left >= 0; /* it was not the one's turn */
		in_memory = (struct fault)NO_FAULT;
		if (err) {
			assert_int_equal(err, -ENOMEM);
		} else {
			works(u, fd);
			skyipc_uring_destroy(u);
		}
		assert_int_equal(fds_open(getpid()), before);
	}
	/* The set, its files and buffers; and with rings, these */
	assert_in_range(n, 4, 100);
	close(fd);
}

/* The kernel's own ways to refuse */
static void descriptors(void **state)
{
	int fd = file_of(SIZE), before = fds_open(getpid());
	struct skyipc_uring_attr attr = all_of(&fd);
	struct skyipc_uring_stats s;
	struct skyipc_uring *u;
	uint64_t was;
	int most;

	(void)state;
	/* With room for one more, two, ... */
	most = dup(fd);
	close(most);
	for (int room = 0; room < 6; room++) {
		was = set_limit(RLIMIT_NOFILE, (uint64_t)(most + room));
		if (!room) {
			assert_int_equal(skyipc_uring_create(&attr, &u),
					 -EMFILE);
			set_limit(RLIMIT_NOFILE, was);
			continue;
		}
		assert_int_equal(skyipc_uring_create(&attr, &u), 0);
		set_limit(RLIMIT_NOFILE, was);
		s = stats_of(u);
		assert_in_range(s.rings, 0, 3);
		assert_true((int)s.rings <= room - 1);
		works(u, fd);
		skyipc_uring_destroy(u);
		assert_int_equal(fds_open(getpid()), before);
	}
	close(fd);
}

static int refuse_all(const char *value)
{
	int fd = open("/proc/sys/kernel/io_uring_disabled",
		      O_WRONLY | O_CLOEXEC);
	int ok = fd >= 0 && write(fd, value, 1) == 1;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* In guests only: it is for the whole machine. */
static void disabled(void **state)
{
	int fd = file_of(SIZE);
	struct skyipc_uring_attr attr = all_of(&fd);
	struct skyipc_uring *u;
	int err;

	(void)state;
	if (!getenv("SKY_EMULATED") || !rings_here() || !refuse_all("2")) {
		close(fd);
		skip();
	}
	attr.flags = SKYIPC_URING_REQUIRED;
	err = skyipc_uring_create(&attr, &u);
	attr.flags = 0;
	assert_int_equal(skyipc_uring_create(&attr, &u), 0);
	assert_true(refuse_all("0"));
	assert_int_equal(err, -EPERM);
	assert_non_null(strstr(stats_of(u).why, "io_uring_disabled"));
	works(u, fd);
	skyipc_uring_destroy(u);
	close(fd);
}

static void bad_attributes(void **state)
{
	int fd = file_of(SIZE), before;
	struct skyipc_uring_stats stats = { .size = 7 };
	const int some[] = { fd, fd, 1 << 30 };
	struct skyipc_uring_attr attr;
	struct skyipc_uring *u;

	(void)state;
	before = fds_open(getpid());
	for (int i = 0; i < 7; i++) {
		attr = all_of(&fd);
		switch (i) {
		case 0:
			attr.size = 0;
			break;
		case 1:
			attr.size = 4097;
			break;
		case 2:
			attr.flags = 4;
			break;
		case 3:
			attr.flags =
				SKYIPC_URING_REQUIRED | SKYIPC_URING_DIRECT;
			break;
		case 4:
			attr.files = NULL;
			break;
		case 5:
			attr.buffers = NULL;
			break;
		case 6:
			attr.files = some;
			attr.nfiles = 3;
			break;
		}
		assert_int_equal(skyipc_uring_create(&attr, &u),
				 i == 6 ? -EBADF : -EINVAL);
		assert_int_equal(fds_open(getpid()), before);
	}
	/* A CPU that there is not */
	if (rings_here()) {
		attr = all_of(&fd);
		attr.flags = SKYIPC_URING_REQUIRED;
		attr.set_cpu = 1;
		attr.cpu = 1u << 20;
		assert_int_equal(skyipc_uring_create(&attr, &u), -EINVAL);
	}
	/* Older and newer programs know less, or more. */
	attr = all_of(&fd);
	attr.size = offsetof(struct skyipc_uring_attr, rings);
	assert_int_equal(skyipc_uring_create(&attr, &u), 0);
	assert_int_equal(skyipc_uring_stats(u, &stats), -EINVAL);
	stats.size = offsetof(struct skyipc_uring_stats, done);
	stats.done = 77;
	assert_int_equal(skyipc_uring_stats(u, &stats), 0);
	assert_int_equal(stats.done, 77);
	skyipc_uring_destroy(u);
	assert_int_equal(skyipc_uring_create(NULL, &u), 0);
	skyipc_uring_destroy(u);
	skyipc_uring_destroy(NULL);
	assert_int_equal(fds_open(getpid()), before);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_rings),
		cmocka_unit_test(fewer),
		cmocka_unit_test(old),
		cmocka_unit_test(memory),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(disabled),
		cmocka_unit_test(bad_attributes),
	};

	buffer = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		return 1;
	cmocka_set_test_filter(getenv("SKY_TEST"));
	return cmocka_run_group_tests_name("what is missing", tests, NULL,
					   NULL);
}
