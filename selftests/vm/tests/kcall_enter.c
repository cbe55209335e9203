/* SPDX-License-Identifier: MIT */
/*
 * The lean entry: what it is for, and what it is not. And deadlines, of threads
 * with any slack and in any time namespace; and the end, for all who poll.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

enum { ECHO, NEVER };

static bool handler(struct request *r)
{
	r->msg.words[0]++;
	r->msg.len = 0;
	return r->msg.op == ECHO;
}

static int conn, link_fd;

static struct skyipc_dev_call echo(void)
{
	return (struct skyipc_dev_call){ .size = sizeof(struct skyipc_dev_call),
					 .deadline = SKYIPC_DEV_FOREVER,
					 .msg = { .op = ECHO, .words[0] = 1 } };
}

static int advise(int fd, void *block, off_t len, int advice)
{
	return -posix_fadvise(fd, (off_t)(uintptr_t)block, len, advice);
}

static void what_it_is(void)
{
	struct skyipc_dev_call c = echo();
	int dev = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC), status;
	pid_t pid;

	ok(!lean(link_fd, &c) && c.msg.words[0] == 2, "a call");
	ok(lean(link_fd, NULL) == -EFAULT, "none");
	ok(lean(link_fd, (void *)-4096) == -EFAULT, "none in the kernel");
	c = echo();
	ok(advise(link_fd, &c, 1, POSIX_FADV_NORMAL) == -EINVAL &&
		   advise(link_fd, &c, 0, POSIX_FADV_RANDOM) == -EINVAL &&
		   c.msg.words[0] == 1,
	   "nothing but that");
	ok(lean(conn, &c) == -ENOTTY && lean(dev, &c) == -ENOTTY,
	   "not of what has none");
	pid = fork();
	if (!pid)
		_exit(lean(link_fd, &c) == -EPERM ? 0 : 1);
	waitpid(pid, &status, 0);
	ok(!status, "not a child's");
	close(dev);
}

/* One operation, in this thread; its result */
static int by_io_uring(struct io_uring_sqe *what)
{
	struct io_uring_params p = { .flags = 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &p), res;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	size_t size;
	char *m;

	if (ring < 0)
		return -errno;
	size = p.cq_off.cqes + p.cq_entries * sizeof(*cqe) + 4096;
	m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		 IORING_OFF_SQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		   IORING_OFF_SQES);
	if (m == MAP_FAILED || sqe == MAP_FAILED)
		give_up("mmap");
	*sqe = *what;
	*(unsigned *)(m + p.sq_off.array) = 0;
	atomic_store((_Atomic unsigned *)(m + p.sq_off.tail), 1);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		give_up("io_uring_enter");
	cqe = (void *)(m + p.cq_off.cqes);
	res = cqe->res;
	munmap(m, size);
	munmap(sqe, sizeof(*sqe));
	close(ring);
	return res;
}

static void not_by_io_uring(void)
{
	struct skyipc_dev_call c = echo();
	struct io_uring_sqe sqe = { .opcode = IORING_OP_FADVISE,
				    .fd = link_fd,
				    .off = (uintptr_t)&c,
				    .fadvise_advice = POSIX_FADV_NORMAL };
	int err = by_io_uring(&sqe);

	if (err == -ENOSYS) {
		ok(true, "io_uring # SKIP this kernel has none");
		return;
	}
	ok(err == -EINVAL && c.msg.words[0] == 1, "not by io_uring: %d", err);
	/* In a thread that is not the link's */
	sqe.flags = IOSQE_ASYNC;
	err = by_io_uring(&sqe);
	ok(err == -EPERM && c.msg.words[0] == 1, "nor by its threads: %d", err);
}

/* So much that deadline and slack together are beyond all time */
static void slack(void)
{
	struct skyipc_dev_call c = { .flags = 0 };
	uint64_t t0;
	int err;

	if (prctl(PR_SET_TIMERSLACK, ULONG_MAX))
		give_up("PR_SET_TIMERSLACK");
	c.msg.op = ECHO;
	ok(!call(link_fd, &c, ECHO, 50), "a call with any slack");
	prctl(PR_SET_TIMERSLACK, 0);
	t0 = now();
	err = call(link_fd, &c, NEVER, 50);
	ok(err == -ETIMEDOUT && now() - t0 < UINT64_C(5000000000),
	   "and then a deadline is one: %d", err);
}

/* Their clock is another one: theirs is what deadlines are by. */
static void another_time(void)
{
	struct skyipc_dev_call c = { .flags = 0 };
	int other, link, status;
	uint64_t t0;
	pid_t pid, server;

	if (unshare(CLONE_NEWTIME)) {
		ok(true, "time namespaces # SKIP this kernel has none");
		return;
	}
	if (write_file("/proc/self/timens_offsets", "monotonic 1000000 0"))
		give_up("timens_offsets");
	pid = fork();
	if (!pid) {
		server = server_process(handler, 1, &other);
		link = new_link(other, 1);
		t0 = now();
		status = call(link, &c, NEVER, 50) == -ETIMEDOUT &&
					 now() - t0 < UINT64_C(5000000000)
				 ? 0
				 : 1;
		end_process(server);
		_exit(status);
	}
	waitpid(pid, &status, 0);
	ok(!status, "deadlines in another time namespace");
}

static void all_hear(pid_t server)
{
	enum { N = 3 };
	struct epoll_event e = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int polls[N], heard = 0;

	for (int i = 0; i < N; i++) {
		polls[i] = epoll_create1(EPOLL_CLOEXEC);
		if (epoll_ctl(polls[i], EPOLL_CTL_ADD, link_fd, &e))
			give_up("epoll_ctl");
	}
	end_process(server);
	for (int i = 0; i < N; i++) {
		heard += epoll_wait(polls[i], &e, 1, 1000) == 1 &&
			 e.events & EPOLLHUP;
		close(polls[i]);
	}
	ok(heard == N, "%d of %d who poll exclusively hear of the end", heard,
	   N);
}

int main(void)
{
	pid_t server;

	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	server = server_process(handler, 2, &conn);
	link_fd = new_link(conn, 1);
	what_it_is();
	slack();
	/* What a ring leaves to be done interrupts waits, as signals do. */
	not_by_io_uring();
	another_time();
	all_hear(server);
	close(link_fd);
	close(conn);
	ok(!unload("skyipc"), "rmmod");
	return done();
}
