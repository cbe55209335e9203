/* SPDX-License-Identifier: MIT */
/*
 * Whoever dies, stops, or closes, in whatever state a call is: what the others
 * see, and that nothing is left. Then very many calls of processes that are
 * killed at any moment.
 *
 *	kcall_death [CALLS]
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

enum { ECHO, GATE, DATA };
enum { LONG = 1 << 16 };

/* Where the client's call is */
enum state {
	QUEUED,	   /* behind another one of its link */
	POSTED,	   /* no worker is free */
	TAKEN,	   /* its handler runs */
	LEFT,	   /* likewise, but nobody waits any more */
	DONE,	   /* there is a reply, and nobody has looked */
	WITH_DATA, /* TAKEN, with pages of the client's */
	STATES
};

static const char *const state_names[] = { "queued", "posted", "taken",
					   "left",   "done",   "with data" };

enum event {
	CLIENT_DIES,
	SERVER_DIES,
	CLIENT_CLOSES, /* its link, by another thread: it exits instead */
	SERVER_STOPS,  /* SIGSTOP; the client dies; it goes on */
	CLIENT_STOPS,  /* likewise, and goes on when all is over */
	EVENTS
};

static const char *const event_names[] = {
	"the client is killed", "the server is killed", "the client exits",
	"the server is stopped, and the client killed",
	"the client is stopped meanwhile"
};

static struct shared {
	_Atomic int in_gate, open, ready, answered;
	_Atomic int result; /* of the client's call; 1: none yet */
	_Atomic uint64_t calls;
	_Atomic int end;
} * shared;

static void sleep_ms(long ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000 };

	nanosleep(&t, NULL);
}

static bool within(_Atomic int *what)
{
	for (int i = 0; i < 5000 && !*what; i++)
		sleep_ms(2);
	return *what;
}

static bool handler(struct request *r)
{
	switch (r->msg.op) {
	case GATE:
	case DATA:
		shared->in_gate = 1;
		while (!shared->open)
			sleep_ms(1);
		break;
	}
	shared->answered++;
	r->msg.words[0]++;
	r->msg.len = 0;
	return true;
}

/* ------------------------------------------------------- states by events --
 */

static int submit(int link, uint32_t what)
{
	struct skyipc_dev_call c = { .size = sizeof(c), .msg.op = what };

	return op(link, SKYIPC_LINK_SUBMIT, &c);
}

static int reap(int link)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .deadline = in_ms(10000) };
	int err;

	/* Who was stopped hears of that first. */
	do
		err = op(link, SKYIPC_LINK_REAP, &c);
	while (err == -EINTR);
	return err;
}

/* The client: brings it there, and waits. What it is told is the result. */
static void client(int conn, enum state state)
{
	static char data[LONG];
	struct skyipc_dev_call c = { .flags = 0 };
	int link = new_link(conn, 4), err;

	switch (state) {
	case QUEUED:
		if (submit(link, GATE) || submit(link, ECHO))
			_exit(2);
		within(&shared->in_gate);
		shared->ready = 1;
		shared->result = reap(link) ?: reap(link);
		break;
	case POSTED:
	case DONE:
		if (submit(link, ECHO))
			_exit(2);
		if (state == DONE)
			within(&shared->answered);
		shared->ready = 1;
		within(&shared->end);
		shared->result = reap(link);
		break;
	case TAKEN:
		if (submit(link, GATE))
			_exit(2);
		within(&shared->in_gate);
		shared->ready = 1;
		shared->result = reap(link);
		break;
	case LEFT:
		if (call(link, &c, GATE, 50) != -ETIMEDOUT)
			_exit(2);
		shared->ready = 1;
		within(&shared->end);
		c = (struct skyipc_dev_call){ .flags = 0 };
		shared->result = call(link, &c, ECHO, 5000);
		break;
	case WITH_DATA:
		c.flags = SKYIPC_CALL_LONG;
		c.msg.data = (uintptr_t)data;
		c.msg.len = LONG;
		c.reply = (uintptr_t)data;
		c.reply_size = LONG;
		shared->ready = 1;
		err = call(link, &c, DATA, 10000);
		c.flags = SKYIPC_CALL_RESUME;
		while (err == -EINPROGRESS)
			err = call(link, &c, DATA, 10000);
		shared->result = err;
		break;
	default:
		break;
	}
	_exit(0);
}

/* Somebody else, who has the only worker */
static pid_t occupy(int conn)
{
	struct skyipc_dev_call c = { .flags = 0 };
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	call(new_link(conn, 0), &c, GATE, 0);
	_exit(0);
}

/* What the client is told, if it is there to hear it */
static int expected(enum state state, enum event event)
{
	if (event != SERVER_DIES)
		return 0;
	switch (state) {
	case DONE:
		return 0;
	case LEFT:
		return -EPIPE;
	default:
		return -ECONNRESET;
	}
}

/* Two connections of one server with one worker */
static pid_t one_worker(int *conn, int *other)
{
	int socks[2], more[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, more))
		give_up("socketpair");
	pid = server_fork(socks, conn);
	if (!pid) {
		static char buf[LONG];
		int server = new_server(), worker = new_worker(server);

		server_give(socks, new_conn(server, 1));
		send_fd(more[1], new_conn(server, 2));
		_exit(serve(worker, handler, buf, sizeof(buf)) ? 1 : 0);
	}
	*other = recv_fd(more[0]);
	close(more[0]);
	close(more[1]);
	return pid;
}

static void happen(enum event event, pid_t server, pid_t victim)
{
	switch (event) {
	case CLIENT_DIES:
		kill(victim, SIGKILL);
		break;
	case SERVER_DIES:
		kill(server, SIGKILL);
		break;
	case CLIENT_CLOSES:
		kill(victim, SIGTERM);
		break;
	case SERVER_STOPS:
		kill(server, SIGSTOP);
		kill(victim, SIGKILL);
		waitpid(victim, NULL, 0);
		kill(server, SIGCONT);
		break;
	case CLIENT_STOPS:
		kill(victim, SIGSTOP);
		break;
	default:
		break;
	}
}

static void on_term(int number)
{
	(void)number;
	_exit(0);
}

static bool gone(enum event event)
{
	return event == CLIENT_DIES || event == CLIENT_CLOSES ||
	       event == SERVER_STOPS;
}

static void one(enum state state, enum event event)
{
	struct skyipc_dev_call c = { .flags = 0 };
	pid_t server, victim, another = 0;
	int conn, other, well, link;

	memset(shared, 0, sizeof(*shared));
	shared->result = 1;
	server = one_worker(&conn, &other);
	if (state == POSTED) {
		another = occupy(other);
		within(&shared->in_gate);
	}
	victim = fork();
	if (!victim) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, on_term);
		client(conn, state);
	}
	well = within(&shared->ready);
	if (state == WITH_DATA)
		well &= within(&shared->in_gate);
	happen(event, server, victim);
	shared->open = 1;
	shared->end = 1;
	if (event == CLIENT_STOPS) {
		within(&shared->answered);
		kill(victim, SIGCONT);
	}
	waitpid(victim, NULL, 0);
	if (!gone(event))
		well &= shared->result == expected(state, event);
	if (another) {
		waitpid(another, NULL, 0);
	} else if (event != SERVER_DIES) {
		/* The server is as well as before. */
		link = new_link(other, 0);
		well &= !call(link, &c, ECHO, 10000) && c.msg.words[0] == 1;
		close(link);
	}
	close(conn);
	close(other);
	end_process(server);
	well &= nobody_has_anything();
	ok(well, "%s, and %s (%d)", state_names[state], event_names[event],
	   shared->result);
}

/* ----------------------------------------------------------------- at random
 * -- */

/* Clients and servers; a connection is its first user's. */
enum { PAIRS = 3 };

static uint64_t seed = 88172645463325252;

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static bool echo(struct request *r)
{
	r->msg.words[0]++;
	r->msg.data = (uintptr_t)r->buf;
	r->msg.len = r->len;
	return true;
}

static void calls_for_ever(int conn)
{
	static char data[LONG], reply[LONG];
	struct skyipc_dev_link l = { .size = sizeof(l), .depth = 8 };
	int link = op(conn, SKYIPC_CONN_LINK, &l), err = link < 0 ? link : 0;

	while (err != -EPIPE && err != -ECONNRESET) {
		struct skyipc_dev_call c = { .msg.words = { 7 } };

		if (!(++shared->calls % 16)) {
			c.flags = SKYIPC_CALL_LONG;
			c.msg.data = (uintptr_t)data;
			c.msg.len = shared->calls % LONG;
			c.reply = (uintptr_t)reply;
			c.reply_size = LONG;
		}
		if (!(shared->calls % 7))
			submit(link, ECHO);
		err = call(link, &c, ECHO, 1000);
		if (!err && c.msg.words[0] != 8)
			_exit(3);
		if (!(shared->calls % 21))
			while (!reap(link))
				;
	}
	_exit(0);
}

static struct pair {
	pid_t server, client;
	int conn;
} pairs[PAIRS];

static void pair_start(struct pair *p)
{
	p->server = server_process(echo, 2, &p->conn);
	p->client = fork();
	if (!p->client) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		calls_for_ever(p->conn);
	}
}

/* False: the client has had a wrong reply. */
static bool pair_end(struct pair *p)
{
	int status;

	kill(rnd(2) ? p->server : p->client, SIGKILL);
	if (rnd(2))
		sleep_ms((long)rnd(3));
	end_process(p->server);
	/* It hears that, or is dead. */
	waitpid(p->client, &status, 0);
	close(p->conn);
	return !WIFEXITED(status) || !WEXITSTATUS(status);
}

static void kills(uint64_t calls)
{
	int wrong = 0, killed = 0;

	memset(shared, 0, sizeof(*shared));
	for (int i = 0; i < PAIRS; i++)
		pair_start(&pairs[i]);
	while (shared->calls < calls) {
		struct pair *p = &pairs[rnd(PAIRS)];

		sleep_ms((long)rnd(30));
		wrong += !pair_end(p);
		killed++;
		pair_start(p);
	}
	for (int i = 0; i < PAIRS; i++)
		wrong += !pair_end(&pairs[i]);
	ok(!wrong, "%llu calls, %d times somebody killed, %d wrong replies",
	   (unsigned long long)shared->calls, killed, wrong);
	ok(nobody_has_anything(), "nothing is left");
}

int main(int argc, char **argv)
{
	uint64_t calls = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		give_up("mmap");
	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	for (int s = 0; s < STATES; s++)
		for (int e = 0; e < EVENTS; e++)
			one((enum state)s, (enum event)e);
	kills(calls);
	ok(!unload("skyipc"), "rmmod");
	return done();
}
