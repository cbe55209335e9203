/* SPDX-License-Identifier: MIT */
/*
 * Calls through the module, by hand: what every program may rely on.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

enum {
	ECHO,  /* words + 1, data back */
	SLEEP, /* words[0] ms */
	LATER, /* is answered with the next LATER_GO */
	LATER_GO,
	CRASH,
};

static uint64_t later;

static void answer(struct request *r, uint64_t token, uint64_t word)
{
	struct skyipc_dev_serve s = { .size = sizeof(s),
				      .flags = SKYIPC_SERVE_REPLY,
				      .token = token };

	s.msg.words[0] = word;
	r->msg.words[0] = (uint64_t)op(r->worker, SKYIPC_WORKER_SERVE, &s);
}

static bool handler(struct request *r)
{
	struct timespec t = { .tv_sec = (time_t)(r->msg.words[0] / 1000),
			      .tv_nsec = (long)(r->msg.words[0] % 1000) *
					 1000000 };

	switch (r->msg.op) {
	case ECHO:
		for (int i = 0; i < SKYIPC_DEV_WORDS; i++)
			r->msg.words[i]++;
		r->msg.status = -5;
		r->msg.data = (uintptr_t)r->buf;
		r->msg.len = r->len;
		break;
	case SLEEP:
		while (nanosleep(&t, &t))
			;
		break;
	case LATER:
		later = r->token;
		return false;
	case LATER_GO:
		answer(r, later, 77);
		break;
	case CRASH:
		abort();
	}
	return true;
}

static int link_fd, conn;

static void words(void)
{
	struct skyipc_dev_call c;
	int wrong = 0;

	for (uint64_t i = 0; i < 10000; i++) {
		memset(&c, 0, sizeof(c));
		for (int k = 0; k < SKYIPC_DEV_WORDS; k++)
			c.msg.words[k] = i * 1000 + (uint64_t)k;
		wrong += call(link_fd, &c, ECHO, 0) || c.msg.status != -5 ||
			 c.msg.len;
		for (int k = 0; k < SKYIPC_DEV_WORDS; k++)
			wrong += c.msg.words[k] != i * 1000 + (uint64_t)k + 1;
	}
	ok(!wrong, "10000 calls of six words, %d wrong", wrong);
}

static bool echoed(uint8_t *out, uint8_t *in, size_t len)
{
	struct skyipc_dev_call c = { .flags = SKYIPC_CALL_LONG,
				     .msg.data = (uintptr_t)out,
				     .msg.len = len,
				     .reply = (uintptr_t)in,
				     .reply_size = len };
	int err;

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(i * 31 + len);
	memset(in, 0, len);
	err = call(link_fd, &c, ECHO, 0);
	if (err || c.msg.len != len || memcmp(in, out, len)) {
		note("%zu bytes: %s, %llu came back", len, strerror(-err),
		     (unsigned long long)c.msg.len);
		return false;
	}
	return true;
}

static void data(void)
{
	static const size_t sizes[] = { 1,	7,    4095,	    4096,
					4097,	8192, 5 * 4096 + 3, 1 << 20,
					9000000 };
	const size_t most = 10000000;
	uint8_t *out = malloc(2 * most), *in = out + most;
	bool well = true;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (int at = 0; at < 3; at++)
			well &= echoed(out + at * 1777, in + at * 991,
				       sizes[i]);
	ok(well, "long messages of many sizes and alignments");
	free(out);
}

static void bad_memory(void)
{
	uint8_t *none =
		mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *ro =
		mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct skyipc_dev_call c = { .flags = SKYIPC_CALL_LONG,
				     .msg.data = (uintptr_t)none,
				     .msg.len = 100 };

	ok(call(link_fd, &c, ECHO, 0) == -EFAULT, "a request in no memory");
	c.msg.data = UINT64_MAX - 50;
	ok(call(link_fd, &c, ECHO, 0) == -EFAULT, "beyond all memory");
	c.msg.data = (uintptr_t)ro;
	c.msg.len = UINT64_MAX;
	ok(call(link_fd, &c, ECHO, 0) == -EMSGSIZE, "too much");
	c.msg.len = 100;
	c.reply = (uintptr_t)ro;
	c.reply_size = 100;
	ok(call(link_fd, &c, ECHO, 0) == -EFAULT, "a reply to where none goes");
	ok(op(link_fd, SKYIPC_LINK_CALL, NULL) == -EFAULT, "no call at all");
	munmap(none, 8192);
	munmap(ro, 8192);
	words();
}

static void timeouts(void)
{
	struct skyipc_dev_call c = { .msg.words[0] = 500 };
	uint64_t t0 = now();
	int err = call(link_fd, &c, SLEEP, 20);

	ok(err == -ETIMEDOUT && now() - t0 >= 20000000,
	   "a call that takes too long: %s", strerror(-err));
	c.msg.words[0] = 1;
	ok(!call(link_fd, &c, ECHO, 0) && c.msg.words[0] == 2,
	   "the next waits for its turn");
	c = (struct skyipc_dev_call){ .size = sizeof(c), .msg.op = ECHO };
	err = op(link_fd, SKYIPC_LINK_CALL, &c);
	ok(err == -ETIMEDOUT || !err, "a deadline that has passed: %s",
	   strerror(-err));
}

static volatile sig_atomic_t signals;

static void count(int sig)
{
	(void)sig;
	signals++;
}

static void *disturb(void *arg)
{
	usleep(20000);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void interrupted(void)
{
	struct sigaction sa = { .sa_handler = count };
	struct skyipc_dev_call c = { .msg.words[0] = 100 }, other = c;
	pthread_t self = pthread_self(), thread;
	int err;

	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&thread, NULL, disturb, &self);
	err = call(link_fd, &c, SLEEP, 0);
	ok(err == -EINPROGRESS && signals == 1,
	   "a signal in the handler's time: %s", strerror(-err));
	ok(call(link_fd, &other, ECHO, 0) == -EBUSY, "no other call meanwhile");
	c.flags = SKYIPC_CALL_RESUME;
	ok(!call(link_fd, &c, SLEEP, 0), "it can be waited for again");
	ok(call(link_fd, &c, SLEEP, 0) == -ENOENT, "but once");
	pthread_join(thread, NULL);
}

static void deferred(void)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .deadline = SKYIPC_DEV_FOREVER,
				     .tag = 9,
				     .msg.op = LATER };
	struct skyipc_dev_call go = { .flags = 0 };
	struct pollfd p = { .fd = link_fd, .events = POLLIN };
	/* On the same one it would wait for the reply to the first. */
	int link2 = new_link(conn, 0);

	ok(op(link_fd, SKYIPC_LINK_REAP, &c) == -ENOENT, "nothing to reap");
	ok(!op(link_fd, SKYIPC_LINK_SUBMIT, &c), "a call without waiting");
	ok(!poll(&p, 1, 0), "no reply yet");
	while (call(link2, &go, LATER_GO, 0) || go.msg.words[0])
		;
	ok(poll(&p, 1, 1000) == 1, "a reply, after that of a later call");
	c.tag = 0;
	ok(!op(link_fd, SKYIPC_LINK_REAP, &c) && c.msg.words[0] == 77 &&
		   c.tag == 9,
	   "it is the right one");
	ok(!call(link2, &go, LATER_GO, 0) &&
		   (int64_t)go.msg.words[0] == -ESTALE,
	   "it cannot be given twice");
	close(link2);
}

static void many(void)
{
	struct skyipc_dev_call c;
	uint64_t sum = 0;
	int in = 0, out = 0, err;

	while (out < 10000) {
		memset(&c, 0, sizeof(c));
		c.size = sizeof(c);
		c.deadline = SKYIPC_DEV_FOREVER;
		c.msg.words[0] = (uint64_t)in;
		err = in < 10000 ? op(link_fd, SKYIPC_LINK_SUBMIT, &c)
				 : -EAGAIN;
		if (!err) {
			in++;
			continue;
		}
		if (err != -EAGAIN || op(link_fd, SKYIPC_LINK_REAP, &c))
			break;
		sum += c.msg.words[0];
		out++;
	}
	ok(out == 10000 && sum == 10000 * 9999 / 2 + 10000,
	   "10000 calls, many at a time: %d", out);
}

static void others(void)
{
	struct skyipc_dev_call c = { .flags = 0 };
	struct skyipc_dev_link l = { .size = sizeof(l) };
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(call(link_fd, &c, ECHO, 0) == -EPERM &&
				      op(conn, SKYIPC_CONN_LINK, &l) ==
					      -EPERM &&
				      op(conn, SKYIPC_CONN_KILL, NULL) == -EPERM
			      ? 0
			      : 1);
	waitpid(pid, &status, 0);
	ok(!status, "a child may use neither link nor connection");
}

static void death(pid_t server)
{
	struct skyipc_dev_call c = { .flags = 0 };
	struct pollfd p = { .fd = link_fd };
	uint64_t t0 = now();
	int err = call(link_fd, &c, CRASH, 0);

	ok(err == -ECONNRESET, "a server that crashes: %s, %llu us",
	   strerror(-err), (unsigned long long)(now() - t0) / 1000);
	ok(call(link_fd, &c, ECHO, 0) == -EPIPE, "and is dead");
	ok(poll(&p, 1, 0) == 1 && p.revents & POLLHUP, "which can be polled");
	waitpid(server, NULL, 0);
}

int main(void)
{
	pid_t server;

	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	server = server_process(handler, 2, &conn);
	link_fd = new_link(conn, 8);
	words();
	data();
	bad_memory();
	timeouts();
	interrupted();
	deferred();
	many();
	others();
	death(server);
	ok(unload("skyipc") == -EBUSY || true, "in use");
	close(link_fd);
	close(conn);
	ok(!unload("skyipc"), "rmmod");
	return done();
}
