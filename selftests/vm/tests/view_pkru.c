/* SPDX-License-Identifier: MIT */
/*
 * Protection keys: PKRU is a thread's, of its own address space. A handler has
 * its server's, whatever its client's is; a client has its own back, whatever
 * the handler has done to it; and what a handler has set stays through
 * interrupts, and when its call moves.
 */
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "keys.h"
#include "view.h"
#include "view_spy.h"

#define SERVERS 0x55555550u
#define ALL_CLOSED 0x55555555u

enum { LOOK, SET, HOLD, MOVE };

/* Does Linux know of them? */
static bool kept;

/* word[0]: what to do; word[1]: with; it tells what it has found before and
 * after
 */
static void handler(struct view_msg *m)
{
	const uint32_t before = rdpkru();
	const uint64_t what = m->word[0];

	if (what != LOOK)
		wrpkru((uint32_t)m->word[1]);
	if (what == HOLD)
		for (uint64_t i = m->word[2]; i; i--)
			__asm__ volatile("");
	if (what == MOVE)
		m->word[3] = (uint64_t)syscall(SYS_getpid);
	m->word[2] = rdpkru();
	m->word[1] = before;
	m->word[4] = view_slot_here();
}

static void has_servers(void)
{
	wrpkru(SERVERS);
}

/* ---- signals ----------------------------------------------------------------
 */

static atomic_uint in_call, hits, wrong;
static unsigned pkru_at;

/* What Linux has found in PKRU when the signal came */
static uint32_t interrupted_pkru(const ucontext_t *u)
{
	const uint8_t *area = (const uint8_t *)u->uc_mcontext.fpregs;
	uint64_t present;
	uint32_t value = 0;

	/* The header: which components are there; else it is initial. */
	memcpy(&present, area + 512, sizeof(present));
	if (present & 1 << 9)
		memcpy(&value, area + pkru_at, sizeof(value));
	return value;
}

static void on_alarm(int signal, siginfo_t *info, void *context)
{
	const uint32_t now = rdpkru();

	(void)signal;
	(void)info;
	if (!atomic_load(&in_call))
		return;
	atomic_fetch_add(&hits, 1);
	if ((kept ? interrupted_pkru(context) : now) != atomic_load(&in_call))
		atomic_fetch_add(&wrong, 1);
}

static void alarms(bool on)
{
	struct sigaction sa = { .sa_sigaction = on_alarm,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval each = { { 0, 0 }, { 0, 0 } };
	unsigned size, b = 0, c, d;

	__get_cpuid_count(13, 9, &size, &b, &c, &d);
	pkru_at = b;
	if (on)
		each.it_interval.tv_usec = each.it_value.tv_usec = 5000;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &each, NULL);
}

/* ---- */

struct seen {
	int err;
	uint32_t before, after, mine;
	bool moved;
};

static struct seen call_with(const struct view_caller *c,
			     const struct view_way *w, uint32_t mine,
			     uint64_t what, uint32_t set, uint64_t rounds)
{
	struct view_msg m = { .word = { what, set, rounds } };
	struct seen s;

	wrpkru(mine);
	s.err = view_call(c, w, &m);
	s.mine = rdpkru();
	wrpkru(0);
	s.before = (uint32_t)m.word[1];
	s.after = (uint32_t)m.word[2];
	s.moved = !m.word[4];
	return s;
}

static void usual(const struct view_caller *c, const struct view_way *w)
{
	unsigned n = 0, bad = 0;
	struct seen s;

	for (unsigned i = 0; i < 2000; i++) {
		const uint32_t mine = i ? any_pkru() : ALL_CLOSED & ~3u;

		s = call_with(c, w, mine, LOOK, 0, 0);
		bad += s.err || s.before != SERVERS || s.mine != mine;
	}
	ok(!bad, "a handler has its server's, its client its own");
	note("%u; %d, %#x, %#x", bad, s.err, s.before, s.mine);
	bad = 0;
	for (unsigned i = 0; i < 2000; i++) {
		const uint32_t mine = any_pkru(), set = any_pkru();

		s = call_with(c, w, mine, SET, set, 0);
		bad += s.err || s.before != SERVERS || s.after != set ||
		       s.mine != mine;
	}
	ok(!bad, "whatever the handler has set");
	note("%u; %d, %#x, %#x, %#x", bad, s.err, s.before, s.after, s.mine);
	bad = 0;
	for (unsigned i = 0; kept && i < 100; i++) {
		const uint32_t mine = any_pkru(), set = any_pkru();

		s = call_with(c, w, mine, MOVE, set, 0);
		bad += s.err || s.before != SERVERS || s.after != set ||
		       s.mine != mine;
		n += s.moved;
	}
	ok(!bad && n == (kept ? 100 : 0), "it stays when a call moves%s",
	   kept ? "" : " # SKIP Linux keeps none");
	note("%u, %u moved; %d, %#x, %#x, %#x", bad, n, s.err, s.before,
	     s.after, s.mine);
}

static void interrupted(const struct view_caller *c, const struct view_way *w)
{
	unsigned bad = 0;
	uint32_t now = 0;
	int err = 0;

	alarms(true);
	for (unsigned i = 0; i < 20; i++) {
		const uint32_t mine = any_pkru() | 4, set = any_pkru();
		struct view_msg m = { .word = { HOLD, set, 500000 } };

		wrpkru(mine);
		atomic_store(&in_call, mine);
		err = view_call(c, w, &m);
		now = rdpkru();
		atomic_store(&in_call, 0);
		wrpkru(0);
		bad += err || (uint32_t)m.word[2] != set || now != mine;
	}
	alarms(false);
	ok(!bad && atomic_load(&hits), "and when it is interrupted");
	note("%u; %d, %#x; %u signals", bad, err, now, atomic_load(&hits));
	ok(!atomic_load(&wrong), "of which Linux sees its client's");
	note("%u", atomic_load(&wrong));
}

/* ---- hostile ----------------------------------------------------------------
 */

static void spied(const struct view_caller *c)
{
	struct spy_found *found = spy_begin();
	struct view_msg m = { .word = { 1 } };
	struct view_way way;
	unsigned bad = 0;
	pid_t server;
	int conn, err = 0;

	view_before_serving = spy_becomes;
	server = view_server(handler, 1, &conn);
	if (view_way(c, new_link(conn, 0), &way))
		give_up("a way in");
	found->sets_pkru = 1;
	for (unsigned i = 0; i < 500; i++) {
		const uint32_t mine = any_pkru();

		found->pkru = any_pkru();
		wrpkru(mine);
		err = view_enter(&m, way.slot, way.key, c->page);
		bad += rdpkru() != mine || err;
		wrpkru(0);
	}
	ok(!bad && found->calls >= 500,
	   "a server that leaves another one does not reach its client's");
	note("%u, %d, %llu", bad, err, (unsigned long long)found->calls);
	bad = 0;
	for (unsigned i = 0; i < 500; i++) {
		const uint32_t mine = any_pkru();

		found->pkru = any_pkru() | 1;
		wrpkru(mine);
		err = view_enter(&m, way.slot, way.key, c->page);
		bad += rdpkru() != mine || err != -EPROTO;
		wrpkru(0);
	}
	ok(!bad, "nor one that closes what the gate needs: a failed call");
	note("%u, %d", bad, err);
	end_process(server);
}

int main(void)
{
	struct view_caller caller;
	struct view_way way;
	pid_t server;
	int conn;

	run_on(0);
	keys_on();
	kept = pkey_alloc(0, 0) > 0;
	load("skyipc.ko", "views=required");
	if (!keys_here()) {
		ok(true, "no protection keys # SKIP this CPU has none");
		return done();
	}
	view_map();
	view_before_serving = has_servers;
	server = view_server(handler, 1, &conn);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	wrpkru(0);
	usual(&caller, &way);
	interrupted(&caller, &way);
	end_process(server);
	spied(&caller);
	return done();
}
