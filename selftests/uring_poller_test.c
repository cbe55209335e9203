/* SPDX-License-Identifier: MIT */
/*
 * uring_poller_test.c - what rings do without system calls, and with which;
 * who looks after them: pollers that sleep, sets that end, fork()
 */
#include "testlib.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "uring_sets.h"

enum { SIZE = 50000 };

/* ---- system calls -----------------------------------------------------------
 */

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif

static volatile char forbidden; /* 1: a system call of this thread is SIGSYS */
static volatile int caught;

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	forbidden = 0;
	caught = info->si_syscall + 1;
}

static int forbid_calls(void)
{
	struct sigaction act = { .sa_sigaction = on_sigsys,
				 .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &act, NULL);
	return !prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0,
		      &forbidden);
}

/* The poller is awake, and the file's pages are there: nothing enters Linux. */
static void no_calls(void **state)
{
	char buf[2][1000];
	struct iovec mine = { buf, sizeof(buf) };
	int fd = file_of(SIZE);
	struct skyipc_uring_attr attr = { .size = sizeof(attr),
					  .idle_ms = 100000,
					  .poll_ns = UINT64_C(100000000000),
					  .files = &fd,
					  .nfiles = 1,
					  .buffers = &mine,
					  .nbuffers = 1 };
	struct skyipc_uring *u = set_of(&attr, SKYIPC_URING_REQUIRED);
	struct skyipc_uring_stats before, after;
	ssize_t n = 0;

	(void)state;
	assert_int_equal(skyipc_uring_read(u, fd, buf[0], 1000, 0), 1000);
	/* (TSan has signals handled later, when this one would come again.) */
	if (under_tsan() || !forbid_calls()) {
		skyipc_uring_destroy(u);
		close(fd);
		skip();
	}
	/* (This way they are noticed.) */
	forbidden = 1;
	syscall(SYS_getppid);
	forbidden = 0;
	assert_int_equal(caught, SYS_getppid + 1);
	caught = 0;
	before = stats_of(u);
	for (unsigned i = 0; i < 1000 / slowness && !caught; i++) {
		struct skyipc_uring_io io[2] = {
			{ .fd = fd, .buf = buf[0], .len = 999, .offset = i },
			{ .flags = SKYIPC_URING_FILE | SKYIPC_URING_BUFFER,
			  .buf = buf[1],
			  .len = 999,
			  .offset = i + 1 },
		};

		memset(buf, 0, sizeof(buf));
		forbidden = 1;
		n = skyipc_uring_submit(u, io, 2) ?: skyipc_uring_wait(u, io, 2)
						 ?: io[0].result;
		forbidden = 0;
		assert_int_equal(n, 999);
		assert_int_equal(io[1].result, 999);
		assert_true(file_is(buf[0], 999, i));
		assert_true(file_is(buf[1], 999, i + 1));
	}
	assert_int_equal(caught, 0);
	after = stats_of(u);
	assert_int_equal(after.done - before.done, 2000 / slowness);
	assert_int_equal(after.wakes, before.wakes);
	assert_int_equal(after.waits, before.waits);
	prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
	skyipc_uring_destroy(u);
	close(fd);
}

/* A poller that has nothing to do sleeps, and is woken. */
static void sleeps(void **state)
{
	struct skyipc_uring_attr attr = { .size = sizeof(attr), .idle_ms = 1 };
	struct skyipc_uring *u = set_of(&attr, SKYIPC_URING_REQUIRED);
	int fd = file_of(SIZE), woken = 0;
	char buf[100];

	(void)state;
	/* (One that is about to sleep may still see what comes.) */
	for (int i = 0; i < 100 && woken < 10; i++) {
		uint64_t wakes = stats_of(u).wakes;

		assert_true(WAIT_FOR(pollers(0) && !pollers(1)));
		memset(buf, 0, sizeof(buf));
		assert_int_equal(skyipc_uring_read(u, fd, buf, 100, 10), 100);
		assert_true(file_is(buf, 100, 10));
		woken += stats_of(u).wakes > wakes;
	}
	assert_int_equal(woken, 10);
	skyipc_uring_destroy(u);
	close(fd);
}

/* What comes late is waited for in the kernel, whatever the poller does. */
struct reader {
	struct skyipc_uring *u;
	int fd;
};

static void *read_pipe(void *arg)
{
	const struct reader *r = arg;
	char c = 0;

	CHECK(skyipc_uring_read(r->u, r->fd, &c, 1, 0) == 1);
	CHECK(c == 'x');
	return NULL;
}

/* (Of the thread: who waits for it below, looking, takes most of a CPU.) */
static uint64_t cpu_ns_of_thread(pthread_t thread)
{
	struct timespec t;
	clockid_t clock;

	CHECK(!pthread_getcpuclockid(thread, &clock));
	CHECK(!clock_gettime(clock, &t));
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void waits(void **state)
{
	struct skyipc_uring_attr attr = SKYIPC_URING_ATTR_INIT;
	struct reader r = { .u = set_of(&attr, SKYIPC_URING_REQUIRED) };
	uint64_t cpu;
	pthread_t thread;
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	r.fd = p[0];
	assert_int_equal(pthread_create(&thread, NULL, read_pipe, &r), 0);
	assert_true(WAIT_FOR(stats_of(r.u).waits == 1));
	/* Nobody looks, nor does the poller after a while. */
	assert_true(WAIT_FOR(pollers(0) && !pollers(1)));
	cpu = cpu_ns_of_thread(thread);
	WAIT_FOR_MS(0, 50);
	assert_in_range(cpu_ns_of_thread(thread) - cpu, 0, 10000000);
	assert_int_equal(write(p[1], "x", 1), 1);
	pthread_join(thread, NULL);
	/* One is enough, but a signal may have ended one. */
	assert_in_range(stats_of(r.u).waits, 1, 3);
	assert_int_equal(stats_of(r.u).direct, 0);
	close(p[0]);
	close(p[1]);
	skyipc_uring_destroy(r.u);
}

/* ---- ends -------------------------------------------------------------------
 */

/* Nothing is left, and files are closed when the set has gone. */
static void ends(void **state)
{
	int fds = fds_open(getpid());

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct skyipc_uring_attr attr = { .size = sizeof(attr),
						  .rings = 1 + (uint32_t)i % 5,
						  .nfiles = 1 };
		struct skyipc_uring *u;
		char c = 0;
		int p[2];

		assert_int_equal(pipe2(p, O_CLOEXEC), 0);
		attr.files = &p[1];
		u = set_of(&attr, i & 1 ? SKYIPC_URING_DIRECT : 0);
		close(p[1]);
		/* Its maker's is closed; the set's goes on. */
		assert_int_equal(do_io(u,
				       (struct skyipc_uring_io){
					       .op = SKYIPC_URING_WRITE,
					       .flags = SKYIPC_URING_FILE,
					       .buf = &(char){ 'y' },
					       .len = 1 }),
				 1);
		assert_int_equal(read(p[0], &c, 1), 1);
		assert_int_equal(c, 'y');
		skyipc_uring_destroy(u);
		/* Nobody has it open: this does not wait. */
		assert_int_equal(read(p[0], &c, 1), 0);
		close(p[0]);
	}
	assert_int_equal(fds_open(getpid()), fds);
	assert_true(pollers_end());
}

/* ---- fork() -----------------------------------------------------------------
 */

static int in_child(struct skyipc_uring *u, int fd, int fds)
{
	struct skyipc_uring_io io = { .fd = fd };
	struct skyipc_uring_stats s = { .size = sizeof(s) };
	char buf[10] = "";

	CHECK(fds_open(getpid()) == fds);
	CHECK(skyipc_uring_read(u, fd, buf, 10, 0) == -ECHILD);
	CHECK(skyipc_uring_write(u, fd, buf, 10, 0) == -ECHILD);
	CHECK(skyipc_uring_sync(u, fd) == -ECHILD);
	CHECK(skyipc_uring_submit(u, &io, 1) == -ECHILD);
	CHECK(skyipc_uring_wait(u, &io, 1) == -ECHILD);
	CHECK(!skyipc_uring_stats(u, &s));
	skyipc_uring_destroy(u);
	/* It can have one of its own. */
	CHECK(!skyipc_uring_create(NULL, &u));
	CHECK(skyipc_uring_read(u, fd, buf, 10, 5) == 10);
	CHECK(file_is(buf, 10, 5));
	skyipc_uring_destroy(u);
	CHECK(fds_open(getpid()) == fds);
	return 0;
}

/* (Who runs us may have some of its own that a child has not.) */
static int fds_of_child(void)
{
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child)
		_exit(fds_open(getpid()));
	return wait_exit(child);
}

static void forks(void **state)
{
	struct skyipc_uring_attr attr = { .size = sizeof(attr), .rings = 2 };
	int fd = file_of(SIZE), fds = fds_of_child() + 2;
	char buf[10] = "", c = 0;
	struct skyipc_uring_io io = { .buf = &c, .len = 1 };
	struct skyipc_uring *u;
	pid_t child;
	int p[2];

	attr.files = &fd;
	attr.nfiles = 1;
	u = set_of(&attr, *(const uint32_t *)*state);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	io.fd = p[0];
	for (int i = 0; i < 5; i++) {
		/* One is under way. */
		int waits = i && stats_of(u).rings;

		if (waits)
			assert_int_equal(skyipc_uring_submit(u, &io, 1), 0);
		fflush(NULL);
		child = fork();
		if (!child)
			_exit(in_child(u, fd, fds));
		assert_int_equal(wait_exit(child), 0);
		if (waits) {
			assert_int_equal(write(p[1], &(char){ 'a' + i }, 1), 1);
			assert_int_equal(skyipc_uring_wait(u, &io, 1), 0);
			assert_int_equal(io.result, 1);
			assert_int_equal(c, 'a' + i);
		}
		assert_int_equal(skyipc_uring_read(u, fd, buf, 10, i), 10);
		assert_true(file_is(buf, 10, (size_t)i));
	}
	/* A child that does nothing does not keep a set from ending. */
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(1);
	}
	skyipc_uring_destroy(u);
	close(fd);
	close(p[0]);
	close(p[1]);
	assert_true(pollers_end());
	kill(child, SIGKILL);
	assert_int_equal(wait_exit(child), 1000 + SIGKILL);
}

int main(void)
{
	static uint32_t rings = SKYIPC_URING_REQUIRED,
			calls = SKYIPC_URING_DIRECT;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_calls),
		cmocka_unit_test(sleeps),
		cmocka_unit_test(waits),
		cmocka_unit_test(ends),
		{ "forks, rings", forks, NULL, NULL, &rings },
		{ "forks, system calls", forks, NULL, NULL, &calls },
	};

	cmocka_set_test_filter(getenv("SKY_TEST"));
	return cmocka_run_group_tests_name("pollers", tests, NULL, NULL);
}
