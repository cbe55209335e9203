/* SPDX-License-Identifier: MIT */
/*
 * Handlers that call other servers by VMFUNC, from the view where they run:
 *what comes back, what that takes, and what crosses with it although nobody
 *passes it.
 *
 *	view_nest CALLS
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

#include "chain.h"
#include "fx.h"
#include "guest.h"
#include "kcall.h"
#include "keys.h"

/* By the last one; ASK: by the first one */
enum { LOOK = CHAIN_OWN, LEAVE, SYSCALL, FAULT, ASK };

enum { FRESH = 64 };
#define GS 0x123456780

static volatile uint8_t *fresh;

static uint64_t base_of(char which)
{
	uint64_t base;

	if (which == 'f')
		__asm__ volatile("rdfsbase %0" : "=r"(base));
	else
		__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static uint64_t flags_here(void)
{
	uint64_t flags;

	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	return flags;
}

/* How many of the pattern's registers, and whose bases, are there? */
static void look(const struct fx *here, uint64_t flags, uint64_t *word)
{
	word[0] += fx_found(here) + !!(flags & FX_FLAGS);
	word[1] += base_of('f') != (uintptr_t)__builtin_thread_pointer();
	word[2] += base_of('g') != 0;
}

/* Everything of its own is in use, and calls: what do the two of them find? */
static void ask(struct view_msg *m, uint64_t what)
{
	const uint64_t fs = base_of('f');
	struct view_msg n = { .word = { what } };
	struct fx here;
	uint64_t flags;
	int err;

	memset(m->word, 0, sizeof(m->word));
	__asm__ volatile("fxrstor64 %0" : : "m"(fx_pattern));
	__asm__ volatile("wrgsbase %0" : : "r"((uint64_t)GS));
	/* AC, ID; a C function is not called with DF. */
	__asm__ volatile("pushf; orq $0x240000, (%%rsp); popf"
			 :
			 :
			 : "memory", "cc");
	err = view_nest(&n, chain_way.slot, chain_way.key, view_nest_words);
	flags = flags_here();
	__asm__ volatile("fxsave64 %0" : "=m"(here));
	/* Both go on in their workers, and that is another test's. */
	if (err == -EINPROGRESS)
		(void)view_resume(&chain_way, &n);
	m->word[0] = (uint64_t)(int64_t)err;
	/* Of the other one, */
	for (unsigned i = 2; i < 5; i++)
		m->word[i] = n.word[i];
	/* and its own: bases are as it lent them. */
	look(&here, flags, &m->word[2]);
	m->word[5] = base_of('f') != fs;
	m->word[6] = view_nest_words[0];
}

static void does(uint64_t what, struct view_msg *m)
{
	static struct fx here;
	uint64_t flags;

	__asm__ volatile("fxsave64 %0" : "=m"(here));
	flags = flags_here();
	switch (what) {
	case LOOK:
		look(&here, flags, &m->word[2]);
		break;
	case LEAVE:
		memset(m->word, 0, sizeof(m->word));
		__asm__ volatile("fxrstor64 %0" : : "m"(fx_pattern));
		__asm__ volatile("wrgsbase %0" : : "r"((uint64_t)GS));
		__asm__ volatile("pushf; orq $0x240400, (%%rsp); popf"
				 :
				 :
				 : "memory", "cc");
		return;
	case SYSCALL:
		m->word[2] = (uint64_t)getpid();
		break;
	case FAULT:
		m->word[2] = ++fresh[4096 * m->word[3]];
		break;
	case ASK:
		ask(m, m->word[2]);
		break;
	}
}

static void calls(const struct chain *c, const struct view_caller *v,
		  unsigned n)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		const uint64_t more = i % (unsigned)c->n;
		struct view_msg m = { .word = { 0, 0, i, 3, 4, 5, i } };
		int err = chain_call(c, v, CHAIN_ECHO, more, &m);

		good += !err && m.word[1] == more && m.word[2] == i + more &&
			m.word[3] == 3 && m.word[4] == 4 && m.word[5] == 5 &&
			m.word[6] == i;
	}
	ok(good == n, "%u calls through chains of 1 to %d", n, c->n);
	if (good != n)
		note("%u", good);
}

/* Nothing leaves the guest, or enters the kernel, but for interrupts. */
static void steady(const struct chain *c, const struct view_caller *v,
		   unsigned n)
{
	struct chain_line a[CHAIN_MAX], b[CHAIN_MAX];
	unsigned long long before, after, resumed = 0, other = 0, by = 0;
	unsigned i, good = 0;
	char *text;

	for (i = 0; i < (unsigned)c->n; i++)
		a[i] = chain_line(getpid(), c->way.slot + i);
	text = exits_text();
	before = exits_but_cpuid();
	for (i = 0; i < n; i++) {
		struct view_msg m = { .word = { 0 } };

		good += !chain_call(c, v, CHAIN_ECHO, (uint64_t)c->n - 1, &m);
	}
	after = exits_but_cpuid();
	for (i = 0; i < (unsigned)c->n; i++) {
		b[i] = chain_line(getpid(), c->way.slot + i);
		resumed += b[i].resumed - a[i].resumed;
		by += b[i].interrupts - a[i].interrupts;
		other += b[i].faults - a[i].faults + b[i].syscalls -
			 a[i].syscalls + b[i].moved - a[i].moved;
	}
	ok(good == n && after - before == resumed,
	   "%u calls through all: no exit but %llu to resume", n, resumed);
	ok(!other, "nor an entry into the kernel but %llu interrupts", by);
	note("%llu exits, %llu others, %u good", after - before, other, good);
	if (after - before != resumed)
		note_exits_since(text);
	free(text);
}

/* In Bochs the TSC counts instructions. */
static uint64_t best(const struct chain *c, const struct view_caller *v,
		     uint64_t more)
{
	uint64_t least = UINT64_MAX, t;

	for (unsigned i = 0; i < 1000; i++) {
		struct view_msg m = { .word = { 0 } };

		t = __rdtsc();
		if (chain_call(c, v, CHAIN_ECHO, more, &m))
			return UINT64_MAX;
		t = __rdtsc() - t;
		least = t < least ? t : least;
	}
	return least;
}

static void cost(const struct chain *c, const struct view_caller *v)
{
	/* With protection keys, who has called has its own back. */
	const unsigned most = keys_here() ? 235 : 220;
	uint64_t last = best(c, v, 0), now;

	for (unsigned i = 1; i < (unsigned)c->n; i++) {
		now = best(c, v, i);
		/* A call's, and the handler's between them */
		ok(now - last <= most, "%llu instructions more (%u at most)",
		   (unsigned long long)(now - last), most);
		last = now;
	}
}

/* Both: what a side finds is summed up on the way. */
static void finds_nothing(const struct chain *c, const struct view_caller *v,
			  uint64_t what, const char *name)
{
	struct view_msg m;
	int err;

	/* What has to be mapped is by then. */
	for (unsigned i = 0; i < 20; i++) {
		m = (struct view_msg){ .word = { 0, 0, what } };
		err = chain_call(c, v, ASK, 0, &m);
		if (!err)
			break;
		usleep(1000);
	}
	ok(!err && !m.word[2] && !m.word[3] && !m.word[4] && !m.word[5] &&
		   !m.word[6],
	   "%s", name);
	note("%d; %llx %llx %llx %llx %llx", err, (unsigned long long)m.word[2],
	     (unsigned long long)m.word[3], (unsigned long long)m.word[4],
	     (unsigned long long)m.word[5], (unsigned long long)m.word[6]);
}

/* Whoever needs the kernel has it as itself, and all go on in their workers. */
static void moves(const struct chain *c, const struct view_caller *v)
{
	unsigned good = 0;
	int err = 0;

	for (unsigned i = 0; i < FRESH; i++) {
		const unsigned more = i % (unsigned)c->n;
		struct view_msg m = { .word = { 0, 0, 0, i, 5, 6, 7 } };
		const uint64_t what = i / 3 % 2 ? SYSCALL : FAULT;

		while ((err = chain_call(c, v, what, more, &m)) == -EAGAIN)
			usleep(100);
		good += !err && m.word[1] == more && m.word[6] == 7 &&
			m.word[2] ==
				(what == FAULT ? 1 : (uint64_t)c->server[more]);
		if (good != i + 1)
			break;
	}
	ok(good == FRESH, "the last one needs the kernel, %d times", FRESH);
	if (good != FRESH)
		note("%u, %d", good, err);
}

static void chains(const struct view_caller *v, int n, unsigned calls_n)
{
	struct chain c;

	chain_up(&c, n, 1, does);
	ok(chain_prepare(&c, v), "a chain of %d", n);
	ok(chain_is_well(&c, v), "each is reached");
	/* Who comes to another CPU makes that forget its old list. */
	run_on(0);
	calls(&c, v, 100);
	calls(&c, v, calls_n);
	steady(&c, v, calls_n);
	cost(&c, v);
	if (n > 1) {
		finds_nothing(&c, v, LOOK,
			      "who is called finds nothing of who calls");
		finds_nothing(&c, v, LEAVE, "nor the other way round");
	}
	moves(&c, v);
	ok(chain_is_well(&c, v), "and after all that");
	chain_down(&c);
}

int main(int argc, char **argv)
{
	const unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
	struct view_caller caller;

	load("skyipc.ko", "views=required");
	view_map();
	fx_begin();
	fresh = mmap(NULL, FRESH * 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	view_attach(&caller);
	for (int i = 1; i <= CHAIN_MAX; i++)
		chains(&caller, i, n);
	view_detach(&caller);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
