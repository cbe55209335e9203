/* SPDX-License-Identifier: MIT */
/*
 * What becomes of nested calls that are on their way when their client is
 *elsewhere, when links are closed, and when somebody on the way ends: no server
 *is left half-way, and whoever is left hears of it.
 *
 *	view_nest_ends LINKS
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"
#include "guest.h"
#include "kcall.h"
#include "leak.h"

/* By the last one; SHIRK: by the first one */
enum { STAY = CHAIN_OWN, SHIRK };

enum { CHAIN = 3 };

/* Shared by all */
static struct {
	_Atomic unsigned begun, ended;
	_Atomic int go_on, shirks_on;
	_Atomic unsigned ready;
	_Atomic pid_t pid;
	/* As shown when the client was interrupted */
	char views[2048];
} * seen;

static void stay(void)
{
	seen->begun++;
	while (!seen->go_on)
		;
	/* Whoever does it: it is the server's number. */
	seen->pid = getpid();
	seen->ended++;
}

/*
 * A client that does not come for what it has called, by @more others: they are
 * not left half-way for that.
 */
static void shirk(struct view_msg *m)
{
	struct view_msg n = { .word = { STAY, m->word[2] } };
	const int err =
		view_nest(&n, chain_way.slot, chain_way.key, view_nest_words);

	while (err == -EINPROGRESS && !seen->shirks_on)
		usleep(1000);
	if (err == -EINPROGRESS)
		(void)view_resume(&chain_way, &n);
	m->word[0] = (uint64_t)(int64_t)err;
}

static void does(uint64_t what, struct view_msg *m)
{
	switch (what) {
	case STAY:
		stay();
		break;
	case SHIRK:
		shirk(m);
		break;
	}
}

static bool until(_Atomic unsigned *counter, unsigned value)
{
	const uint64_t limit = in_ms(5000);

	while (*counter < value && now() < limit)
		usleep(1000);
	return *counter >= value;
}

/* ---- the client: a process of its own
 * ----------------------------------------------
 */

static struct view_caller caller;
static struct chain chain;
static void (*in_signal)(void);

static void signalled(int signal)
{
	const int err = errno;

	(void)signal;
	in_signal();
	errno = err;
}

/* At once, before it is late: what there is is looked at later. */
static void look(void)
{
	const int fd = open(DEBUG "views", O_RDONLY | O_CLOEXEC);

	if (read(fd, seen->views, sizeof(seen->views) - 1) < 0)
		_exit(252);
	close(fd);
	seen->go_on = 1;
}

static const char *state_of(pid_t pid, unsigned slot, char *state)
{
	const char *line = seen->views;
	unsigned n;
	int t;

	for (; (line = strchr(line, '\n')); line++)
		if (sscanf(line, " %d %u %*d %15s", &t, &n, state) == 3 &&
		    t == pid && n == slot)
			return state;
	return "";
}

/* Long enough for it to be late */
static void wait_there(void)
{
	while (!seen->ended)
		usleep(1000);
}

static void close_link(void)
{
	close(chain.way.link);
	chain.way.link = -1;
}

static void close_all(void)
{
	close_link();
	close(caller.fd);
	close(chain.conn);
}

/* What has to be mapped is by then, of all that are on the way. */
static bool is_warm(uint64_t what, uint64_t more, uint64_t further)
{
	int err = -EAGAIN;

	seen->go_on = seen->shirks_on = 1;
	for (unsigned i = 0; i < 100 && err; i++) {
		struct view_msg m = { .word = { 0, 0, further } };

		err = chain_call(&chain, &caller, what, more, &m);
		/* What it says of one that it has not come for */
		if (err == -EINPROGRESS)
			err = 0;
		if (err)
			usleep(1000);
	}
	if (!chain_is_well(&chain, &caller))
		err = 1;
	seen->go_on = seen->shirks_on = 0;
	seen->begun = seen->ended = 0;
	return !err;
}

/* Its exit status is what its call came to. */
static void client(void (*fn)(void), uint64_t what, uint64_t more,
		   uint64_t further)
{
	struct sigaction action = { .sa_handler = signalled };
	struct view_msg m = { .word = { 0, 0, further } };
	int err;

	in_signal = fn;
	sigaction(SIGUSR1, &action, NULL);
	view_attach(&caller);
	if (!chain_prepare(&chain, &caller) || !is_warm(what, more, further))
		_exit(254);
	seen->ready = 1;
	err = chain_call(&chain, &caller, what, more, &m);
	/* As before, whatever that has come to */
	if (chain.way.link > 0 && seen->ended && !err &&
	    !chain_is_well(&chain, &caller))
		_exit(253);
	_exit(err ? -err & 0xff : 0);
}

static pid_t begin(void (*fn)(void), uint64_t what, uint64_t more,
		   uint64_t further)
{
	pid_t pid;

	memset(seen, 0, sizeof(*seen));
	chain_up(&chain, CHAIN, 1, does);
	pid = fork();
	if (!pid)
		client(fn, what, more, further);
	if (!until(&seen->ready, 1) || !until(&seen->begun, 1))
		note("it does not begin");
	return pid;
}

static void end(void)
{
	close(chain.conn);
	for (int i = 0; i < chain.n; i++)
		end_process(chain.server[i]);
}

/* The last one ends what it has begun, as itself. */
static bool ends(uint64_t more)
{
	const bool good =
		until(&seen->ended, 1) && seen->pid == chain.server[more];

	if (!good)
		note("%u ended, by %d", seen->ended, seen->pid);
	return good;
}

/* ---- the client is elsewhere
 * -------------------------------------------------------
 */

static void stopped(uint64_t more)
{
	const pid_t pid = begin(look, STAY, more, 0);
	int status;

	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	seen->go_on = 1;
	ok(ends(more), "its client is stopped, %d above: it ends", (int)more);
	kill(pid, SIGCONT);
	status = status_of(pid);
	ok(!status, "its client goes on, and has the reply");
	if (status)
		note("%d", status);
	end();
}

static void killed(uint64_t more)
{
	const pid_t pid = begin(look, STAY, more, 0);

	kill(pid, SIGKILL);
	ok(status_of(pid) == 1000 + SIGKILL, "its client is killed, %d above",
	   (int)more);
	seen->go_on = 1;
	ok(ends(more), "and it ends");
	end();
}

static void shown(uint64_t more)
{
	const pid_t pid = begin(look, STAY, more, 0);
	bool good = true;
	int status;

	kill(pid, SIGUSR1);
	status = status_of(pid);
	for (unsigned i = 0; i < CHAIN; i++) {
		char text[16];
		const char *is = state_of(pid, VIEW_SLOT_FIRST + i, text);

		good &= !strcmp(is, i < more	? "nested"
				    : i == more ? "parked"
						: "free");
	}
	ok(good, "parked, and %d nested", (int)more);
	if (!good)
		note("%s", seen->views);
	ok(!status && ends(more), "it goes on and ends");
	if (status)
		note("%d", status);
	end();
}

static void in_a_signal(uint64_t more)
{
	const pid_t pid = begin(wait_there, STAY, more, 0);
	int status;

	kill(pid, SIGUSR1);
	usleep(20000);
	seen->go_on = 1;
	ok(ends(more), "its client is in a signal's handler: it ends");
	status = status_of(pid);
	ok(!status, "its client goes on, and has the reply");
	if (status)
		note("%d", status);
	end();
}

/* ---- somebody on the way closes, or ends
 * -------------------------------------------
 */

static void closes(uint64_t more, void (*fn)(void), const char *what)
{
	const pid_t pid = begin(fn, STAY, more, 0);
	int status;

	kill(pid, SIGUSR1);
	usleep(20000);
	seen->go_on = 1;
	ok(ends(more), "its client closes %s: it ends", what);
	status = status_of(pid);
	/* It has no descriptor to ask by. */
	ok(status == EBADF, "and its client does not hear of it");
	if (status != EBADF)
		note("%d", status);
	end();
}

/* Server @who of those on the way is killed. */
static void server_killed(unsigned who, uint64_t more)
{
	const pid_t pid = begin(look, STAY, more, 0);
	int status;

	kill(chain.server[who], SIGKILL);
	usleep(20000);
	seen->go_on = 1;
	if (who < more)
		ok(ends(more), "server %u of %d is killed: the last one ends",
		   who, (int)more + 1);
	status = status_of(pid);
	ok(status == ECONNRESET, "server %u of %d is killed: it is told", who,
	   (int)more + 1);
	if (status != ECONNRESET)
		note("%d", status);
	end();
}

/*
 * The first one has what it has called moved to itself, and does not look after
 * it:
 * @more others are to end.
 */
static void shirked(uint64_t more, bool dies)
{
	const pid_t pid = begin(wait_there, SHIRK, 0, more - 1);
	int status;

	kill(pid, dies ? SIGKILL : SIGUSR1);
	usleep(50000);
	seen->go_on = 1;
	ok(ends(more), "%d below a client who %s, and does not come for them",
	   (int)more, dies ? "has lost its own" : "is late");
	seen->shirks_on = 1;
	status = status_of(pid);
	ok(status == (dies ? 1000 + SIGKILL : EINPROGRESS), "and it goes on");
	if (status != (dies ? 1000 + SIGKILL : EINPROGRESS))
		note("%d", status);
	end();
}

/* ---- and all is given back
 * ---------------------------------------------------------
 */

/* With ways of its servers' below it */
static int rounds_of(int rounds)
{
	int i;

	for (i = 0; i < rounds; i++) {
		if (!chain_prepare(&chain, &caller) ||
		    (i % 20 == 0 && !chain_is_well(&chain, &caller)))
			break;
		close(chain.way.link);
	}
	chain.way.link = 0;
	return i;
}

static void *many_rounds(void *arg)
{
	const int rounds = *(int *)arg;
	int n;

	chain_up(&chain, CHAIN, 1, does);
	view_attach(&caller);
	rounds_of(20);
	leak_begin();
	n = rounds_of(rounds);
	ok(n == rounds, "%d times a link with ways below it, and none", rounds);
	leak_end(rounds, "links");
	view_detach(&caller);
	end();
	return NULL;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 300;
	pthread_t thread;

	load("skyipc.ko", "views=required");
	view_map();
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	for (uint64_t more = 0; more < CHAIN; more++) {
		shown(more);
		stopped(more);
		killed(more);
		in_a_signal(more);
		closes(more, close_link, "its link");
		closes(more, close_all, "all that it has");
		for (unsigned who = 0; who <= more; who++)
			server_killed(who, more);
	}
	for (uint64_t more = 1; more < CHAIN; more++) {
		shirked(more, false);
		shirked(more, true);
	}
	/* What is a thread's is there until it has ended. */
	if (pthread_create(&thread, NULL, many_rounds, &rounds))
		give_up("pthread_create");
	pthread_join(thread, NULL);
	ok(nobody_has_anything(), "nothing is left");
	munmap((void *)VIEW_AT, SKYIPC_DEV_VIEW_SIZE);
	ok(becomes("/sys/module/skyipc/refcnt", "0"), "nobody uses it");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
