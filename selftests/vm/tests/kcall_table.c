/* SPDX-License-Identifier: MIT */
/*
 * What a caller sees (docs/kcall.md): each cell of that table, but for clients
 * that are killed, which kcall_death does in every state.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

enum {
	ECHO,
	GATE,	 /* until it is opened */
	NO_ROOM, /* a reply of 100 bytes, and then one of none */
	READONLY /* from then on its block cannot be written */
};

/* What the server is to do, and what it has seen */
static struct shared {
	_Atomic int in_gate, open, ran;
	_Atomic int replied, first; /* what REPLY returned, last and before */
	_Atomic int served;	    /* what SERVE returned, if it failed */
	_Atomic int kill;	    /* its connection */
} * shared;

#define UNSET 1

static int server, server_conn;

static void reply(const struct skyipc_dev_serve *to, uint64_t len)
{
	static char data[4096];
	struct skyipc_dev_serve s = *to;

	s.flags = SKYIPC_SERVE_REPLY | (len ? SKYIPC_SERVE_LONG : 0);
	s.msg.data = (uintptr_t)data;
	s.msg.len = len;
	s.msg.words[1] = s.msg.words[0] + 1;
	shared->replied = op(server, SKYIPC_SERVER_REPLY, &s);
}

static void *serving(void *arg)
{
	struct skyipc_dev_serve *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int worker = new_worker(server), err;

	(void)arg;
	*s = (struct skyipc_dev_serve){ .size = sizeof(*s) };
	for (;;) {
		s->flags = SKYIPC_SERVE_WAIT;
		s->deadline = SKYIPC_DEV_FOREVER;
		if (s->msg.op == READONLY) {
			s->msg.op = ECHO;
			mprotect(s, 4096, PROT_READ);
		}
		err = op(worker, SKYIPC_WORKER_SERVE, s);
		mprotect(s, 4096, PROT_READ | PROT_WRITE);
		if (err == -EPIPE)
			_exit(0);
		if (err) {
			shared->served = err;
			continue;
		}
		shared->ran++;
		if (s->msg.op == GATE) {
			shared->in_gate = 1;
			while (!shared->open)
				usleep(500);
			shared->in_gate = 0;
		}
		if (s->msg.op == NO_ROOM) {
			reply(s, 100);
			shared->first = shared->replied;
		}
		reply(s, 0);
	}
}

static int conn, front, behind;
static pid_t pid;

static void begin(void)
{
	pthread_t thread;
	int socks[2];

	memset(shared, 0, sizeof(*shared));
	pid = server_fork(socks, &conn);
	if (pid) {
		front = new_link(conn, 1);
		behind = new_link(conn, 0);
		return;
	}
	server = new_server();
	server_conn = new_conn(server, 0);
	/* (server_give() closes what it gives.) */
	server_give(socks, dup(server_conn));
	pthread_create(&thread, NULL, serving, NULL);
	for (;;) {
		usleep(500);
		if (!shared->kill)
			continue;
		op(server_conn, SKYIPC_CONN_KILL, NULL);
		shared->kill = 0;
	}
}

static void end(void)
{
	close(front);
	close(behind);
	close(conn);
	end_process(pid);
}

/* The only worker is busy. */
static void occupy(void)
{
	struct skyipc_dev_call c = { .size = sizeof(c), .msg = { .op = GATE } };

	shared->open = 0;
	if (op(front, SKYIPC_LINK_SUBMIT, &c))
		give_up("submit");
	while (!shared->in_gate)
		usleep(500);
}

static void release(void)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .deadline = SKYIPC_DEV_FOREVER };

	shared->open = 1;
	if (op(front, SKYIPC_LINK_REAP, &c))
		give_up("reap");
}

/* How many handlers have run, when all that was there has been served */
static int handlers(void)
{
	struct skyipc_dev_call c = { .flags = 0 };

	if (call(behind, &c, ECHO, 0))
		give_up("call");
	return shared->ran;
}

static bool becomes_int(const _Atomic int *what, int value)
{
	for (int i = 0; i < 10000 && *what != value; i++)
		usleep(1000);
	return *what == value;
}

/* ---- a signal -------------------------------------------------------------
 */

static void on_signal(int number)
{
	(void)number;
}

static _Atomic int through;

static void *interrupt(void *arg)
{
	while (!through) {
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
		usleep(1000);
	}
	return NULL;
}

/* With signals from before it is in the kernel until it returns */
static int interrupted(struct skyipc_dev_call *c, uint32_t what)
{
	pthread_t me = pthread_self(), other;
	int err;

	through = 0;
	pthread_create(&other, NULL, interrupt, &me);
	do {
		err = call(behind, c, what, 0);
		/* Too early: it was not there yet. */
	} while (what == GATE && err == -EINTR);
	through = 1;
	pthread_join(other, NULL);
	return err;
}

static void signals(void)
{
	struct skyipc_dev_call c = { .flags = 0 };
	int err, ran;

	begin();
	occupy();
	err = interrupted(&c, ECHO);
	ran = shared->ran;
	release();
	ok(err == -EINTR && handlers() == ran + 1,
	   "a signal before the handler starts: %d, and it never does", err);
	shared->open = 0;
	c = (struct skyipc_dev_call){ .flags = 0 };
	err = interrupted(&c, GATE);
	shared->open = 1;
	ok(err == -EINPROGRESS, "while it runs: %d", err);
	c.flags = SKYIPC_CALL_RESUME;
	ok(!call(behind, &c, GATE, 0) && c.msg.words[1] == 1, "it goes on");
	end();
}

/* ---- a deadline ------------------------------------------------------------
 */

static void deadlines(void)
{
	struct skyipc_dev_call c = { .flags = 0 };
	int err, ran;
	bool stale;

	begin();
	occupy();
	err = call(behind, &c, ECHO, 30);
	ran = shared->ran;
	release();
	ok(err == -ETIMEDOUT && handlers() == ran + 1,
	   "a deadline before the handler starts: %d, and it never does", err);
	shared->open = 0;
	shared->replied = UNSET;
	c = (struct skyipc_dev_call){ .flags = 0 };
	err = call(behind, &c, GATE, 30);
	shared->open = 1;
	stale = becomes_int(&shared->replied, -ESTALE);
	ok(err == -ETIMEDOUT && stale,
	   "while it runs: %d, and its server gets %d", err, shared->replied);
	end();
}

/* ---- the server, or its connection, ends ------------------------------------
 */

static int results[2];
static _Atomic pid_t tids[2];

/* Each on the link of its own */
static void *calls(void *arg)
{
	struct skyipc_dev_call c = { .flags = 0 };
	const int i = (int)(intptr_t)arg;
	int link = new_link(conn, 0);

	tids[i] = gettid();
	results[i] = call(link, &c, i ? ECHO : GATE, 0);
	close(link);
	return NULL;
}

static void ends(bool server_dies)
{
	pthread_t thread[2];

	begin();
	for (intptr_t i = 0; i < 2; i++) {
		tids[i] = 0;
		pthread_create(&thread[i], NULL, calls, (void *)i);
		if (!i)
			while (!shared->in_gate)
				usleep(500);
		else
			until_asleep(&tids[i]);
	}
	if (server_dies)
		kill(pid, SIGKILL);
	else
		shared->kill = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	ok(results[1] == -EPIPE, "%s before the handler starts: %d",
	   server_dies ? "the server dies" : "its connection ends", results[1]);
	ok(results[0] == -ECONNRESET, "while it runs: %d", results[0]);
	shared->open = 1;
	end();
}

/* ---- what only the server hears
 * ---------------------------------------------- */

static void no_room(void)
{
	struct skyipc_dev_call c = { .flags = 0 };
	int err;

	begin();
	shared->first = UNSET;
	err = call(front, &c, NO_ROOM, 0);
	ok(!err && shared->first == -EMSGSIZE &&
		   becomes_int(&shared->replied, 0),
	   "a reply without room: its server gets %d, and gives another",
	   shared->first);
	end();
}

static void bad_block(void)
{
	struct skyipc_dev_call c = { .flags = 0 };
	int err, ran;
	bool bad;

	begin();
	if (call(front, &c, READONLY, 0))
		give_up("call");
	ran = shared->ran;
	c = (struct skyipc_dev_call){ .flags = 0 };
	err = call(front, &c, ECHO, 0);
	bad = becomes_int(&shared->served, -EFAULT);
	ok(err == -ECONNRESET && bad && shared->ran == ran,
	   "a server's block that can't be written: %d, it gets %d", err,
	   shared->served);
	c = (struct skyipc_dev_call){ .flags = 0 };
	ok(!call(front, &c, ECHO, 0), "and goes on");
	end();
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		give_up("mmap");
	sigaction(SIGUSR1, &sa, NULL);
	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	signals();
	deadlines();
	ends(false);
	ends(true);
	no_room();
	bad_block();
	ok(!unload("skyipc"), "rmmod");
	return done();
}
