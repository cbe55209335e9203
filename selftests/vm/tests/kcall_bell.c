/* SPDX-License-Identifier: MIT */
/*
 * A worker that waits for calls hears its bell, too: an epoll descriptor here,
 * as libskyipc has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

#define RINGS 2000

static int server, ep, bell, conn;

static int worker_with(int fd)
{
	struct skyipc_dev_worker w = { .size = sizeof(w), .bell = fd };

	return op(server, SKYIPC_SERVER_WORKER, &w);
}

static int wait_ms(int worker, unsigned ms)
{
	struct skyipc_dev_serve s = { .size = sizeof(s),
				      .flags = SKYIPC_SERVE_WAIT,
				      .deadline = ms ? in_ms(ms) : 0 };

	return op(worker, SKYIPC_WORKER_SERVE, &s);
}

static void ring(void)
{
	uint64_t one = 1;

	if (write(bell, &one, sizeof(one)) != sizeof(one))
		give_up("write");
}

static void drain(void)
{
	struct epoll_event ev;
	uint64_t count;

	while (epoll_wait(ep, &ev, 1, 0) > 0)
		if (read(bell, &count, sizeof(count)) < 0)
			give_up("read");
}

static void *ring_soon(void *arg)
{
	struct timespec t = { 0, 50000000 };

	(void)arg;
	nanosleep(&t, NULL);
	ring();
	return NULL;
}

static void one_worker(void)
{
	int worker = worker_with(ep);
	pthread_t thread;
	uint64_t t0;

	ok(worker >= 0, "a worker with a bell");
	ok(wait_ms(worker, 0) == -ETIMEDOUT, "who does not wait hears nothing");
	ok(wait_ms(worker, 1000) == -EAGAIN, "it is heard once at the start");
	ok(wait_ms(worker, 20) == -ETIMEDOUT, "and not again");
	pthread_create(&thread, NULL, ring_soon, NULL);
	t0 = now();
	ok(wait_ms(worker, 10000) == -EAGAIN && now() - t0 < 5000000000,
	   "it ends a wait");
	pthread_join(thread, NULL);
	ok(wait_ms(worker, 20) == -ETIMEDOUT, "once, although it can be read");
	drain();
	ring();
	ok(wait_ms(worker, 1000) == -EAGAIN,
	   "it is heard if it has rung before");
	drain();
	close(worker);
}

static _Atomic int heard, ended, clients_end;

/* Looks after each ring, as somebody who has epoll in edge mode must. */
static void *listen_all(void *arg)
{
	int worker = worker_with(ep);
	struct epoll_event ev;
	uint64_t count;

	(void)arg;
	while (!ended) {
		if (epoll_wait(ep, &ev, 1, 0) > 0 &&
		    read(bell, &count, sizeof(count)) == sizeof(count))
			heard += (int)count;
		else
			wait_ms(worker, 60000);
	}
	close(worker);
	return NULL;
}

/* Each ring by somebody, before the next one; in ten seconds at most */
static bool all_heard(void)
{
	struct timespec t = { 0, 100000 };
	uint64_t t0;

	for (int i = 0; i < RINGS; i++) {
		ring();
		t0 = now();
		while (heard <= i) {
			nanosleep(&t, NULL);
			if (now() - t0 > 10000000000)
				return false;
		}
	}
	return true;
}

static void many_workers(void)
{
	struct timespec t = { 0, 100000 };
	pthread_t threads[4];
	bool all;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, listen_all, NULL);
	all = all_heard();
	ok(all, "four workers hear %d rings", heard);
	ended = 1;
	for (int i = 0; i < 4; i++) {
		ring();
		nanosleep(&t, NULL);
	}
	/* Each that ends may have heard another's: ring until all have. */
	for (int i = 0; i < 4; i++)
		while (pthread_tryjoin_np(threads[i], NULL)) {
			ring();
			nanosleep(&t, NULL);
		}
}

/* Serves, and hears, in one thread, as libskyipc's do. */
static void *both(void *arg)
{
	int worker = worker_with(ep);
	struct skyipc_dev_serve s = { .size = sizeof(s) };
	struct epoll_event ev;
	uint64_t count;
	int err;

	(void)arg;
	s.flags = SKYIPC_SERVE_WAIT;
	while (!ended) {
		s.deadline = SKYIPC_DEV_FOREVER;
		err = op(worker, SKYIPC_WORKER_SERVE, &s);
		if (!err) {
			s.msg.words[0]++;
			s.flags = SKYIPC_SERVE_REPLY | SKYIPC_SERVE_WAIT;
			continue;
		}
		s.flags = SKYIPC_SERVE_WAIT;
		while (epoll_wait(ep, &ev, 1, 0) > 0)
			if (read(bell, &count, sizeof(count)) == sizeof(count))
				heard += (int)count;
	}
	close(worker);
	return NULL;
}

static int client(int link_of)
{
	int link = new_link(link_of, 16);
	struct skyipc_dev_call c;

	for (uint64_t i = 0; !clients_end; i++) {
		memset(&c, 0, sizeof(c));
		c.msg.words[0] = i;
		if (call(link, &c, 0, 0) || c.msg.words[0] != i + 1)
			return 1;
	}
	close(link);
	return 0;
}

static void *client_thread(void *arg)
{
	*(int *)arg = client(conn);
	return NULL;
}

/* However many calls there are, a bell is heard. */
static void busy(void)
{
	struct timespec t = { 0, 100000 };
	pthread_t workers[2], clients[6];
	int failed[6], bad = 0;
	bool all;

	heard = ended = 0;
	for (int i = 0; i < 2; i++)
		pthread_create(&workers[i], NULL, both, NULL);
	for (int i = 0; i < 6; i++)
		pthread_create(&clients[i], NULL, client_thread, &failed[i]);
	all = all_heard();
	ok(all, "two workers that serve six clients hear %d rings", heard);
	clients_end = 1;
	for (int i = 0; i < 6; i++) {
		pthread_join(clients[i], NULL);
		bad += failed[i];
	}
	/* Not before: each reply is given by the worker that took the call. */
	ended = 1;
	ok(!bad, "and lose no call");
	for (int i = 0; i < 2; i++)
		while (pthread_tryjoin_np(workers[i], NULL)) {
			ring();
			nanosleep(&t, NULL);
		}
}

static void bad_bells(void)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	ok(worker_with(12345) == -EBADF, "no bell");
	ok(worker_with(file) == -EINVAL, "one that cannot be polled");
	close(file);
}

int main(void)
{
	struct epoll_event ev = { .events = EPOLLIN };

	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	server = new_server();
	conn = new_conn(server, 0);
	ep = epoll_create1(EPOLL_CLOEXEC);
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ep < 0 || bell < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, bell, &ev))
		give_up("epoll");
	one_worker();
	many_workers();
	busy();
	bad_bells();
	close(conn);
	close(server);
	close(ep);
	close(bell);
	ok(!unload("skyipc"), "rmmod");
	return done();
}
