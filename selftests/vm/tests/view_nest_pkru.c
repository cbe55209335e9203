/* SPDX-License-Identifier: MIT */
/*
 * Nested calls and protection keys: each handler has its own server's PKRU, and
 * who has called finds what it had, whatever those do that it has called.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>

#include "chain.h"
#include "guest.h"
#include "kcall.h"
#include "keys.h"

enum { CALLS = 2000, SERVERS = 3 };

/*
 * By any of them: it finds its own, sets the word of its number, asks the
 * next one, and finds what it has set. Word 5: how many have found both; word
 * 6: whether one was in its worker
 */
enum { ASK = CHAIN_OWN };

/* A server's own, that it has when it lends itself */
static uint32_t own(void)
{
	return 0x55555550u & ~(3u << (4 + 2 * chain_me));
}

static void has_its_own(void)
{
	wrpkru(own());
}

static void ask(uint64_t what, struct view_msg *m)
{
	const uint32_t set = (uint32_t)m->word[2 + chain_me];
	unsigned right = rdpkru() == own();

	wrpkru(set);
	if (chain_next >= 0) {
		struct view_msg n = *m;
		int err;

		n.word[0] = what;
		err = view_nest_call(&chain_way, &n);
		if (err)
			n.word[0] = (uint64_t)(int64_t)err;
		memcpy(m->word, n.word, sizeof(m->word));
	}
	right += rdpkru() == set;
	m->word[5] += right == 2;
	m->word[6] |= !view_slot_here();
}

static atomic_uint alarms_seen;

/* @n, or more till there have been @alarms: how many were not right? */
static unsigned calls(const struct chain *c, const struct view_caller *v,
		      unsigned n, unsigned alarms, unsigned *moved)
{
	unsigned bad = 0;

	*moved = 0;
	for (unsigned i = 0; i < n || atomic_load(&alarms_seen) < alarms; i++) {
		const uint32_t mine = any_pkru();
		struct view_msg m;
		bool right;
		int err;

		wrpkru(mine);
		do {
			m = (struct view_msg){ .word = { 0, 0, any_pkru(),
							 any_pkru(),
							 any_pkru() } };
			err = chain_call(c, v, ASK, 0, &m);
			/* Some worker may be at the end of the last one still.
			 */
		} while (err == -EAGAIN);
		right = !err && rdpkru() == mine;
		wrpkru(0);
		/* Who is in his worker has what Linux keeps: view_pkru.c */
		if (m.word[6])
			++*moved;
		else
			right = right && m.word[5] == SERVERS;
		if (!right && !bad++)
			note("%d, %llu of %d", err,
			     (unsigned long long)m.word[5], SERVERS);
	}
	return bad;
}

static void on_alarm(int signal)
{
	(void)signal;
	atomic_fetch_add(&alarms_seen, 1);
}

static void alarms(bool on)
{
	struct itimerval each = { { 0, 0 }, { 0, 0 } };

	signal(SIGALRM, on_alarm);
	if (on)
		each.it_interval.tv_usec = each.it_value.tv_usec = 2000;
	setitimer(ITIMER_REAL, &each, NULL);
}

int main(void)
{
	struct view_caller caller;
	unsigned moved, bad;
	struct chain c;

	run_on(0);
	keys_on();
	load("skyipc.ko", "views=required");
	if (!keys_here()) {
		ok(true, "no protection keys # SKIP this CPU has none");
		return done();
	}
	view_map();
	view_before_serving = has_its_own;
	chain_up(&c, SERVERS, 1, ask);
	view_attach(&caller);
	wrpkru(0);
	ok(chain_prepare(&c, &caller), "a chain of %d", SERVERS);
	bad = calls(&c, &caller, CALLS, 0, &moved);
	ok(!bad && moved < CALLS / 2, "each has its own: %u wrong, %u moved",
	   bad, moved);
	alarms(true);
	bad = calls(&c, &caller, CALLS, 20, &moved);
	alarms(false);
	ok(!bad && moved < CALLS / 2,
	   "and when they are interrupted, %u times: %u wrong, %u moved",
	   atomic_load(&alarms_seen), bad, moved);
	chain_down(&c);
	view_detach(&caller);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
