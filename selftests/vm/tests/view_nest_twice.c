/* SPDX-License-Identifier: MIT */
/*
 * A server that asks, at home, for what it has not called there: while its own
 *handler has, in a view; or in league with its client, who knows slot and key
 *of that way and goes there by itself. The stack of the one that is called is
 *not used twice.
 *
 *	view_nest_twice CALLS
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"
#include "guest.h"
#include "kcall.h"

/* KEY, READY, HOLD: the first one; LONG: the second */
enum { KEY = CHAIN_OWN, READY, HOLD, LONG };

static struct {
	uint64_t key;
	uint32_t slot;
	_Atomic pid_t tid;
	_Atomic int holds, stop;
	_Atomic unsigned asks, asked, begun, ended, wrong;
} * seen;

/* By a worker, at home */
static void ask(unsigned times)
{
	for (unsigned i = 0; i < times && !seen->stop; i++) {
		struct skyipc_dev_call c = { .size = sizeof(c),
					     .flags = SKYIPC_CALL_RESUME,
					     .deadline = in_ms(50) };

		seen->asks++;
		seen->asked += !op(chain_way.link, SKYIPC_LINK_CALL, &c);
	}
}

/* Its client's call is on its way all the time. */
static void hold(void)
{
	run_on(cpus() - 1);
	seen->holds = 1;
	ask(-1);
}

/* On the thread's own stack, while its handlers run on the other one */
static void signalled(int signal)
{
	(void)signal;
	ask(200);
}

static void get_ready(void)
{
	struct sigaction action = { .sa_handler = signalled };

	sigaction(SIGUSR1, &action, NULL);
	run_on(cpus() - 1);
	seen->tid = gettid();
}

/* What it has been told is on its stack, and stays there. */
static void take_long(struct view_msg *m)
{
	static _Atomic unsigned inside;
	volatile uint64_t mine[64];
	const volatile uint64_t *told = m->word;

	seen->begun++;
	seen->wrong += inside++ != 0;
	for (unsigned i = 0; i < 64; i++)
		mine[i] = i * m->word[3];
	for (unsigned n = 0; n < 3000; n++)
		for (unsigned i = 3; i < 7; i++)
			seen->wrong += told[i] != i + m->word[2];
	for (unsigned i = 0; i < 64; i++)
		seen->wrong += mine[i] != i * m->word[3];
	inside--;
	seen->ended++;
}

static void does(uint64_t what, struct view_msg *m)
{
	switch (what) {
	case KEY:
		seen->key = chain_way.key;
		seen->slot = chain_way.slot;
		break;
	case READY:
		get_ready();
		break;
	case HOLD:
		hold();
		break;
	case LONG:
		take_long(m);
		break;
	}
}

static struct view_caller caller;
static struct chain chain;

/* Its call is in the first server's worker, which stays there. */
static void let_hold(void)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .flags = SKYIPC_CALL_RESUME };
	struct view_msg m;
	int err;

	do {
		m = (struct view_msg){ .word = { HOLD } };
		err = view_enter(&m, chain.way.slot, chain.way.key,
				 caller.page);
	} while (err == -EAGAIN && !usleep(100));
	do {
		c.deadline = in_ms(10);
		err = op(chain.way.link, SKYIPC_LINK_CALL, &c);
	} while (err == -ETIMEDOUT && !seen->holds);
	ok(seen->holds, "a call that is in its server's worker");
}

static void goes_there(unsigned n)
{
	const uint64_t limit = in_ms(20000);
	uint64_t i = 0;

	while (seen->begun < n && now() < limit) {
		struct view_msg m = { .word = { LONG, 0, i, i + 3, i + 4, i + 5,
						i + 6 } };
		const int err =
			view_enter(&m, seen->slot, seen->key, caller.page);

		if (err == -EAGAIN)
			usleep(100);
		i++;
	}
	ok(seen->begun >= n, "its client goes to another's %u times",
	   seen->begun);
	note("%u of %u times, there was something", seen->asked, seen->asks);
}

/* It is called as it should be, and its client's worker asks meanwhile. */
static void is_called(unsigned n)
{
	unsigned good = 0;
	int err = 0;

	for (uint64_t i = 0; i < n; i++) {
		struct view_msg m;

		do {
			/* Its worker waits, and takes that. */
			syscall(SYS_tgkill, chain.server[0], seen->tid,
				SIGUSR1);
			m = (struct view_msg){ .word = { 0, 0, i, i + 3, i + 4,
							 i + 5, i + 6 } };
			err = chain_call(&chain, &caller, LONG, 1, &m);
		} while (err == -EAGAIN && !usleep(100));
		good += !err && m.word[6] == i + 6;
	}
	/*
	 * A reply that it has got so is its own to lose: with one CPU, most of
	 * them.
	 */
	ok(good + seen->asked >= n && seen->begun >= n,
	   "%u calls, and whoever makes them asks for them, too", n);
	note("%u: %d; %u of %u times, there was something", good, err,
	     seen->asked, seen->asks);
}

static void one_at_a_time(void)
{
	const uint64_t limit = in_ms(5000);

	while (seen->begun != seen->ended && now() < limit)
		usleep(1000);
	ok(seen->begun && seen->begun == seen->ended && !seen->wrong,
	   "one runs at a time, and each to its end");
	note("%u begun, %u ended, %u wrong", seen->begun, seen->ended,
	     seen->wrong);
	seen->stop = 1;
	ok(!waitpid(chain.server[1], NULL, WNOHANG), "it lives");
}

static void up(void)
{
	memset(seen, 0, sizeof(*seen));
	/* The second one has a way to a third, as who goes on with calls has.
	 */
	chain_up(&chain, 3, 1, does);
	if (!chain_prepare(&chain, &caller) || !chain_is_well(&chain, &caller))
		give_up("a chain");
}

static void does_it(uint64_t what)
{
	struct view_msg m = { .word = { 0 } };

	while (chain_call(&chain, &caller, what, 0, &m) == -EAGAIN)
		usleep(100);
}

static void by_itself(unsigned n)
{
	up();
	does_it(READY);
	is_called(n);
	one_at_a_time();
	chain_down(&chain);
}

static void in_league(unsigned n)
{
	up();
	does_it(KEY);
	let_hold();
	goes_there(n);
	one_at_a_time();
	chain_down(&chain);
}

int main(int argc, char **argv)
{
	const unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 50;

	load("skyipc.ko", "views=required");
	view_map();
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	view_attach(&caller);
	run_on(0);
	by_itself(n);
	in_league(n);
	view_detach(&caller);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
