/* SPDX-License-Identifier: MIT */
/*
 * A client whose threads call while one of them closes what they call with,
 *takes their trampoline away, ends, is killed, or executes another program: its
 *server goes on to the end of each call, and nothing is left.
 *
 *	view_race ROUNDS
 *	view_race after-exec
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { THREADS = 3, CALLS = 200 };

/* Shared by all */
static struct {
	_Atomic uint64_t begun, ended;
	/* Of the threads of the client */
	_Atomic unsigned calls, wrong;
} * seen;

/* No two of one lender's, and none that does not end */
static void handler(struct view_msg *m)
{
	static __thread volatile unsigned inside;

	seen->begun++;
	if (inside++)
		seen->wrong++;
	for (volatile unsigned i = 0; i < m->word[2]; i++)
		;
	if (m->word[2] % 16 == 5)
		(void)getppid();
	inside--;
	m->word[1]++;
	seen->ended++;
}

struct caller {
	pthread_t thread;
	struct view_caller view;
	struct view_way way;
	int conn;
};

static struct caller callers[THREADS];
static _Atomic int attached;

static void *calls(void *arg)
{
	struct caller *c = arg;
	uint64_t r = 7919 * (unsigned)(c - callers + 1);

	view_attach(&c->view);
	if (view_way(&c->view, new_link(c->conn, 0), &c->way))
		give_up("a way in");
	attached++;
	for (;;) {
		struct view_msg m = { .word = { 0, r, r % 3000 } };
		const int err = view_call(&c->view, &c->way, &m);

		if (!err && m.word[1] != r + 1)
			seen->wrong++;
		seen->calls++;
		r = r * 6364136223846793005 + 1442695040888963407;
		if (err == -EBADF || err == -EPIPE)
			return NULL;
		/* Not even that tells who has no link any more. */
		if (err == -EAGAIN && fcntl(c->way.link, F_GETFD) < 0)
			return NULL;
	}
}

/* ---- what one does to the others
 * -------------------------------------------------- */

static void closes_links(void)
{
	for (int i = 0; i < THREADS; i++)
		close(callers[i].way.link);
}

static void closes_views(void)
{
	for (int i = 0; i < THREADS; i++)
		close(callers[i].view.fd);
	closes_links();
}

static void closes_connection(void)
{
	close(callers[0].conn);
	closes_links();
}

static void unmaps(void)
{
	munmap((void *)VIEW_AT, SKYIPC_DEV_VIEW_SIZE);
}

static void unmaps_pages(void)
{
	for (int i = 0; i < THREADS; i++)
		munmap(callers[i].view.page, 4096);
}

static void ends(void)
{
	_exit(0);
}

static void executes(void)
{
	execl("/proc/self/exe", "view_race", "after-exec", NULL);
}

static void is_killed(void)
{
	kill(getpid(), SIGKILL);
}

static void aborts(void)
{
	kill(getpid(), SIGABRT);
}

static const struct {
	const char *name;
	void (*fn)(void);
	/* How its process ends */
	int status;
} ways[] = {
	{ "closes their links", closes_links, 0 },
	{ "closes their views", closes_views, 0 },
	{ "closes the connection", closes_connection, 0 },
	{ "unmaps the trampoline", unmaps, 1000 + SIGSEGV },
	{ "unmaps their pages", unmaps_pages, 1000 + SIGSEGV },
	{ "exits", ends, 0 },
	{ "executes another program", executes, 0 },
	{ "is killed", is_killed, 1000 + SIGKILL },
	{ "aborts", aborts, 1000 + SIGABRT },
};

enum { WAYS = sizeof(ways) / sizeof(*ways) };

/* After as many calls as the round says, so at any moment of one */
static void client(int conn, unsigned way, unsigned round)
{
	for (int i = 0; i < THREADS; i++) {
		callers[i].conn = conn;
		if (pthread_create(&callers[i].thread, NULL, calls,
				   &callers[i]))
			give_up("pthread_create");
	}
	while (attached < THREADS || seen->calls < CALLS + round % 64)
		sched_yield();
	for (volatile unsigned i = 0; i < round * 977 % 5000; i++)
		;
	ways[way].fn();
	for (int i = 0; i < THREADS; i++)
		pthread_join(callers[i].thread, NULL);
	_exit(0);
}

/* It lives, and ends what has begun. */
static bool server_is_well(pid_t server)
{
	const uint64_t limit = in_ms(10000);
	bool ended;

	while (!(ended = seen->begun == seen->ended) && now() < limit)
		sched_yield();
	if (!ended || seen->wrong)
		note("%llu begun, %llu ended, %u wrong",
		     (unsigned long long)seen->begun,
		     (unsigned long long)seen->ended, seen->wrong);
	if (waitpid(server, NULL, WNOHANG)) {
		note("its server has ended");
		return false;
	}
	end_process(server);
	return ended && !seen->wrong;
}

static bool one(unsigned way, unsigned round)
{
	pid_t server, pid;
	int conn, status;

	memset(seen, 0, sizeof(*seen));
	server = view_server(handler, THREADS, &conn);
	pid = fork();
	if (!pid)
		client(conn, way, round);
	close(conn);
	status = status_of(pid);
	if (status != ways[way].status)
		note("round %u: %d", round, status);
	return server_is_well(server) && status == ways[way].status;
}

int main(int argc, char **argv)
{
	const unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 10;

	if (argc > 1 && !strcmp(argv[1], "after-exec"))
		return 0;
	load("skyipc.ko", "views=required");
	view_map();
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	for (unsigned way = 0; way < WAYS; way++) {
		unsigned good = 0;

		for (unsigned i = 0; i < rounds; i++)
			good += one(way, i);
		ok(good == rounds, "one %s, %u times", ways[way].name, rounds);
	}
	ok(nobody_has_anything(), "nothing is left");
	munmap((void *)VIEW_AT, SKYIPC_DEV_VIEW_SIZE);
	ok(becomes("/sys/module/skyipc/refcnt", "0"), "nobody uses it");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
