/* SPDX-License-Identifier: MIT */
/*
 * Nested calls as nobody should make them, or reply to them: by servers that go
 *where they have not come from, with keys that are not theirs, and by clients
 *who know slots of theirs. Each is over with its own call, and the others are
 *as before.
 *
 *	view_nest_forged ROUNDS
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"
#include "guest.h"
#include "kcall.h"
#include "rnd.h"

enum {
	KEY = CHAIN_OWN, /* tells its link's key */
	HOME,		 /* goes home, whoever has called; word 2: r11 */
	REPLY,		 /* goes to slot word 2, with r11 word 3 */
	CALL,		 /* by VIEW_NEST: slot word 2, key word 3 */
	DROP, /* its words for nested calls are dropped all the time */
	COUNT,
};

enum { CHAIN = 3, SERVERS = CHAIN + 1 };

/* Shared by all */
static struct {
	_Atomic unsigned begun[SERVERS];
	_Atomic unsigned drops;
} * seen;

/* By a VMFUNC before a gate, in a view: it does not come back. */
static _Noreturn void to_gate(uint64_t at, uint64_t to, uint64_t from,
			      uint64_t key)
{
	register uint64_t r8 __asm__("r8") = to;
	register uint64_t r11 __asm__("r11") = key;

	__asm__ volatile("xor %%eax, %%eax; mov $1, %%ecx; xor %%esi, %%esi\n"
			 "jmp *%[at]\n"
			 :
			 : [at] "D"(at), "d"(from), "r"(r8), "r"(r11)
			 : "memory");
	__builtin_unreachable();
}

/* ---- the servers
 * -------------------------------------------------------------------
 */

static void *drops(void *page)
{
	for (;;) {
		if (madvise(page, 4096, MADV_DONTNEED))
			_exit(1);
		seen->drops++;
		/* Not each time: then nobody ever comes to call. */
		usleep(rnd() % 4000);
	}
	return NULL;
}

static void drop(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, drops, view_nest_words))
		_exit(1);
}

static void calls_by(struct view_msg *m)
{
	const struct view_way w = { .slot = (uint32_t)m->word[2],
				    .key = m->word[3],
				    .link = chain_way.link };
	struct view_msg n = { .word = { CHAIN_ECHO, 0, 100 } };
	int err = view_nest(&n, w.slot, w.key, view_nest_words);

	/* If it is its own server that it has called, it wants to know. */
	if (err == -EINPROGRESS)
		err = view_resume(&chain_way, &n);
	m->word[0] = 0;
	m->word[4] = (uint64_t)(int64_t)err;
}

static void does(uint64_t what, struct view_msg *m)
{
	seen->begun[chain_me]++;
	switch (what) {
	case KEY:
		m->word[2] = m->key;
		m->word[3] = view_slot_here();
		break;
	case HOME:
		if (view_slot_here())
			to_gate(VIEW_AT + GATE_RET_AT - 3, view_slot_here(), 0,
				m->word[2]);
		m->word[0] = 1;
		break;
	case REPLY:
		if (view_slot_here())
			to_gate(VIEW_AT + GATE_CALL_AT - 3, m->word[2],
				view_slot_here(), m->word[3]);
		m->word[0] = 1;
		break;
	case CALL:
		calls_by(m);
		break;
	case DROP:
		drop();
		break;
	}
}

/* ---- who calls
 * ---------------------------------------------------------------------
 */

static struct view_caller caller;
static struct chain chain;
/* A server that the client calls by itself */
static struct view_way aside;
static pid_t aside_pid;

/* What it has come to, so often */
static unsigned came_to[256];

/*
 * As chain_call(), of a client that asks for whatever it is told that has not
 * come to its end; and comes again while they are at the last one still.
 */
static int asks(uint64_t what, uint64_t more, struct view_msg *m)
{
	const struct view_msg was = *m;
	int err = -EAGAIN;

	for (unsigned i = 0; i < 1000 && err == -EAGAIN; i++) {
		if (i)
			usleep(100);
		*m = was;
		err = chain_call(&chain, &caller, what, more, m);
		if (err == -EPROTO)
			err = view_resume(&chain.way, m);
		if (!err)
			err = (int)(int32_t)m->word[0];
	}
	came_to[-err & 255]++;
	return err;
}

static void tell_what(void)
{
	for (int i = 0; i < 256; i++) {
		if (came_to[i])
			note("%u times %d", came_to[i], -i);
		came_to[i] = 0;
	}
}

static bool aside_is_well(void)
{
	struct view_msg m = { .word = { CHAIN_ECHO, 0, 100 } };
	int err;

	while ((err = view_call(&caller, &aside, &m)) == -EAGAIN)
		usleep(100);
	if (err)
		note("aside: %d", err);
	return !err;
}

static bool all_are_well(void)
{
	return aside_is_well() && chain_is_well(&chain, &caller);
}

/* The keys of all links, by their servers' own words; and which slots they are
 */
static uint64_t key[SERVERS];
static uint32_t slot[SERVERS];

static bool get_keys(void)
{
	for (unsigned i = 0; i < CHAIN; i++) {
		struct view_msg m;
		int err;

		/* At home it has no slot: not if that has moved. */
		for (unsigned n = 0; n < 100; n++) {
			m = (struct view_msg){ .word = { 0 } };
			err = chain_call(&chain, &caller, KEY, i, &m);
			if (!err && m.word[3])
				break;
			usleep(1000);
		}
		key[i] = m.word[2];
		slot[i] = (uint32_t)m.word[3];
		if (err || !key[i] || !slot[i])
			return false;
	}
	key[CHAIN] = aside.key;
	slot[CHAIN] = aside.slot;
	return key[0] == chain.way.key && slot[0] == chain.way.slot;
}

static void up(void)
{
	int conn;

	chain_up(&chain, 1, 1, does);
	aside_pid = chain.server[0];
	conn = chain.conn;
	chain_up(&chain, CHAIN, 1, does);
	/* Of the first one it is only its number that is another's, too. */
	if (view_way(&caller, new_link(conn, 0), &aside))
		give_up("a way in");
	close(conn);
	if (!chain_prepare(&chain, &caller))
		give_up("a chain");
	ok(all_are_well() && get_keys(), "a chain of %d, and one aside", CHAIN);
	for (unsigned i = 0; i < SERVERS; i++)
		note("slot %u", slot[i]);
}

static void down(void)
{
	close(aside.link);
	chain_down(&chain);
	end_process(aside_pid);
}

/* ---- servers that go where they have not come from
 * ---------------------------------
 */

/* r11 as somebody has it who guesses, and as each of them has it */
static uint64_t some_key(unsigned i)
{
	return i < SERVERS ? key[i] : i == SERVERS ? 0 : rnd();
}

enum { KEYS = SERVERS + 3 };

/* Straight home, in the place of who has called it */
static void goes_home(void)
{
	unsigned good = 0, tried = 0;

	for (uint64_t more = 1; more < CHAIN; more++)
		for (unsigned i = 0; i < KEYS; i++) {
			struct view_msg m = { .word = { 0, 0, some_key(i) } };
			int err;

			/* It tells its client's client what proves a reply. */
			if (i == 0)
				continue;
			err = asks(HOME, more, &m);
			tried++;
			if (err >= 0 || !all_are_well())
				note("%d, %u: %d", (int)more, i, err);
			else
				good++;
		}
	ok(good == tried, "servers that go home in another's place");
	tell_what();
}

/* To another's slot: in place of whoever it has called, or as a client */
static void goes_elsewhere(uint64_t more)
{
	unsigned good = 0, tried = 0;

	for (unsigned to = 0; to < SERVERS + 3; to++)
		for (unsigned i = 0; i < KEYS; i++) {
			const uint64_t slots[] = { slot[0], slot[1], slot[2],
						   slot[3], 0,	     1,
						   511 };
			struct view_msg m = { .word = { 0, 0, slots[to],
							some_key(i) } };
			int err;

			/* With the key of its own is a call, or the reply. */
			if (to < SERVERS && i == to)
				continue;
			if (more && i == more && to == more - 1)
				continue;
			/* As one that has been called, by its client's word */
			if (to < CHAIN - 1 && i == to + 1)
				continue;
			err = asks(REPLY, more, &m);
			tried++;
			if (err >= 0 || !all_are_well())
				note("from %d to %u, key %u: %d", (int)more, to,
				     i, err);
			else
				good++;
		}
	ok(good == tried, "server %d goes to slots of others, %u times",
	   (int)more, tried);
	tell_what();
}

/* ---- handlers that call what they should not
 * ---------------------------------------
 */

static void calls_what(void)
{
	unsigned good = 0, tried = 0;

	for (unsigned to = 0; to < SERVERS + 4; to++)
		for (unsigned i = 0; i < KEYS; i++) {
			const uint64_t slots[] = { slot[0], slot[1], slot[2],
						   slot[3], 0,	     1,
						   511,	    0x10002 };
			struct view_msg m = { .word = { 0, 0, slots[to],
							some_key(i) } };
			int err;

			/* Begins anew on its own stack: it has called itself.
			 */
			if (!to && !i)
				continue;
			err = asks(CALL, 0, &m);
			came_to[-(int)m.word[4] & 255] += 1000;
			tried++;
			if (!all_are_well())
				note("to %u, key %u: %d, %d", to, i, err,
				     (int)m.word[4]);
			else
				good++;
		}
	ok(good == tried, "a handler calls %u slots with keys of all kinds",
	   tried);
	tell_what();
}

/* ---- clients who know their slots
 * --------------------------------------------------
 */

static void client_enters(void)
{
	unsigned good = 0, tried = 0;

	for (unsigned to = 0; to < SERVERS; to++)
		for (unsigned i = 0; i < KEYS; i++) {
			struct view_msg m = { .word = { CHAIN_ECHO, 0, 1 } };
			unsigned begun[SERVERS];
			int err;

			/* That is what they are for. */
			if (i == to)
				continue;
			for (unsigned n = 0; n < SERVERS; n++)
				begun[n] = seen->begun[n];
			err = view_enter(&m, slot[to], some_key(i),
					 caller.page);
			tried++;
			for (unsigned n = 0; n < SERVERS; n++)
				if (begun[n] != seen->begun[n])
					err = 1;
			if (err != -EPROTO || !all_are_well())
				note("to %u, key %u: %d", to, i, err);
			else
				good++;
		}
	ok(good == tried, "a client goes to %u slots with keys of others",
	   tried);
	good = 0;
	/* With the right one: on behalf of a handler that has not called */
	for (unsigned to = 1; to < CHAIN; to++) {
		struct view_msg m = { .word = { KEY, 0, 1 } };
		const int err = view_enter(&m, slot[to], key[to], caller.page);

		if (err != -EPROTO || !all_are_well())
			note("to %u: %d", to, err);
		else
			good++;
	}
	ok(good == CHAIN - 1, "and to those that it does not call");
	note("it may be asked for: %d",
	     view_resume(&chain.way, &(struct view_msg){ 0 }));
	ok(all_are_well(), "which does no harm");
}

/* ---- what is lent for them goes
 * ----------------------------------------------------
 */

static void dropped(unsigned rounds)
{
	struct chain_line a, b;
	unsigned good = 0;
	int err = 0;

	for (uint64_t i = 0; i < CHAIN - 1; i++)
		if (asks(DROP, i, &(struct view_msg){ 0 }))
			give_up("DROP");
	a = chain_line(getpid(), slot[0]);
	for (unsigned i = 0; i < rounds; i++) {
		struct view_msg m = { .word = { 0, 0, i } };

		while ((err = chain_call(&chain, &caller, CHAIN_ECHO, CHAIN - 1,
					 &m)) == -EAGAIN)
			usleep(100);
		good += !err && m.word[1] == CHAIN - 1 &&
			m.word[2] == i + CHAIN - 1;
	}
	b = chain_line(getpid(), slot[0]);
	ok(good == rounds && b.faults > a.faults && seen->drops,
	   "%u calls whose words are dropped", rounds);
	note("%u: %llu faults, %u times; %d", good, b.faults - a.faults,
	     seen->drops, err);
}

int main(int argc, char **argv)
{
	const unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 300;

	load("skyipc.ko", "views=required");
	view_map();
	rnd_begin(1);
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	view_attach(&caller);
	up();
	client_enters();
	goes_home();
	for (uint64_t more = 0; more < CHAIN; more++)
		goes_elsewhere(more);
	calls_what();
	dropped(rounds);
	for (int i = 0; i < CHAIN; i++)
		ok(!waitpid(chain.server[i], NULL, WNOHANG), "server %d lives",
		   i);
	down();
	view_detach(&caller);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
