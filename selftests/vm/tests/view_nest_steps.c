/* SPDX-License-Identifier: MIT */
/*
 * Nested calls that a signal interrupts, at each instruction on their way:
 *whatever its handler does, the call goes on, in its view or in workers, and
 *each server's handler begins once for it.
 *
 *	view_nest_steps CALLS
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "chain.h"
#include "guest.h"
#include "kcall.h"
#include "rnd.h"

#define TRACING "/sys/kernel/tracing/"

enum { CHAIN = 3, SPIN = CHAIN_OWN };

static struct view_caller caller;
static struct chain chain;
/* A server that the client calls by itself */
static struct chain aside;

static void does(uint64_t what, struct view_msg *m)
{
	if (what == SPIN)
		for (volatile unsigned i = 0; i < m->word[2]; i++)
			;
}

/* ---- what a signal's handler does
 * --------------------------------------------------
 */

static sigjmp_buf out;
static void (*in_signal)(void);
static volatile unsigned parked;
static bool wrong;

/* It goes back, and the call with it. */
static void nothing(void)
{
}

static void late(void)
{
	usleep(12000);
}

/* Whatever was on its way is asked for. */
static void jump_out(void)
{
	siglongjmp(out, 1);
}

static void call_aside(void)
{
	struct view_msg m = { .word = { 0 } };
	const int err = chain_call(&aside, &caller, CHAIN_ECHO, 0, &m);

	/* (-EAGAIN: it cannot be loaded now.) */
	wrong |= err && err != -EAGAIN;
}

/* Another one, that has to come to its end before that */
static void call_again(void)
{
	struct view_msg m = { .word = { 0 } };
	const int err =
		view_enter(&m, chain.way.slot, chain.way.key, caller.page);

	wrong |= err != -EAGAIN;
}

static void move(void)
{
	static int cpu;

	run_on(cpu = (cpu + 1) % cpus());
}

/*
 * After how many ns it rings: at random, of what has been good for something in
 * calls like these before
 */
static struct span {
	unsigned from, to;
} span = { 5000, 135000 }, hit = { -1, 0 };
static unsigned rings_after;

static void has_hit(void)
{
	if (rings_after < hit.from)
		hit.from = rings_after;
	if (rings_after > hit.to)
		hit.to = rings_after;
}

static void close_it(void)
{
	close(chain.way.link);
	chain.way.link = -1;
}

static void signalled(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;

	(void)signal;
	(void)info;
	if (u->uc_mcontext.gregs[REG_RIP] != VIEW_AT + VIEW_RESUME)
		return;
	parked++;
	has_hit();
	in_signal();
}

/* ---- calls
 * -------------------------------------------------------------------------
 */

static timer_t timer;
static void soon(void)
{
	struct itimerspec at = { .it_value = { 0, 0 } };
	/* Interrupts come between so many instructions of an emulator's. */
	unsigned long some = 1 + rnd() % 64;

	rings_after = span.from + (unsigned)(rnd() % (span.to - span.from));
	at.it_value.tv_nsec = rings_after;
	timer_settime(timer, 0, &at, NULL);
	__asm__ volatile("1: loop 1b" : "+c"(some));
}

static void narrow(void)
{
	if (hit.from < hit.to)
		span = (struct span){ hit.from - 1000, hit.to + 1000 };
	note("rings after %u to %u ns", span.from, span.to);
}

static void never(void)
{
	const struct itimerspec at = { { 0, 0 }, { 0, 0 } };

	timer_settime(timer, 0, &at, NULL);
}

static int one_call(struct view_msg *m)
{
	volatile int asked = 0;
	int err;

	m->word[0] = CHAIN_ECHO;
	m->word[1] = CHAIN - 1;
	if (sigsetjmp(out, 1))
		asked = 1;
	soon();
	err = asked ? view_resume(&chain.way, m)
		    : view_call(&caller, &chain.way, m);
	never();
	return err ? err : (int)(int32_t)m->word[0];
}

/* So often: right, and each of them has begun once. */
static unsigned good_calls(unsigned n)
{
	unsigned good = 0, again = 0;

	for (unsigned i = 0; i < n; i++) {
		struct view_msg m = { .word = { 0, 0, i, 3, 4, 5, i } };
		unsigned begun[CHAIN];
		int err;

		for (unsigned k = 0; k < CHAIN; k++)
			begun[k] = chain_begun[k];
		err = one_call(&m);
		for (unsigned k = 0; k < CHAIN; k++)
			begun[k] = chain_begun[k] - begun[k];
		/* One that has not been called, or has called nobody */
		if (err == -EAGAIN) {
			if (begun[0] > 1 || begun[2] > 0 || begun[1] > begun[0])
				break;
			/* Whoever comes back looks again. */
			usleep(100);
			i--;
			if (again++ == 100 * n)
				break;
			continue;
		}
		if (err || m.word[1] != CHAIN - 1 ||
		    m.word[2] != i + CHAIN - 1 || m.word[3] != 3 ||
		    m.word[6] != i || begun[0] != 1 || begun[1] != 1 ||
		    begun[2] != 1) {
			note("call %u: %d, %llu %llu %llu; begun %u %u %u", i,
			     err, (unsigned long long)m.word[1],
			     (unsigned long long)m.word[2],
			     (unsigned long long)m.word[6], begun[0], begun[1],
			     begun[2]);
			break;
		}
		good++;
	}
	return good;
}

static void interrupted(void (*fn)(void), unsigned n, const char *what)
{
	unsigned good;

	in_signal = fn;
	parked = 0;
	wrong = false;
	good = good_calls(n);
	run_on(0);
	ok(good == n && !wrong, "%u calls: %s", n, what);
	ok(parked > n / 8, "%u of them are parked then", parked);
	if (good != n)
		note("%u", good);
	ok(chain_is_well(&chain, &caller) && chain_is_well(&aside, &caller),
	   "and all is well");
}

/* What was on its way is nobody's then, and comes to its end. */
static void closed(unsigned n)
{
	unsigned good = 0, closed = 0;

	in_signal = close_it;
	for (unsigned i = 0; i < n; i++) {
		struct view_msg m = { .word = { 0, 0, i } };
		unsigned begun[CHAIN], twice = 0;
		int err;

		for (unsigned k = 0; k < CHAIN; k++)
			begun[k] = chain_begun[k];
		err = one_call(&m);
		for (unsigned k = 0; k < CHAIN; k++)
			twice += chain_begun[k] - begun[k] > 1;
		if (chain.way.link >= 0) {
			good += (!err || err == -EAGAIN) && !twice;
			continue;
		}
		closed++;
		if (err != -EBADF || twice || !chain_prepare(&chain, &caller) ||
		    !chain_is_well(&chain, &caller)) {
			note("call %u: %d, %u", i, err, twice);
			break;
		}
		good++;
	}
	ok(good == n && closed > n / 8,
	   "%u calls: their link is closed, %u times", n, closed);
}

/* ---- where
 * -------------------------------------------------------------------------
 */

/* Parked at @at of the trampoline, in the view of @slot */
static unsigned hits[CHAIN + 2][4096], in_handlers;

static void count_hits(void)
{
	char *text = read_file(TRACING "trace");

	for (const char *at = text; (at = strstr(at, "skyipc_view_park:"));
	     at++) {
		unsigned long long ip;
		unsigned slot;

		if (sscanf(at,
			   "skyipc_view_park: thread=%*d slot=%u server=%*d "
			   "cause=interrupt ip=%llx",
			   &slot, &ip) != 2)
			continue;
		if (ip - VIEW_AT >= 4096)
			in_handlers++;
		else if (slot < CHAIN + 2)
			hits[slot][ip - VIEW_AT]++;
	}
	free(text);
	/* Opened so, it is empty again: nothing is counted twice. */
	close(open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
}

/* How many of the instructions there: in whatever view */
static unsigned between(unsigned from, unsigned to)
{
	unsigned n = 0;

	for (unsigned i = from; i < to; i++) {
		unsigned here = 0;

		for (unsigned slot = 0; slot < CHAIN + 2; slot++)
			here += hits[slot][i];
		n += here > 0;
	}
	return n;
}

/* Instructions of tramp.S, without protection keys; with, there are more. */
enum { CALL_INSNS = 13, RETURN_INSNS = 9, BACK_INSNS = 17 };

static bool everywhere(unsigned *calling, unsigned *returning, unsigned *back)
{
	*calling = between(VIEW_NEST, VIEW_NEST_RETURN);
	*returning = between(VIEW_NEST_RETURN, VIEW_NEST_BACK);
	*back = between(VIEW_NEST_BACK, VIEW_NEST_END);
	return *calling >= CALL_INSNS && *returning >= RETURN_INSNS &&
	       *back >= BACK_INSNS && in_handlers > 50;
}

/*
 * A timer hits where it likes: calls go on until it has hit everywhere. What is
 * never hit is not there, or not where it should be.
 */
static void where(unsigned n)
{
	unsigned calling, returning, back, more = 0;

	count_hits();
	in_signal = nothing;
	while (!everywhere(&calling, &returning, &back) && more < 20 * n) {
		write_file(TRACING "events/skyipc/skyipc_view_park/enable",
			   "1");
		if (good_calls(n / 6) != n / 6)
			break;
		write_file(TRACING "events/skyipc/skyipc_view_park/enable",
			   "0");
		count_hits();
		more += n / 6;
	}
	note("%u more calls to hit all", more);
	ok(calling >= CALL_INSNS, "at %u of the instructions that call",
	   calling);
	ok(returning >= RETURN_INSNS, "at %u that reply", returning);
	ok(back >= BACK_INSNS, "at %u where it comes back", back);
	ok(in_handlers > 50, "and %u times in handlers", in_handlers);
}

int main(int argc, char **argv)
{
	const unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 6000;
	struct sigaction action = { .sa_sigaction = signalled,
				    .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGALRM };

	load("skyipc.ko", "views=required");
	view_map();
	rnd_begin(1);
	/* Before that: it is another one. */
	chain_up(&aside, 1, 1, does);
	chain_count();
	chain_up(&chain, CHAIN, 1, does);
	view_attach(&caller);
	if (!chain_prepare(&chain, &caller) || !chain_prepare(&aside, &caller))
		give_up("a chain");
	run_on(0);
	sigaction(SIGALRM, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer))
		give_up("timer_create");
	ok(chain_is_well(&chain, &caller), "a chain of %d", CHAIN);
	in_signal = nothing;
	good_calls(500);
	narrow();
	write_file(TRACING "events/skyipc/skyipc_view_park/enable", "1");
	interrupted(nothing, n, "it goes on");
	write_file(TRACING "events/skyipc/skyipc_view_park/enable", "0");
	where(n);
	interrupted(jump_out, n / 3, "somebody asks for it instead");
	interrupted(call_aside, n / 3, "another server is called meanwhile");
	interrupted(call_again, n / 3, "it is called itself");
	interrupted(move, n / 6, "it goes on elsewhere");
	interrupted(late, n / 12, "it is late");
	closed(n / 12);
	chain_down(&chain);
	chain_down(&aside);
	view_detach(&caller);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
