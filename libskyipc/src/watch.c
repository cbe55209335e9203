/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "chan.h"
#include "conn.h"
#include "err.h"
#include "fork.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int epfd = -1;
static int stop_fd = -1;
static unsigned conns;
static pthread_t thread;

/*
 * A socket's event carries the generation and, in the low 24 bits, the index of
 * its connection; stop_fd's is 0. (Generations start at 1.)
 */
static void *watch_thread(void *arg)
{
	int ep = *(int *)arg;
	struct epoll_event ev[16];
	int n;

	pthread_setname_np(pthread_self(), "skyipc-watch");
	for (;;) {
		n = epoll_wait(ep, ev, 16, -1);
		for (int i = 0; i < n; i++) {
			if (!ev[i].data.u64)
				return NULL; /* stop_fd */
			/* One shot: it need not be removed. */
			chan_conn_with((uint32_t)(ev[i].data.u64 & 0xffffff),
				       ev[i].data.u64 >> 24, conn_die);
		}
		if (n < 0 && errno != EINTR)
			return NULL;
	}
}

static void fork_prepare(void)
{
	pthread_mutex_lock(&lock);
}

static void fork_done(int child)
{
	/* The thread exists only in the parent. */
	if (child && epfd >= 0) {
		close(epfd);
		close(stop_fd);
		epfd = stop_fd = -1;
		conns = 0;
	}
	pthread_mutex_unlock(&lock);
}

static void watch_init(void)
{
	static struct fork_hook hook = { .prepare = fork_prepare,
					 .done = fork_done };

	fork_hook_add(&hook);
}

static int watch_start(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0 };
	sigset_t all, old;
	int err;

	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		return -errno;
	stop_fd = eventfd(0, EFD_CLOEXEC);
	if (stop_fd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, stop_fd, &ev) < 0) {
		err = -errno;
		goto fail;
	}
	/* Signals are the application's; none may land on this thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&thread, NULL, watch_thread, &epfd);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!err)
		return 0;
fail:
	if (stop_fd >= 0)
		close(stop_fd);
	close(epfd);
	epfd = stop_fd = -1;
	return err;
}

static void watch_stop(void)
{
	uint64_t one = 1;

	if (write(stop_fd, &one, sizeof(one)) < 0)
		return; /* cannot be: the counter is 0 */
	pthread_join(thread, NULL);
	close(epfd);
	close(stop_fd);
	epfd = stop_fd = -1;
}

int watch_add(struct skyipc_conn *conn)
{
	struct epoll_event ev = {
		.events = EPOLLRDHUP | EPOLLONESHOT,
		.data.u64 = (uint64_t)conn->gen << 24 | conn->idx,
	};
	int err = 0;

	pthread_once(&once, watch_init);
	if (conn->idx > 0xffffff)
		return -ENOMEM;
	pthread_mutex_lock(&lock);
	if (epfd < 0)
		err = watch_start();
	if (!err) {
		conns++;
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, conn->sock, &ev) < 0) {
			err = -errno;
			if (!--conns)
				watch_stop();
		}
	}
	pthread_mutex_unlock(&lock);
	return err ? fail(err, "cannot watch the connection") : 0;
}

void watch_del(struct skyipc_conn *conn)
{
	pthread_mutex_lock(&lock);
	/* In a forked child the watch has gone with the fork. */
	if (conn_state(conn) != CONN_FORKED && epfd >= 0) {
		epoll_ctl(epfd, EPOLL_CTL_DEL, conn->sock, NULL);
		if (!--conns)
			watch_stop();
	}
	pthread_mutex_unlock(&lock);
}
