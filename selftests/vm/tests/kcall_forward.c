/* SPDX-License-Identifier: MIT */
/*
 * Calls that a server hands on to another: client -> front -> back [-> front].
 * Whoever ends, or gives up, and when.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

enum {
	ECHO,	/* words[1] = words[0] + 1, words[2] += cookie */
	GATE,	/* until it is opened */
	DATA,	/* the request's, each byte plus one */
	NOBODY, /* front: forward it to a connection that is dead */
	BAD,	/* front: with arguments that are not good */
};
enum { LONG = 1 << 20, BACK_COOKIE = 1000 };

static struct shared {
	_Atomic int in_gate, open, ran, stale, bad;
} * shared;

/* The front's: made by the others before it is forked */
static int back_conn, dead_conn;

static void sleep_ms(long ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000 };

	nanosleep(&t, NULL);
}

static bool back(struct request *r)
{
	shared->ran++;
	switch (r->msg.op) {
	case ECHO:
		r->msg.words[1] = r->msg.words[0] + 1;
		r->msg.words[2] += r->cookie;
		break;
	case GATE:
		shared->in_gate++;
		while (!shared->open)
			sleep_ms(1);
		break;
	case DATA:
		for (uint64_t i = 0; i < r->len; i++)
			r->buf[i]++;
		r->msg.data = (uintptr_t)r->buf;
		r->msg.len = r->len;
		break;
	}
	r->msg.status = 7;
	return true;
}

static int front_server;

static int forward(const struct request *r, int conn)
{
	struct skyipc_dev_forward f = { .size = sizeof(f),
					.token = r->token,
					.conn = conn,
					.op = r->msg.op };

	memcpy(f.words, r->msg.words, sizeof(f.words));
	f.words[2]++;
	return op(front_server, SKYIPC_SERVER_FORWARD, &f);
}

static void bad_arguments(const struct request *r)
{
	struct skyipc_dev_forward f = { .size = sizeof(f),
					.token = r->token + 1,
					.conn = back_conn };

	shared->bad = 0;
	shared->bad += op(front_server, SKYIPC_SERVER_FORWARD, &f) != -ESTALE;
	f.token = r->token;
	f.conn = -1;
	shared->bad += op(front_server, SKYIPC_SERVER_FORWARD, &f) != -EBADF;
	f.conn = front_server;
	shared->bad += op(front_server, SKYIPC_SERVER_FORWARD, &f) != -EINVAL;
	f.conn = back_conn;
	f.flags = 1;
	shared->bad += op(front_server, SKYIPC_SERVER_FORWARD, &f) != -EINVAL;
	shared->bad += op(front_server, SKYIPC_SERVER_FORWARD, NULL) != -EFAULT;
	shared->bad += op(back_conn, SKYIPC_SERVER_FORWARD, &f) != -ENOTTY;
}

static bool front(struct request *r)
{
	struct skyipc_dev_serve late = { .size = sizeof(late),
					 .flags = SKYIPC_SERVE_REPLY,
					 .token = r->token };
	int err;

	if (r->msg.op == BAD)
		bad_arguments(r);
	err = forward(r, r->msg.op == NOBODY ? dead_conn : back_conn);
	if (err) {
		r->msg.status = err;
		return true;
	}
	/* It is the other one's now. */
	shared->stale +=
		op(front_server, SKYIPC_SERVER_REPLY, &late) == -ESTALE;
	return false;
}

static void *front_thread(void *arg)
{
	static char buf[2][LONG];

	serve(new_worker(front_server), front, buf[(uintptr_t)arg], LONG);
	return NULL;
}

/* A process that forwards, with two threads; and a connection to it */
static pid_t front_process(int *conn)
{
	pthread_t threads[2];
	int socks[2];
	pid_t pid = server_fork(socks, conn);

	if (pid)
		return pid;
	front_server = new_server();
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, front_thread, (void *)i);
	server_give(socks, new_conn(front_server, 1));
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

static int back_server;

static void *back_thread(void *arg)
{
	char *buf = malloc(LONG);

	(void)arg;
	serve(new_worker(back_server), back, buf, LONG);
	free(buf);
	return NULL;
}

/* One thread only: while it is in the gate, calls are pending. */
static pid_t back_process(void)
{
	pthread_t thread;
	int socks[2];
	pid_t pid = server_fork(socks, &back_conn);

	if (pid)
		return pid;
	back_server = new_server();
	pthread_create(&thread, NULL, back_thread, NULL);
	server_give(socks, new_conn(back_server, BACK_COOKIE));
	pthread_join(thread, NULL);
	_exit(0);
}

static pid_t front_pid, back_pid;
static int conn;

static void begin(void)
{
	int back_of_dead = new_server();

	shared->in_gate = shared->open = 0;
	dead_conn = new_conn(back_of_dead, 0);
	close(back_of_dead);
	back_pid = back_process();
	front_pid = front_process(&conn);
	/* Who uses it first has it: that is to be the front. */
	close(back_conn);
	close(dead_conn);
}

static void end(void)
{
	end_process(front_pid);
	end_process(back_pid);
	close(conn);
}

static void calls(void)
{
	static unsigned char data[LONG], reply[LONG];
	int link = new_link(conn, 4), wrong = 0, good = 0;
	struct skyipc_dev_call c;

	shared->stale = 0;
	for (uint64_t i = 0; i < 1000; i++) {
		c = (struct skyipc_dev_call){ .msg.words = { i } };
		wrong += call(link, &c, ECHO, 0) || c.msg.status != 7 ||
			 c.msg.words[1] != i + 1 ||
			 c.msg.words[2] != BACK_COOKIE + 1;
	}
	ok(!wrong, "1000 forwarded calls, %d wrong", wrong);
	/* The client may know before the front does. */
	for (int i = 0; i < 10000 && shared->stale < 1000; i++)
		sleep_ms(1);
	ok(shared->stale == 1000, "who has forwarded cannot reply");

	memset(data, 41, LONG);
	c = (struct skyipc_dev_call){ .flags = SKYIPC_CALL_LONG,
				      .msg.data = (uintptr_t)data,
				      .msg.len = LONG,
				      .reply = (uintptr_t)reply,
				      .reply_size = LONG };
	wrong = call(link, &c, DATA, 0);
	for (int i = 0; i < LONG; i++)
		good += reply[i] == 42;
	ok(!wrong && c.msg.len == LONG && good == LONG,
	   "the client's data go to the second server, and its to the client");

	for (uint64_t i = 0; i < 4; i++) {
		c = (struct skyipc_dev_call){ .size = sizeof(c),
					      .tag = i,
					      .msg = { .op = ECHO,
						       .words = { i } } };
		wrong += op(link, SKYIPC_LINK_SUBMIT, &c);
	}
	for (uint64_t i = 0; i < 4; i++) {
		c = (struct skyipc_dev_call){ .size = sizeof(c),
					      .deadline = in_ms(5000) };
		wrong += op(link, SKYIPC_LINK_REAP, &c) || c.tag != i ||
			 c.msg.words[1] != i + 1;
	}
	ok(!wrong, "submitted ones");
	c = (struct skyipc_dev_call){ .flags = 0 };
	wrong = call(link, &c, NOBODY, 0);
	ok(!wrong && c.msg.status == -EPIPE,
	   "to a server that is gone: the first one answers (%d)",
	   c.msg.status);
	c = (struct skyipc_dev_call){ .flags = 0 };
	wrong = call(link, &c, BAD, 0);
	ok(!wrong && !shared->bad, "bad arguments: %d taken", shared->bad);
	close(link);
}

static void on_signal(int number)
{
	(void)number;
}

/* A call of another thread, that is at the second server or on its way there */
struct caller {
	pthread_t thread;
	struct skyipc_dev_call c;
	unsigned ms;
	int result;
	_Atomic int link, interrupted;
};

static void *caller_thread(void *arg)
{
	struct caller *t = arg;
	int link = new_link(conn, 0);

	t->link = link;
	t->result = call(link, &t->c, GATE, t->ms);
	if (t->result == -EINPROGRESS) {
		t->interrupted = 1;
		t->c.flags |= SKYIPC_CALL_RESUME;
		t->result = call(link, &t->c, GATE, t->ms);
		if (!t->result)
			t->result = -EINPROGRESS;
	}
	close(link);
	return NULL;
}

static void start(struct caller *t, unsigned ms)
{
	memset(t, 0, sizeof(*t));
	t->ms = ms;
	t->link = -1;
	if (pthread_create(&t->thread, NULL, caller_thread, t))
		give_up("pthread_create");
}

/* One call in the gate, and another that is pending behind it. */
static void start_both(struct caller both[2], unsigned ms)
{
	shared->stale = 0;
	start(&both[0], ms);
	/* The front has forwarded it: it could not reply any more. */
	while (!shared->in_gate || shared->stale < 1)
		sleep_ms(1);
	start(&both[1], ms);
	while (shared->stale < 2)
		sleep_ms(1);
}

static void join(struct caller both[2])
{
	for (int i = 0; i < 2; i++)
		pthread_join(both[i].thread, NULL);
}

static void events(void)
{
	struct caller both[2];
	int ran;

	begin();
	ran = shared->ran;
	start_both(both, 100);
	join(both);
	shared->open = 1;
	ok(both[0].result == -ETIMEDOUT && both[1].result == -ETIMEDOUT,
	   "a deadline: %d, %d", both[0].result, both[1].result);
	sleep_ms(50);
	ok(shared->ran == ran + 1, "who has not begun does not");

	shared->in_gate = shared->open = 0;
	start_both(both, 0);
	for (int i = 0; i < 2; i++)
		while (!both[i].interrupted) {
			pthread_kill(both[i].thread, SIGUSR1);
			sleep_ms(1);
		}
	shared->open = 1;
	join(both);
	ok(both[0].result == -EINPROGRESS && both[1].result == -EINPROGRESS,
	   "a signal: both go on (%d, %d)", both[0].result, both[1].result);

	shared->in_gate = shared->open = 0;
	start_both(both, 0);
	end_process(front_pid);
	join(both);
	ok(both[0].result == -ECONNRESET && both[1].result == -ECONNRESET,
	   "the first server dies: %d, %d", both[0].result, both[1].result);
	shared->open = 1;
	end_process(back_pid);
	close(conn);

	begin();
	start_both(both, 0);
	end_process(back_pid);
	join(both);
	ok(both[0].result == -ECONNRESET && both[1].result == -ECONNRESET,
	   "the second server dies: %d, %d", both[0].result, both[1].result);
	end_process(front_pid);
	close(conn);
}

/* How many calls there are, as quotas have it */
static long calls_in_use(void)
{
	char *text = read_file(DEBUG "users"), *at = text, *line;
	long sum = 0, n;

	while ((line = strsep(&at, "\n")))
		if (sscanf(line, "%*u %*d %*d %*d %ld", &n) == 1)
			sum += n;
	free(text);
	return sum;
}

static bool none_in_use(void)
{
	for (int i = 0; i < 200 && calls_in_use(); i++)
		sleep_ms(50);
	return !calls_in_use();
}

/* A client that is killed: nobody waits for what its servers do. */
static void dead_client(void)
{
	struct caller both[2];
	long before;
	pid_t pid;

	begin();
	pid = fork();
	if (!pid) {
		start_both(both, 0);
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	before = calls_in_use();
	shared->open = 1;
	ok(before == 1 && none_in_use(),
	   "a client dies: its call is there (%ld) until it is replied to",
	   before);
	end();
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		give_up("mmap");
	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	sigaction(SIGUSR1, &sa, NULL);
	begin();
	calls();
	end();
	events();
	dead_client();
	ok(!unload("skyipc"), "rmmod");
	return done();
}
