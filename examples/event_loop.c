/* SPDX-License-Identifier: MIT */
/*
 * A server inside an event loop: no threads, one epoll set for the server,
 * for signals and for whatever else the program has to watch.
 */
#include "pair.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#define NAME "example-event-loop"
#define CALLS 1000u

static int32_t count(struct skyipc_call *call, void *arg)
{
	uint64_t *calls = arg; /* no lock: there is only this thread */

	call->out[0] = ++*calls;
	return 0;
}

static int watch(int epoll, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/* Serves until a signal has come and the calls before it are answered. */
static int loop(struct skyipc_server *server, int epoll, int sigfd)
{
	struct signalfd_siginfo si;
	struct epoll_event ev;
	int n;

	for (;;) {
		if (epoll_wait(epoll, &ev, 1, -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (ev.data.fd == sigfd) {
			if (read(sigfd, &si, sizeof(si)) == sizeof(si))
				skyipc_server_shutdown(server);
			/* from now on dispatch alone: drain, then leave */
			do
				n = skyipc_server_dispatch(server,
							   SKYIPC_SEC(10));
			while (n >= 0); /* 0: something happened, no call */
			return n == -ESHUTDOWN ? 0 : n;
		}
		/* readable is a hint: SKYIPC_NS(1) does not wait */
		n = skyipc_server_dispatch(server, SKYIPC_NS(1));
		if (n < 0)
			return n;
	}
}

static int serve(int sigfd)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct skyipc_server *server;
	uint64_t calls = 0;
	int epoll, fd, err;

	attr.handler = count;
	attr.arg = &calls;
	err = skyipc_server_create(NAME, &attr, &server);
	if (err)
		return complain(NAME, err);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	err = epoll < 0 ? -errno : 0;
	fd = skyipc_server_fd(server);
	if (!err)
		err = fd < 0 ? fd : watch(epoll, fd);
	if (!err)
		err = watch(epoll, sigfd);
	if (!err)
		err = loop(server, epoll, sigfd);
	if (err)
		complain("loop", err);
	printf("served %llu calls\n", (unsigned long long)calls);
	skyipc_server_destroy(server);
	if (epoll >= 0)
		close(epoll);
	return err || calls != CALLS;
}

static int client(void)
{
	uint64_t out[SKYIPC_WORDS] = { 0 };
	struct skyipc_conn *conn;
	int err;

	err = connect_to(NAME, &conn);
	if (err)
		return complain(NAME, err);
	for (unsigned i = 0; i < CALLS && !err; i++)
		err = skyipc_call(conn, 0, NULL, out, NULL, SKYIPC_DEFAULT);
	if (err)
		complain("call", err);
	skyipc_close(conn);
	return err || out[0] != CALLS;
}

int main(void)
{
	sigset_t set;
	pid_t child;
	int sigfd, ret;

	/* before the fork: the signal waits for whoever reads it */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);

	child = fork();
	if (child < 0) {
		perror("fork");
		return 1;
	}
	if (child == 0) {
		ret = client();
		kill(getppid(), SIGTERM); /* as an administrator would */
		exit(ret);
	}
	sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sigfd < 0) {
		perror("signalfd");
		kill(child, SIGKILL); /* it blocks the milder ones */
		reap(child);
		return 1;
	}
	ret = serve(sigfd);
	if (ret)
		kill(child, SIGKILL);
	close(sigfd);
	return reap(child) || ret;
}
