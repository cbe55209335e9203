/* SPDX-License-Identifier: MIT */
/*
 * Handlers are recalled all the time, whatever they do just then: who waits for
 * another server goes on in its worker, and each call is made once, and is
 *right.
 *
 *	view_nest_recall CALLS
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"
#include "guest.h"
#include "kcall.h"
#include "rnd.h"

enum { CHAIN = 3, RECALL = CHAIN_OWN, SPIN, SPIN_AND_CALL };

/* Shared: of the first two servers, what another thread of theirs has heard */
static struct {
	_Atomic unsigned recalls, wrong;
	_Atomic int stop;
} * seen;

static void spin(uint64_t n)
{
	for (volatile unsigned i = 0; i < n; i++)
		;
}

/* Whoever recalls is interrupted, in the middle of that, too. */
static void interrupts(void)
{
	run_on(cpus() - 1);
	for (;;)
		usleep(120);
}

static void *recalls(void *arg)
{
	const int worker = *(int *)arg;

	free(arg);
	run_on(cpus() - 1);
	while (!seen->stop) {
		const int err = op(worker, SKYIPC_WORKER_RECALL, NULL);

		seen->recalls++;
		spin(rnd() % 500);
		if (err && err != -EAGAIN)
			seen->wrong++;
	}
	return NULL;
}

static void recall(void)
{
	int *worker = malloc(sizeof(*worker));
	pthread_t thread;

	*worker = view_worker;
	if (pthread_create(&thread, NULL, recalls, worker))
		_exit(1);
}

/* Not yet in its nested call for long */
static void spin_and_call(struct view_msg *m)
{
	struct view_msg n = *m;
	int err;

	spin(m->word[2]);
	n.word[0] = SPIN;
	n.word[1] = CHAIN - 2;
	err = view_nest_call(&chain_way, &n);
	m->word[0] = err ? (uint64_t)(int64_t)err : n.word[0];
	m->word[1] = n.word[1] + 1;
	m->word[3] = n.word[3];
}

static void does(uint64_t what, struct view_msg *m)
{
	switch (what) {
	case RECALL:
		recall();
		break;
	case SPIN:
		spin(m->word[2]);
		break;
	case SPIN_AND_CALL:
		spin_and_call(m);
		break;
	}
}

static struct view_caller caller;
static struct chain chain;

/* Each server's handler begins once for a call that is not refused. */
static unsigned good_calls(unsigned n)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		struct view_msg m;
		unsigned begun[CHAIN];
		int err;

		do {
			for (unsigned k = 0; k < CHAIN; k++)
				begun[k] = chain_begun[k];
			m = (struct view_msg){ .word = { 0, 0, i % 700, i } };
			err = i % 2 ? chain_call(&chain, &caller, SPIN,
						 CHAIN - 1, &m)
				    : chain_call(&chain, &caller, SPIN_AND_CALL,
						 0, &m);
		} while (err == -EAGAIN && !usleep(100));
		for (unsigned k = 0; k < CHAIN; k++)
			begun[k] = chain_begun[k] - begun[k];
		if (err || m.word[1] != CHAIN - 1 || m.word[3] != i ||
		    begun[0] != 1 || begun[1] != 1 || begun[2] != 1) {
			note("call %u: %d, %llu, %llu; %u %u %u", i, err,
			     (unsigned long long)m.word[1],
			     (unsigned long long)m.word[3], begun[0], begun[1],
			     begun[2]);
			break;
		}
		good++;
	}
	return good;
}

static void recalled(unsigned n)
{
	const struct chain_line before =
		chain_line(getpid(), chain.way.slot + CHAIN - 1);
	struct chain_line after;
	unsigned good;

	for (uint64_t more = 0; more < CHAIN - 1; more++) {
		struct view_msg m = { .word = { 0 } };

		while (chain_call(&chain, &caller, RECALL, more, &m) == -EAGAIN)
			usleep(100);
	}
	good = good_calls(n);
	after = chain_line(getpid(), chain.way.slot + CHAIN - 1);
	seen->stop = 1;
	ok(good == n, "%u calls whose handlers are recalled", n);
	ok(seen->recalls > n / 10 && after.moved > before.moved,
	   "%u times; %llu calls have moved for it", seen->recalls,
	   after.moved - before.moved);
	ok(!seen->wrong, "and none of that is an error");
	for (int i = 0; i < CHAIN; i++)
		ok(!waitpid(chain.server[i], NULL, WNOHANG), "server %d lives",
		   i);
	ok(chain_is_well(&chain, &caller), "and all is well then");
}

int main(int argc, char **argv)
{
	const unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 3000;
	pid_t pid;

	load("skyipc.ko", "views=required");
	view_map();
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	rnd_begin(1);
	chain_count();
	chain_up(&chain, CHAIN, 1, does);
	view_attach(&caller);
	if (!chain_prepare(&chain, &caller) || !chain_is_well(&chain, &caller))
		give_up("a chain");
	pid = fork();
	if (!pid)
		interrupts();
	run_on(0);
	recalled(n);
	end_process(pid);
	chain_down(&chain);
	view_detach(&caller);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
