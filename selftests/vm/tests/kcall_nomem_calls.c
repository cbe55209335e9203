/* SPDX-License-Identifier: MIT */
/*
 * Each allocation that the module makes for calls through it fails once: for
 *who calls, and for who is called.
 *
 *	kcall_nomem_calls ROUNDS
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "nomem.h"

enum { SMALL = 100, BIG = 1 << 20, PAGE = 4096 };

/* By the server; words[0] of a reply is what has come of it: 0 or -errno */
enum {
	ECHO,
	LATER, /* its client has gone when it is replied to */
	GRANT,
	TOUCH, /* what is granted, where it is mapped */
	FORWARD,
};

static struct shared {
	_Atomic int later; /* taken */
	pid_t worker;
} * shared;

/* ---- the server ------------------------------------------------------------
 */

static int server_fd, back_conn;
static int go[2]; /* LATER may */

static int grant(uint64_t token)
{
	struct skyipc_dev_grant g = { .size = sizeof(g), .token = token };

	return op(server_fd, SKYIPC_SERVER_GRANT, &g);
}

/* A call that has had no memory is there still, and may have it now. */
static int grant_again(uint64_t token)
{
	static int first = -1;
	const int fd = grant(token);

	if (fd < 0)
		return fd;
	close(fd);
	/* The lowest that there is: those that have failed have kept none. */
	if (first < 0)
		first = fd;
	return fd == first ? fd : -EIO;
}

static int touch(uint64_t token)
{
	const int fd = grant(token);
	volatile uint8_t *m;
	int wrong = 0;

	if (fd < 0)
		return fd;
	m = mmap(NULL, BIG, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (m == MAP_FAILED)
		return -errno;
	for (int i = 0; i < 4; i++)
		wrong += m[i * PAGE] != (uint8_t)i;
	munmap((void *)m, BIG);
	return wrong ? -EIO : 0;
}

static int forward(struct request *r)
{
	struct skyipc_dev_forward f = { .size = sizeof(f),
					.token = r->token,
					.conn = back_conn,
					.op = ECHO };

	memcpy(f.words, r->msg.words, sizeof(f.words));
	return op(server_fd, SKYIPC_SERVER_FORWARD, &f);
}

static bool handler(struct request *r)
{
	int err = 0;
	char byte;

	switch (r->msg.op) {
	case ECHO:
		break;
	case LATER:
		shared->later++;
		if (read(go[0], &byte, 1) != 1)
			give_up("read");
		break;
	case GRANT:
		err = grant_again(r->token);
		/* The reply says so; and that call can be granted after all. */
		if (err == -ENOMEM && grant_again(r->token) < 0)
			err = -EIO;
		err = err > 0 ? 0 : err;
		break;
	case TOUCH:
		err = touch(r->token);
		break;
	case FORWARD:
		err = forward(r);
		if (!err)
			return false;
		break;
	}
	r->msg.words[0] = (uint64_t)(int64_t)err;
	return true;
}

static void *serve_thread(void *arg)
{
	(void)arg;
	shared->worker = (pid_t)syscall(SYS_gettid);
	serve(new_worker(server_fd), handler, NULL, 0);
	return NULL;
}

static pid_t server_up(int *conn)
{
	pthread_t thread;
	int socks[2];
	pid_t pid = server_fork(socks, conn);

	if (pid)
		return pid;
	server_fd = new_server();
	pthread_create(&thread, NULL, serve_thread, NULL);
	server_give(socks, new_conn(server_fd, 0));
	pthread_join(thread, NULL);
	_exit(0);
}

/* ---- links and calls
 * --------------------------------------------------------- */

static int conn, link_fd;
static uint8_t *in, *out;

static int plain(void)
{
	struct skyipc_dev_call c = { .flags = 0 };

	return call(link_fd, &c, ECHO, 0);
}

static int long_call(size_t len, uint32_t flags, uint32_t what)
{
	struct skyipc_dev_call c = {
		.flags = SKYIPC_CALL_LONG | flags,
		.msg.data = (uintptr_t)in,
		.msg.len = len,
		.reply = (uintptr_t)out,
		.reply_size = len,
	};
	const int err = call(link_fd, &c, what, 0);

	return err ? err : (int)(int64_t)c.msg.words[0];
}

static int small_data(void)
{
	return long_call(SMALL, 0, ECHO);
}

static int big_data(void)
{
	return long_call(BIG, 0, ECHO);
}

static int granted(void)
{
	return long_call(BIG, SKYIPC_CALL_GRANT, ECHO);
}

static int mapped(void)
{
	return long_call(BIG, SKYIPC_CALL_GRANT, GRANT);
}

static int touched(void)
{
	return long_call(BIG, SKYIPC_CALL_GRANT, TOUCH);
}

static int forwarded(void)
{
	return long_call(BIG, 0, FORWARD);
}

/* All that it may, as a failed one is none of them */
static int submitted(void)
{
	struct skyipc_dev_call c = {
		.size = sizeof(c),
		.flags = SKYIPC_CALL_LONG,
		.msg = { .op = ECHO, .data = (uintptr_t)in, .len = BIG },
		.reply = (uintptr_t)out,
		.reply_size = BIG,
	};
	int err = 0;

	for (int i = 0; i < 8 && !err; i++)
		err = op(link_fd, SKYIPC_LINK_SUBMIT, &c);
	return err;
}

static int reap_all(void)
{
	int err;

	do {
		struct skyipc_dev_call c = { .size = sizeof(c),
					     .deadline = SKYIPC_DEV_FOREVER };

		err = op(link_fd, SKYIPC_LINK_REAP, &c);
	} while (!err);
	return err;
}

static int submit_and_reap(void)
{
	const int err = submitted(), reaped = reap_all();

	return reaped == -ENOENT ? err : reaped;
}

static int other_link;

/*
 * Its link's call is the server's: the next one needs another. And it is
 * buried: who replies to the next call has replied to that one.
 */
static void leave_a_call(void)
{
	struct skyipc_dev_call next = { .flags = 0 };
	const int taken = shared->later;
	int err;

	do {
		struct skyipc_dev_call c = { .flags = 0 };

		err = call(link_fd, &c, LATER, 10);
		if (err != -ETIMEDOUT)
			give_up("a call that times out");
	} while (shared->later == taken);
	if (write(go[1], "", 1) != 1)
		give_up("write");
	if (call(other_link, &next, ECHO, 0))
		give_up("a call");
}

/* One that goes on where the others have to be seen: they are not in the way.
 */
static int read_links(void)
{
	const int fd = open(DEBUG "links", O_RDONLY | O_CLOEXEC);
	char text[256];
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text));
	err = n < 0 ? -errno : memchr(text, '\n', (size_t)n) ? 0 : -EIO;
	close(fd);
	return err;
}

#define WORKER (&shared->worker)

static void calls(int rounds)
{
	const struct nomem all[] = {
		{
			.name = "a call",
			.does = plain,
		},
		{
			.name = "its server",
			.does = plain,
			.thread = WORKER,
		},
		{
			.name = "a call after one that was left",
			.prepare = leave_a_call,
			.does = plain,
			.least = 2,
		},
		{
			.name = "data of a page",
			.does = small_data,
			.least = 2,
		},
		{
			.name = "data of many",
			.does = big_data,
			.least = 4,
		},
		{
			.name = "submitted, too",
			.does = submit_and_reap,
			.least = 32,
		},
		{
			.name = "granted pages",
			.does = granted,
			.least = 4,
		},
		{
			.name = "a descriptor of them",
			.does = mapped,
			.thread = WORKER,
			.least = 3,
		},
		/* Linux tries such a fault again. */
		{
			.name = "where they are mapped",
			.does = touched,
			.thread = WORKER,
			.least = 7,
			.may_do = true,
		},
		{
			.name = "a call that is forwarded",
			.does = forwarded,
			.thread = WORKER,
			.least = 1,
		},
		/* Who reads goes on with what has not been shown. */
		{
			.name = "links shown",
			.does = read_links,
			.least = 2,
			.may_do = true,
		},
	};

	link_fd = new_link(conn, 8);
	other_link = new_link(conn, 0);
	/* The workers of both are there when they have replied. */
	if (plain() || forwarded())
		give_up("a call");
	nomem_all(all, sizeof(all) / sizeof(*all), rounds);
	close(other_link);
	close(link_fd);
}

static uint8_t *pages(void)
{
	uint8_t *m = mmap(NULL, BIG, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		give_up("mmap");
	for (int i = 0; i < BIG / PAGE; i++)
		m[i * PAGE] = (uint8_t)i;
	return m;
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 30;
	pid_t back, front;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || pipe(go))
		give_up("mmap");
	in = pages();
	out = pages();
	nomem_begin();
	if (load("skyipc.ko", "views=off"))
		give_up("insmod");
	back = server_up(&back_conn);
	front = server_up(&conn);
	/* Who uses it first has it: that is to be the front. */
	close(back_conn);
	calls(rounds);
	close(conn);
	end_process(front);
	end_process(back);
	ok(nobody_has_anything(), "nothing is left");
	ok(!unload("skyipc") && !unload("skyipc_test"), "rmmod");
	return done();
}
