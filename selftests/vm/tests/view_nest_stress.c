/* SPDX-License-Identifier: MIT */
/*
 * Clients with several threads call through chains of servers; what is reached
 *adds, makes system calls, faults, or takes long. Now and then a client is
 *killed, or a whole chain and its clients: what is left goes on, right in each
 *reply.
 *
 *	view_nest_stress CHAINS CALLS KILLS
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"
#include "guest.h"
#include "kcall.h"
#include "rnd.h"

enum { ADD = CHAIN_OWN, SPIN, SYSCALL, FAULT, WAYS };
enum { THREADS = 3, MAX = 8 };

/* Shared by all */
static struct {
	_Atomic unsigned wrong, calls;
	/* Of each chain's servers: what has begun there, and ended */
	_Atomic uint64_t begun[MAX], ended[MAX];
	/* They are being killed: what a client hears then is right. */
	_Atomic bool dies[MAX];
} * seen;

/* Which chain this process belongs to */
static unsigned which;
static unsigned n_calls;

static void does(uint64_t what, struct view_msg *m)
{
	static __thread volatile unsigned inside;
	volatile uint8_t *fresh;

	seen->begun[which]++;
	if (inside++)
		seen->wrong++;
	switch (what) {
	case SPIN:
		for (volatile unsigned i = 0; i < m->word[3] % 5000; i++)
			;
		break;
	case SYSCALL:
		m->word[5] = (uint64_t)getpid();
		break;
	case FAULT:
		fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		m->word[5] = fresh[5]++;
		munmap((void *)fresh, 4096);
		break;
	}
	m->word[2] = m->word[3] * 3 + m->word[4];
	inside--;
	seen->ended[which]++;
}

/* ---- clients
 * -----------------------------------------------------------------------
 */

struct client {
	pthread_t thread;
	struct chain chain;
	uint64_t seed;
};

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static bool one(struct client *c, const struct view_caller *v)
{
	const uint64_t r = next(&c->seed), more = r % (unsigned)c->chain.n;
	const uint64_t what = r >> 8 & 15;
	struct view_msg m;
	int err;

	do {
		m = (struct view_msg){ .word = { 0, 0, 0, r >> 20, r % 997, 99,
						 r } };
		err = chain_call(&c->chain, v,
				 what < WAYS && what >= ADD ? what : ADD, more,
				 &m);
		seen->calls++;
		if (err == -EAGAIN)
			usleep(100);
	} while (err == -EAGAIN);
	if (!err && m.word[1] == more && m.word[6] == r &&
	    m.word[2] == (r >> 20) * 3 + r % 997 &&
	    (what != SYSCALL || m.word[5] == (uint64_t)c->chain.server[more]) &&
	    (what != FAULT || !m.word[5]))
		return true;
	if (seen->dies[which])
		for (;;)
			pause();
	note("%d more, %d: %d, %llx %llx %llx", (int)more, (int)what, err,
	     (long long)m.word[1], (long long)m.word[2], (long long)m.word[6]);
	return false;
}

static void *calls(void *arg)
{
	struct client *c = arg;
	struct view_caller v;

	view_attach(&v);
	if (!chain_prepare(&c->chain, &v)) {
		seen->wrong++;
		return NULL;
	}
	for (unsigned i = 0; i < n_calls && !seen->wrong; i++) {
		if (!one(c, &v))
			seen->wrong++;
		if (i % 64 == 0)
			run_on((int)(next(&c->seed) % (unsigned)cpus()));
	}
	close(c->chain.way.link);
	view_detach(&v);
	return NULL;
}

/* A process with threads that share a connection; each has its own lenders. */
static _Noreturn void client(const struct chain *chain, uint64_t seed)
{
	struct client clients[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		clients[i].chain = *chain;
		clients[i].seed = seed * 7919 + i * 104729 + 1;
		if (pthread_create(&clients[i].thread, NULL, calls,
				   &clients[i]))
			give_up("pthread_create");
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(clients[i].thread, NULL);
	_exit(0);
}

/* ---- chains
 * ------------------------------------------------------------------------
 */

static struct chain chains[MAX];
static pid_t clients[MAX];

static void begin(unsigned i, uint64_t seed)
{
	which = i;
	seen->begun[i] = seen->ended[i] = 0;
	seen->dies[i] = false;
	chain_up(&chains[i], 2 + (int)(i % 2), THREADS, does);
	clients[i] = fork();
	if (!clients[i])
		client(&chains[i], seed);
	close(chains[i].conn);
}

/* They live, and end what has begun there. */
static bool ends_well(unsigned i)
{
	const uint64_t limit = in_ms(10000);
	bool good = true;

	while (seen->begun[i] != seen->ended[i] && now() < limit)
		usleep(1000);
	if (seen->begun[i] != seen->ended[i]) {
		note("%llu begun, %llu ended",
		     (unsigned long long)seen->begun[i],
		     (unsigned long long)seen->ended[i]);
		good = false;
	}
	for (int k = 0; k < chains[i].n; k++) {
		if (waitpid(chains[i].server[k], NULL, WNOHANG)) {
			note("server %d has ended", k);
			good = false;
		} else {
			end_process(chains[i].server[k]);
		}
	}
	return good;
}

/* All at once, in the middle of whatever they do */
static void kill_all_of(unsigned i, uint64_t order)
{
	seen->dies[i] = true;
	for (int k = 0; k < chains[i].n; k++)
		kill(chains[i].server[((unsigned)k + order) %
				      (unsigned)chains[i].n],
		     SIGKILL);
	kill(clients[i], SIGKILL);
	waitpid(clients[i], NULL, 0);
	for (int k = 0; k < chains[i].n; k++)
		waitpid(chains[i].server[k], NULL, 0);
}

static unsigned kills(unsigned n, unsigned times)
{
	unsigned good = 0;

	for (unsigned i = 0; i < times; i++) {
		const unsigned c = (unsigned)(rnd() % n), before = seen->calls;

		/* After so many calls of anybody's */
		while (seen->calls < before + 100 + rnd() % 300 && !seen->wrong)
			usleep(500);
		if (rnd() & 1) {
			kill(clients[c], SIGKILL);
			waitpid(clients[c], NULL, 0);
			good += ends_well(c);
		} else {
			kill_all_of(c, rnd());
			good++;
		}
		begin(c, rnd());
	}
	return good;
}

int main(int argc, char **argv)
{
	const unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 3;
	const unsigned times = argc > 3 ? (unsigned)atoi(argv[3]) : 20;
	unsigned good;

	n_calls = argc > 2 ? (unsigned)atoi(argv[2]) : 1000;
	load("skyipc.ko", "views=required");
	view_map();
	rnd_begin(1);
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	for (unsigned i = 0; i < n; i++)
		begin(i, rnd());
	for (unsigned i = 0; i < n; i++) {
		good = !status_of(clients[i]) && ends_well(i);
		ok(good && !seen->wrong, "chain %u: %u threads, %u calls each",
		   i, THREADS, n_calls);
	}
	/* For as long as it takes */
	n_calls = -1u;
	for (unsigned i = 0; i < n; i++)
		begin(i, rnd());
	good = kills(n, times);
	ok(good == times && !seen->wrong, "%u times some are killed", times);
	if (good != times || seen->wrong)
		note("%u, %u wrong", good, seen->wrong);
	for (unsigned i = 0; i < n; i++)
		kill_all_of(i, i);
	ok(nobody_has_anything(), "nothing is left");
	munmap((void *)VIEW_AT, SKYIPC_DEV_VIEW_SIZE);
	ok(becomes("/sys/module/skyipc/refcnt", "0"), "nobody uses it");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
