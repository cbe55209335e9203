/* SPDX-License-Identifier: MIT */
/*
 * A client that is stopped or killed in the middle of its call, and a server
 *that is: what the other side sees. No server is left half-way.
 *
 *	view_death ROUNDS
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { ECHO, LONG, FOREVER, SYSCALL };

/* Shared by all: how far the handler has come */
static struct {
	_Atomic unsigned begun, ended;
	_Atomic int go_on;
	_Atomic pid_t pid;
} * seen;

static void handler(struct view_msg *m)
{
	switch (m->word[0]) {
	case LONG:
		seen->begun++;
		while (!seen->go_on)
			;
		/* Whoever does it: it is the server's number. */
		seen->pid = getpid();
		seen->ended++;
		break;
	case SYSCALL:
		m->word[1] += getpid() < 0;
		break;
	case FOREVER:
		seen->begun++;
		for (;;)
			;
	}
	m->word[1]++;
}

static bool until(_Atomic unsigned *counter, unsigned value)
{
	for (unsigned i = 0; i < 20000 && *counter < value; i++)
		usleep(1000);
	return *counter >= value;
}

static void spins(int signal)
{
	(void)signal;
	while (!seen->ended)
		;
}

/* A client: its exit status is what its call came to. @depth: of its link */
static pid_t client_with(int conn, unsigned way, unsigned depth)
{
	struct skyipc_dev_call other = { .size = sizeof(other),
					 .deadline = SKYIPC_DEV_FOREVER };
	struct sigaction action = { .sa_handler = spins };
	struct view_msg m = { .word = { way, 41 } };
	struct view_caller c;
	struct view_way w;
	int err;
	const pid_t pid = fork();

	if (pid)
		return pid;
	sigaction(SIGUSR1, &action, NULL);
	view_attach(&c);
	if (view_way(&c, new_link(conn, depth), &w))
		give_up("a way in");
	/* Nobody serves it, as all have lent themselves. */
	if (depth && op(w.link, SKYIPC_LINK_SUBMIT, &other))
		give_up("SKYIPC_LINK_SUBMIT");
	err = view_call(&c, &w, &m);
	_exit(err ? -err : m.word[1] == 42 ? 0 : 255);
}

static pid_t client(int conn, unsigned way)
{
	return client_with(conn, way, 0);
}

static void reset(void)
{
	seen->begun = seen->ended = 0;
	seen->go_on = 0;
	seen->pid = 0;
}

static void stopped(int conn, pid_t server)
{
	const pid_t pid = client(conn, LONG);
	int status;

	ok(until(&seen->begun, 1), "a call has begun");
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	seen->go_on = 1;
	ok(until(&seen->ended, 1) && seen->pid == server,
	   "its client is stopped, and it ends");
	kill(pid, SIGCONT);
	status = status_of(pid);
	ok(!status, "its client goes on, and has the reply");
	note("%d", status);
	reset();
}

static void killed(int conn, pid_t server)
{
	const pid_t pid = client(conn, LONG);

	ok(until(&seen->begun, 1), "a call has begun");
	kill(pid, SIGKILL);
	ok(status_of(pid) == 1000 + SIGKILL, "its client is killed");
	seen->go_on = 1;
	ok(until(&seen->ended, 1) && seen->pid == server, "and it ends");
	reset();
}

/* It runs, but not what it has called. */
static void in_a_signal(int conn, pid_t server)
{
	const pid_t pid = client(conn, LONG);
	int status;

	ok(until(&seen->begun, 1), "a call has begun");
	kill(pid, SIGUSR1);
	/* It takes the signal at its next interrupt, before it sees this. */
	usleep(20000);
	seen->go_on = 1;
	ok(until(&seen->ended, 1) && seen->pid == server,
	   "its client is in a signal's handler, and it ends");
	status = status_of(pid);
	ok(!status, "its client goes on, and has the reply");
	note("%d", status);
	reset();
}

/* Another call of the link is before it. */
static void with_another(int conn, pid_t server)
{
	int status;

	(void)server;
	status = status_of(client_with(conn, SYSCALL, 1));
	ok(!status, "a call with another one of its link waiting");
	note("%d", status);
}

static void killed_with_another(int conn, pid_t server)
{
	const pid_t pid = client_with(conn, LONG, 1);
	ok(until(&seen->begun, 1), "another one has begun");
	kill(pid, SIGKILL);
	ok(status_of(pid) == 1000 + SIGKILL, "its client is killed");
	seen->go_on = 1;
	ok(until(&seen->ended, 1) && seen->pid == server, "and it ends");
	reset();
}

static void server_killed(void)
{
	pid_t server, pid;
	int conn, status;

	server = view_server(handler, 1, &conn);
	pid = client(conn, FOREVER);
	ok(until(&seen->begun, 1), "a call has begun");
	end_process(server);
	status = status_of(pid);
	ok(status == ECONNRESET, "its server is killed");
	note("%d", status);
	close(conn);
	reset();
}

/* One connection is one client's. */
static void with_server(void (*what)(int conn, pid_t server))
{
	pid_t server;
	int conn;

	server = view_server(handler, 1, &conn);
	what(conn, server);
	close(conn);
	end_process(server);
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 3;

	load("skyipc.ko", "views=required");
	view_map();
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	for (int i = 0; i < rounds; i++) {
		with_server(stopped);
		with_server(killed);
		with_server(in_a_signal);
		with_server(with_another);
		with_server(killed_with_another);
		server_killed();
	}
	ok(nobody_has_anything(), "nothing is left");
	munmap((void *)VIEW_AT, SKYIPC_DEV_VIEW_SIZE);
	ok(becomes("/sys/module/skyipc/refcnt", "0"), "nobody uses it");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
