/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

int lean(int fd, void *arg)
{
	return -posix_fadvise(fd, (off_t)(uintptr_t)arg, 0, POSIX_FADV_NORMAL);
}

/* CALL and SERVE have two ways in: by turns. */
static bool is_lean(unsigned long number)
{
	static __thread unsigned turn;

	return (number == SKYIPC_LINK_CALL || number == SKYIPC_WORKER_SERVE) &&
	       ++turn & 1;
}

int op(int fd, unsigned long number, void *arg)
{
	int ret;

	if (is_lean(number))
		return lean(fd, arg);
	ret = ioctl(fd, number, arg);
	return ret < 0 ? -errno : ret;
}

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t in_ms(unsigned ms)
{
	return now() + ms * UINT64_C(1000000);
}

static int good(int fd, const char *what)
{
	if (fd < 0) {
		note("%s: %s", what, strerror(-fd));
		give_up(what);
	}
	return fd;
}

int new_server(void)
{
	struct skyipc_dev_server s = { .size = sizeof(s) };
	int dev = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC);
	int fd = good(op(dev, SKYIPC_DEV_SERVER, &s), "SKYIPC_DEV_SERVER");

	close(dev);
	return fd;
}

int new_conn(int server, uint64_t cookie)
{
	struct skyipc_dev_connect c = { .size = sizeof(c), .cookie = cookie };

	return good(op(server, SKYIPC_SERVER_CONNECT, &c),
		    "SKYIPC_SERVER_CONNECT");
}

int new_worker(int server)
{
	return new_worker_with(server, 0);
}

int new_worker_with(int server, uint32_t flags)
{
	struct skyipc_dev_worker w = { .size = sizeof(w),
				       .flags = flags,
				       .bell = -1 };

	return good(op(server, SKYIPC_SERVER_WORKER, &w),
		    "SKYIPC_SERVER_WORKER");
}

int new_link(int conn, unsigned depth)
{
	struct skyipc_dev_link l = { .size = sizeof(l), .depth = depth };

	return good(op(conn, SKYIPC_CONN_LINK, &l), "SKYIPC_CONN_LINK");
}

int serve(int worker, handler_fn *handler, void *buf, uint64_t size)
{
	struct skyipc_dev_serve s = { .size = sizeof(s),
				      .flags = SKYIPC_SERVE_WAIT,
				      .deadline = SKYIPC_DEV_FOREVER,
				      .buf = (uintptr_t)buf,
				      .buf_size = size };
	int err;

	for (;;) {
		struct request r = { .worker = worker, .buf = buf };

		err = op(worker, SKYIPC_WORKER_SERVE, &s);
		if (err == -EINTR || err == -ESTALE)
			continue;
		if (err)
			return err;
		r.token = s.token;
		r.cookie = s.cookie;
		r.flags = s.flags;
		r.msg = s.msg;
		r.len = s.msg.len;
		r.msg.len = 0;
		s.flags = SKYIPC_SERVE_WAIT;
		if (!handler(&r))
			continue;
		s.msg = r.msg;
		s.flags |= SKYIPC_SERVE_REPLY;
		if (r.msg.len)
			s.flags |= SKYIPC_SERVE_LONG;
		if (r.in_place)
			s.flags |= SKYIPC_SERVE_IN_PLACE;
	}
}

struct thread {
	handler_fn *handler;
	int server;
};

static void *serve_thread(void *arg)
{
	struct thread *t = arg;
	const size_t size = 64 << 20;
	void *buf = malloc(size);
	int err = serve(new_worker(t->server), t->handler, buf, size);

	free(buf);
	if (err != -EPIPE) {
		note("a worker: %s", strerror(-err));
		_exit(98);
	}
	return NULL;
}

void send_fd(int sock, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	if (sendmsg(sock, &m, 0) != 1)
		give_up("sendmsg");
}

int recv_fd(int sock)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(sock, &m, 0) != 1 || !m.msg_controllen)
		give_up("recvmsg");
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

pid_t server_fork(int socks[2], int *conn)
{
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, socks))
		give_up("socketpair");
	pid = fork();
	if (pid) {
		close(socks[1]);
		*conn = recv_fd(socks[0]);
		close(socks[0]);
	} else {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(socks[0]);
	}
	return pid;
}

void server_give(const int socks[2], int conn)
{
	send_fd(socks[1], conn);
	close(conn);
	close(socks[1]);
}

pid_t server_process(handler_fn *handler, int n, int *conn)
{
	struct thread t = { .handler = handler };
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));
	int socks[2];
	pid_t pid = server_fork(socks, conn);

	if (pid) {
		free(threads);
		return pid;
	}
	t.server = new_server();
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, serve_thread, &t))
			give_up("pthread_create");
	server_give(socks, new_conn(t.server, 0));
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	if (waitpid(pid, NULL, 0) != pid)
		give_up("waitpid");
}

int call(int link, struct skyipc_dev_call *c, uint32_t what, unsigned ms)
{
	c->size = sizeof(*c);
	c->msg.op = what;
	c->deadline = ms ? in_ms(ms) : SKYIPC_DEV_FOREVER;
	return op(link, SKYIPC_LINK_CALL, c);
}

static bool is_asleep(pid_t tid)
{
	char path[64], *line, *state;
	bool asleep;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	line = read_line(path);
	state = strrchr(line, ')');
	asleep = state && state[2] == 'S';
	free(line);
	return asleep;
}

void until_asleep(_Atomic pid_t *tid)
{
	uint64_t limit = in_ms(10000);

	while (!*tid || !is_asleep(*tid)) {
		if (now() > limit)
			give_up("a thread does not sleep");
		sched_yield();
	}
}

/* Gates of threads of this process, which they have until they end: in pages */
static unsigned long own_gates(void)
{
	char *views = read_file(DEBUG "views"), *line = views;
	unsigned long sum = 0, pages;
	char path[64];
	int tid;

	while ((line = strchr(line, '\n')) && *++line) {
		if (sscanf(line, "%d gate %*s %*s %*s %*s %*s %*s %*s %lu",
			   &tid, &pages) != 2)
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
		if (!access(path, F_OK))
			sum += pages;
	}
	free(views);
	return sum;
}

/* No user but this one, and that with nothing but such gates */
static bool is_nothing(const char *users)
{
	const char *line = strchr(users, '\n') + 1;
	unsigned long pages;

	if (!*line)
		return true;
	return sscanf(line, "%*u 0 0 0 0 0 %lu", &pages) == 1 && pages &&
	       !strchr(strchr(line, '\n') + 1, '\n') && pages == own_gates();
}

bool nobody_has_anything(void)
{
	for (int i = 0; i < 1000; i++) {
		char *users = read_file(DEBUG "users");
		const bool none = is_nothing(users);

		if (!none && i == 999) {
			note("%s", users);
			note("%s", read_file(DEBUG "servers"));
			note("%s", read_file(DEBUG "links"));
		}
		free(users);
		if (none)
			return true;
		usleep(10000);
	}
	return false;
}
