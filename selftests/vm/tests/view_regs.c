/* SPDX-License-Identifier: MIT */
/*
 * What crosses a switch although nobody passes it: registers. Neither side
 * finds what the other one has left there, nor has to work with it; and a
 * handler that is interrupted finds all as it was.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "fx.h"
#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { LOOK, LEAVE, HOLD };

/* All registers hold the pattern meanwhile; so many rounds. Are they as before?
 */
static bool hold(uint64_t rounds)
{
	static struct fx after;
	uint64_t bad;

	__asm__ volatile("fxrstor64 %[pattern]\n"
			 "push %%rbp\n"
			 "mov $0x11, %%eax; mov $0x22, %%ebx\n"
			 "mov $0x33, %%edx; mov $0x44, %%esi\n"
			 "mov $0x55, %%edi; mov $0x66, %%ebp\n"
			 "mov $0x77, %%r8d; mov $0x88, %%r9d\n"
			 "mov $0x99, %%r10d; mov $0xaa, %%r11d\n"
			 "mov $0xbb, %%r12d; mov $0xcc, %%r13d\n"
			 "mov $0xdd, %%r14d; mov $0xee, %%r15d\n"
			 "std\n"
			 "1: dec %%rcx\n"
			 "jnz 1b\n"
			 "pushf\n"
			 "pop %%rcx\n"
			 "cld\n"
			 "not %%ecx\n"
			 "and $0x400, %%ecx\n" /* 0: DF was still set */
			 "xor $0x11, %%rax; or %%rax, %%rcx\n"
			 "xor $0x22, %%rbx; or %%rbx, %%rcx\n"
			 "xor $0x33, %%rdx; or %%rdx, %%rcx\n"
			 "xor $0x44, %%rsi; or %%rsi, %%rcx\n"
			 "xor $0x55, %%rdi; or %%rdi, %%rcx\n"
			 "xor $0x66, %%rbp; or %%rbp, %%rcx\n"
			 "xor $0x77, %%r8; or %%r8, %%rcx\n"
			 "xor $0x88, %%r9; or %%r9, %%rcx\n"
			 "xor $0x99, %%r10; or %%r10, %%rcx\n"
			 "xor $0xaa, %%r11; or %%r11, %%rcx\n"
			 "xor $0xbb, %%r12; or %%r12, %%rcx\n"
			 "xor $0xcc, %%r13; or %%r13, %%rcx\n"
			 "xor $0xdd, %%r14; or %%r14, %%rcx\n"
			 "xor $0xee, %%r15; or %%r15, %%rcx\n"
			 "pop %%rbp\n"
			 "fxsave64 %[after]\n"
			 : "=c"(bad), [after] "=m"(after)
			 : "c"(rounds), [pattern] "m"(fx_pattern)
			 : "rax", "rbx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
			   "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	return !bad && after.mxcsr == fx_pattern.mxcsr &&
	       after.cw == fx_pattern.cw && after.tags == fx_pattern.tags &&
	       !memcmp(after.xmm, fx_pattern.xmm, sizeof(after.xmm));
}

static void handler(struct view_msg *m)
{
	static struct fx here;
	uint64_t flags;

	__asm__ volatile("fxsave64 %0" : "=m"(here));
	switch (m->word[0]) {
	case LOOK:
		__asm__ volatile("pushf; pop %0" : "=r"(flags));
		m->word[1] = fx_found(&here);
		m->word[2] = flags;
		break;
	case LEAVE:
		__asm__ volatile("fxrstor64 %0" : : "m"(fx_pattern));
		/* DF, AC, ID */
		__asm__ volatile("pushf; orq $0x240400, (%%rsp); popf"
				 :
				 :
				 : "memory", "cc");
		return;
	case HOLD:
		m->word[1] = hold(m->word[1]);
		__asm__ volatile("fninit");
		break;
	}
}

static int enter(const struct view_caller *c, const struct view_way *w,
		 struct view_msg *m, struct fx *before, struct fx *after,
		 uint64_t *flags)
{
	int err;

	__asm__ volatile("fxrstor64 %0" : : "m"(*before));
	err = view_enter(m, w->slot, w->key, c->page);
	__asm__ volatile("pushf; pop %0" : "=r"(*flags));
	__asm__ volatile("fxsave64 %0" : "=m"(*after));
	__asm__ volatile("cld");
	return err;
}

static void both_ways(const struct view_caller *c, const struct view_way *w)
{
	struct view_msg m = { .word = { LOOK } };
	struct fx after, initial;
	uint64_t flags;
	int err;

	initial = fx_pattern;
	memset(initial.xmm, 0, sizeof(initial.xmm));
	initial.cw = 0x37f;
	initial.mxcsr = 0x1f80;
	initial.tags = 0;
	err = enter(c, w, &m, &fx_pattern, &after, &flags);
	ok(!err && !m.word[1], "the server finds nothing of the client's");
	ok(!(m.word[2] & FX_FLAGS), "nor flags");
	note("%d, %llu, %llx", err, (unsigned long long)m.word[1],
	     (unsigned long long)m.word[2]);
	m.word[0] = LEAVE;
	err = enter(c, w, &m, &initial, &after, &flags);
	ok(!err && !fx_found(&after),
	   "nor the client anything of the server's");
	ok(!(flags & FX_FLAGS), "nor flags");
	note("%d, %u, %llx", err, fx_found(&after), (unsigned long long)flags);
}

static _Atomic unsigned traps;

static void trapped(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)signal;
	(void)info;
	traps++;
	u->uc_mcontext.gregs[REG_EFL] |= 0x100;
}

/* A client that steps: it sees its own instructions, and none of the server's.
 */
static void steps(const struct view_caller *c, const struct view_way *w)
{
	struct sigaction action = { .sa_sigaction = trapped,
				    .sa_flags = SA_SIGINFO };
	struct view_msg m = { .word = { LOOK } };
	int err;

	sigaction(SIGTRAP, &action, NULL);
	__asm__ volatile("pushf; orq $0x100, (%%rsp); popf"
			 :
			 :
			 : "memory", "cc");
	err = view_enter(&m, w->slot, w->key, c->page);
	__asm__ volatile("pushf; andq $~0x100, (%%rsp); popf"
			 :
			 :
			 : "memory", "cc");
	ok(err == -EAGAIN, "nobody steps through a gate");
	note("%d, %u steps", err, traps);
	ok(!view_call(c, w, &m), "and calls as before then");
}

static const struct view_caller *nest_caller;
static struct view_way nest_way;
static volatile unsigned nest_in, nest_good;

static void nests(int signal, siginfo_t *info, void *context)
{
	struct view_msg m = { .word = { LOOK, 0, 0, 33, 44 } };
	ucontext_t *u = context;

	(void)signal;
	(void)info;
	if (--nest_in)
		return;
	u->uc_mcontext.gregs[REG_EFL] &= ~0x100;
	nest_good += !view_call(nest_caller, &nest_way, &m) && m.word[3] == 33;
}

/*
 * At each instruction of a call that is the client's, a signal's handler that
 * calls, too: both come back to where they were called.
 */
static void nested(const struct view_caller *c, const struct view_way *w)
{
	struct sigaction action = { .sa_sigaction = nests,
				    .sa_flags = SA_SIGINFO };
	unsigned i, good = 0;
	int err = 0;

	nest_caller = c;
	nest_good = 0;
	sigaction(SIGTRAP, &action, NULL);
	for (i = 1; i < 100; i++) {
		struct view_msg m = { .word = { LOOK, 0, 0, 11, 22 } };

		nest_in = i;
		__asm__ volatile("pushf; orq $0x100, (%%rsp); popf"
				 :
				 :
				 : "memory", "cc");
		err = view_enter(&m, w->slot, w->key, c->page);
		__asm__ volatile("pushf; andq $~0x100, (%%rsp); popf"
				 :
				 :
				 : "memory", "cc");
		/* From here on it steps into the gate. */
		if (nest_in)
			break;
		good += !err && m.word[3] == 11 && m.word[4] == 22;
	}
	ok(i > 20 && good == i - 1 && nest_good == good,
	   "calls within calls that have not left yet");
	note("%u: %u and %u, %d", i - 1, good, nest_good, err);
}

int main(void)
{
	struct view_msg m = { .word = { HOLD } };
	struct view_caller caller;
	struct view_way way;
	unsigned good;
	pid_t server;
	int conn;

	load("skyipc.ko", "views=required");
	view_map();
	fx_begin();
	server = view_server(handler, 2, &conn);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	/* Whatever has to be mapped first is by then. */
	for (uint64_t what = LOOK; what <= HOLD; what++) {
		m = (struct view_msg){ .word = { what, 1 } };
		if (view_call(&caller, &way, &m))
			give_up("a call");
	}
	both_ways(&caller, &way);
	steps(&caller, &way);
	if (view_way(&caller, new_link(conn, 0), &nest_way) ||
	    view_call(&caller, &nest_way,
		      &(struct view_msg){ .word = { LOOK } }))
		give_up("another way in");
	nested(&caller, &way);
	for (good = 0; good < 20; good++) {
		m = (struct view_msg){ .word = { HOLD, 200000 } };
		if (view_call(&caller, &way, &m) || !m.word[1])
			break;
	}
	ok(good == 20, "a handler that is interrupted has all its registers");
	end_process(server);
	return done();
}
