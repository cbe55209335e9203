/* SPDX-License-Identifier: MIT */
/*
 * Pages that a client grants for one call: the server maps them, and has lost
 * them when the call is over, however it ends.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

enum { SIZE = 1 << 20, PAGE = 4096 };
enum {
	ADD,   /* the reply is the request, each byte plus one; in place */
	WATCH, /* look at it until it is gone */
	WATCH_AFTER, /* likewise, but reply first */
	BAD,	     /* what must not be */
	SHORT,	     /* map one page in the middle */
};

static struct shared {
	_Atomic int watching, gone, wrong, seen, go;
} * shared;

static void sleep_ms(long ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000 };

	nanosleep(&t, NULL);
}

static int server_fd;

static int grant(uint64_t token, uint32_t flags, uint64_t *len)
{
	struct skyipc_dev_grant g = { .size = sizeof(g),
				      .flags = flags,
				      .token = token };
	int fd = op(server_fd, SKYIPC_SERVER_GRANT, &g);

	*len = g.len;
	return fd;
}

static void *map(int fd, uint64_t len, int prot, off_t offset)
{
	void *m = mmap(NULL, len, prot, MAP_SHARED, fd, offset);

	return m == MAP_FAILED ? NULL : m;
}

static sigjmp_buf lost;

static void on_sigbus(int number)
{
	(void)number;
	siglongjmp(lost, 1);
}

/* Until it is SIGBUS. What was there, @first, must not change before. */
static void watch(const volatile uint8_t *m, uint8_t first)
{
	shared->watching = 1;
	if (!sigsetjmp(lost, 1))
		for (;;)
			if (*m != first)
				shared->seen = 1;
	shared->gone = 1;
}

static bool add(struct request *r)
{
	uint64_t in_len, out_len;
	int in = grant(r->token, 0, &in_len);
	int out = grant(r->token, SKYIPC_GRANT_REPLY, &out_len);
	uint8_t *from = map(in, in_len, PROT_READ, 0);
	uint8_t *to = map(out, out_len, PROT_READ | PROT_WRITE, 0);

	close(in);
	close(out);
	if (!from || !to || in_len != SIZE || out_len != SIZE || r->len != SIZE)
		shared->wrong++;
	else
		for (int i = 0; i < SIZE; i++)
			to[i] = (uint8_t)(from[i] + 1);
	r->msg.len = SIZE;
	r->in_place = true;
	munmap(from, SIZE);
	/* The other one stays: it has to be lost by itself. */
	return true;
}

static bool watcher(struct request *r)
{
	struct skyipc_dev_serve late = { .size = sizeof(late),
					 .flags = SKYIPC_SERVE_REPLY,
					 .token = r->token };
	uint64_t len;
	int fd = grant(r->token, 0, &len);
	uint8_t *m = map(fd, len, PROT_READ, 0), first;

	close(fd);
	if (!m) {
		shared->wrong++;
		return true;
	}
	first = *(volatile uint8_t *)m;
	if (r->msg.op == WATCH_AFTER &&
	    op(server_fd, SKYIPC_SERVER_REPLY, &late))
		shared->wrong++;
	watch(m, first);
	munmap(m, len);
	return r->msg.op == WATCH;
}

static void bad(struct request *r)
{
	struct skyipc_dev_grant g = { .size = sizeof(g), .token = r->token };
	uint64_t len, none;
	int fd;

	shared->wrong += grant(r->token + 1, 0, &len) != -ESTALE;
	g.flags = 2;
	shared->wrong += op(server_fd, SKYIPC_SERVER_GRANT, &g) != -EINVAL;
	shared->wrong += op(server_fd, SKYIPC_SERVER_GRANT, NULL) != -EFAULT;
	/* A request only */
	shared->wrong += grant(r->token, SKYIPC_GRANT_REPLY, &len) != -ENXIO;
	fd = grant(r->token, 0, &len);
	shared->wrong += fd < 0;
	shared->wrong += grant(r->token, 0, &none) != -EBUSY;
	shared->wrong += !!map(fd, len, PROT_READ | PROT_WRITE, 0);
	shared->wrong += !!map(fd, len, PROT_READ | PROT_EXEC, 0);
	shared->wrong += !!map(fd, len + PAGE, PROT_READ, 0);
	shared->wrong += !!map(fd, PAGE, PROT_READ, (off_t)len);
	shared->wrong +=
		mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED;
	close(fd);
}

static bool short_one(struct request *r)
{
	uint64_t len;
	int fd = grant(r->token, 0, &len);
	uint8_t *m = map(fd, PAGE, PROT_READ, 5 * PAGE);

	close(fd);
	r->msg.words[0] = m ? m[7] : 0;
	if (m) {
		shared->wrong += !mprotect(m, PAGE, PROT_READ | PROT_WRITE);
		munmap(m, PAGE);
	}
	return true;
}

static bool handler(struct request *r)
{
	uint64_t len;

	if (!(r->flags & SKYIPC_SERVE_GRANT)) {
		shared->wrong += grant(r->token, 0, &len) != -ENXIO;
		r->msg.len = 0;
		return true;
	}
	switch (r->msg.op) {
	case ADD:
		return add(r);
	case WATCH:
	case WATCH_AFTER:
		return watcher(r);
	case SHORT:
		return short_one(r);
	default:
		bad(r);
		return true;
	}
}

static int serve_here(int socks[2])
{
	struct sigaction sa = { .sa_handler = on_sigbus };

	sigaction(SIGBUS, &sa, NULL);
	server_fd = new_server();
	server_give(socks, new_conn(server_fd, 0));
	return serve(new_worker(server_fd), handler, NULL, 0);
}

static pid_t server(int *conn)
{
	int socks[2];
	pid_t pid = server_fork(socks, conn);

	if (!pid)
		_exit(serve_here(socks) == -EPIPE ? 0 : 1);
	return pid;
}

/* A memfd's range: what is granted, usually */
static uint8_t *shared_pages(void)
{
	int fd = memfd_create("granted", MFD_CLOEXEC);
	uint8_t *m;

	if (fd < 0 || ftruncate(fd, SIZE))
		give_up("memfd_create");
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return m == MAP_FAILED ? NULL : m;
}

static struct skyipc_dev_call granting(uint8_t *in, uint8_t *out)
{
	return (struct skyipc_dev_call){
		.flags = SKYIPC_CALL_LONG | SKYIPC_CALL_GRANT,
		.msg.data = (uintptr_t)in,
		.msg.len = in ? SIZE : 0,
		.reply = (uintptr_t)out,
		.reply_size = out ? SIZE : 0,
	};
}

static int conn;
static uint8_t *in, *out;

static void moves(void)
{
	int link = new_link(conn, 0), err, good = 0;
	struct skyipc_dev_call c = granting(in, out);

	memset(in, 41, SIZE);
	err = call(link, &c, ADD, 0);
	for (int i = 0; i < SIZE; i++)
		good += out[i] == 42;
	ok(!err && c.msg.len == SIZE && good == SIZE && !shared->wrong,
	   "a range of a memfd there, anonymous pages back, nothing copied");
	c = granting(in, NULL);
	in[5 * PAGE + 7] = 99;
	err = call(link, &c, SHORT, 0);
	ok(!err && c.msg.words[0] == 99 && !shared->wrong,
	   "a part of it; not to be written");
	c = granting(in, NULL);
	err = call(link, &c, BAD, 0);
	ok(!err && !shared->wrong, "what must not be is not");

	c = granting(in + 8, NULL);
	err = call(link, &c, ADD, 0);
	ok(err == -EINVAL, "half pages are not granted");
	c = granting(in, NULL);
	c.msg.len = 100;
	err = call(link, &c, ADD, 0);
	ok(err == -EINVAL, "neither are parts of one");
	c = granting(in, NULL);
	c.flags &= ~(uint32_t)SKYIPC_CALL_GRANT;
	err = call(link, &c, ADD, 0);
	ok(!err && !shared->wrong, "nor what is not said to be");
	close(link);
}

static void wait_for(_Atomic int *what)
{
	for (int i = 0; i < 1000 && !*what; i++)
		sleep_ms(10);
}

static void reset(void)
{
	shared->watching = shared->gone = shared->seen = 0;
}

static void endings(void)
{
	int link = new_link(conn, 0), err;
	struct skyipc_dev_call c;
	pid_t pid, client;

	reset();
	c = granting(in, NULL);
	err = call(link, &c, WATCH_AFTER, 0);
	/* From here on it is the client's alone. */
	in[0]++;
	wait_for(&shared->gone);
	ok(!err && shared->gone && !shared->seen,
	   "lost with the reply, before the client goes on");

	reset();
	c = granting(in, NULL);
	err = call(link, &c, WATCH, 100);
	in[0]++;
	wait_for(&shared->gone);
	ok(err == -ETIMEDOUT && shared->gone && !shared->seen,
	   "lost when the client does not wait any longer");
	close(link);
	/* The connection is this process's: a client that dies is another. */
	reset();
	close(conn);
	pid = server(&conn);
	client = fork();
	if (!client) {
		c = granting(in, NULL);
		err = call(new_link(conn, 0), &c, WATCH, 0);
		_exit(err == -ECONNRESET ? 0 : 1);
	}
	wait_for(&shared->watching);
	end_process(pid);
	waitpid(client, &err, 0);
	close(conn);
	ok(!err && !shared->gone, "a server dies with it mapped");
}

static void dead_client(void)
{
	struct skyipc_dev_call c = granting(in, NULL);
	pid_t pid, server_pid = server(&conn);

	reset();
	pid = fork();
	if (!pid) {
		call(new_link(conn, 0), &c, WATCH, 0);
		_exit(0);
	}
	wait_for(&shared->watching);
	end_process(pid);
	wait_for(&shared->gone);
	ok(shared->gone && !shared->seen, "lost when the client dies");
	close(conn);
	end_process(server_pid);
}

int main(void)
{
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	in = shared_pages();
	out = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || !in || out == MAP_FAILED)
		give_up("mmap");
	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	pid = server(&conn);
	moves();
	endings();
	end_process(pid);
	dead_client();
	ok(!unload("skyipc"), "rmmod");
	return done();
}
