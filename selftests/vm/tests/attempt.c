/* SPDX-License-Identifier: MIT */
#include "attempt.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "rnd.h"

static sigjmp_buf back;
static uint8_t alternate[64 * 1024];

/* Of the thread that attempts */
extern uint64_t attempt_fs;
uint64_t attempt_fs;

/* It may have happened with any base of fs, by which C finds what is a
 * thread's. */
void attempt_signal(int signal);
__asm__(".pushsection .text\n"
	"attempt_signal:\n"
	"	mov attempt_fs(%rip), %rax\n"
	"	wrfsbase %rax\n"
	"	jmp attempt_caught\n"
	".popsection\n");

void attempt_caught(int signal);

void attempt_caught(int signal)
{
	siglongjmp(back, signal);
}

void attempts_begin(void)
{
	static const int signals[] = { SIGILL,	SIGSEGV, SIGBUS,
				       SIGTRAP, SIGFPE,	 SIGSYS };
	const stack_t stack = { .ss_sp = alternate,
				.ss_size = sizeof(alternate) };
	struct sigaction action = { .sa_handler = attempt_signal,
				    .sa_flags = SA_ONSTACK | SA_NODEFER };

	attempt_fs = (uintptr_t)__builtin_thread_pointer();
	sigaltstack(&stack, NULL);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
}

/*
 * void jump(const struct regs *r, void *to): never comes back as it went. The
 * compiler's own pointers are in none of the registers: code that is entered in
 * the middle of an instruction writes to wherever they lead, and that was once
 * the caller's loop counter.
 */
void jump(const struct regs *r, const void *to);
__asm__(".pushsection .text\n"
	"jump:\n"
	"	push %rbp; push %rbx; push %r12; push %r13; push %r14; push "
	"%r15\n"
	"	mov %rsi, %rbx\n"
	"	xor %ebp, %ebp\n"
	"	xor %esi, %esi\n"
	"	xor %r9d, %r9d\n"
	"	xor %r10d, %r10d\n"
	"	xor %r12d, %r12d\n"
	"	xor %r13d, %r13d\n"
	"	xor %r14d, %r14d\n"
	"	xor %r15d, %r15d\n"
	"	mov (%rdi), %rax\n"
	"	mov 8(%rdi), %rcx\n"
	"	mov 16(%rdi), %rdx\n"
	"	mov 24(%rdi), %r8\n"
	"	mov 32(%rdi), %r11\n"
	"	mov 40(%rdi), %rdi\n"
	"	call *%rbx\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
	"	ret\n"
	".popsection\n");

int attempt(const struct regs *r, const void *to)
{
	/* Not with the mask, which no signal changes: that is a system call. */
	const int signal = sigsetjmp(back, 0);

	if (signal)
		return signal;
	jump(r, to);
	return 0;
}

uint8_t *attempt_page(void *at)
{
	static const uint8_t code[] = { 0x0f, 0x01, 0xd4, 0xc3 };
	uint8_t *page =
		mmap(at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		     MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

	if (page == MAP_FAILED)
		give_up("a page");
	memset(page, 0xf4, 4096);
	memcpy(page, code, sizeof(code));
	return page;
}

/* ---- with what
 * ---------------------------------------------------------------- */

uint64_t attempt_nasty(const struct view_way *w, const void *page)
{
	const uint64_t some[] = {
		0,
		w->slot,
		w->slot + 1,
		1,
		3,
		511,
		512,
		~0ull,
		VIEW_LIST_AT,
		VIEW_LIST_AT + 8,
		VIEW_THREAD_AT,
		VIEW_AT,
		VIEW_PAGE_AT,
		1ull << 61,
		(1ull << 61) + w->slot,
		1ull << 32,
		(uint64_t)-1 << 32,
		0xffffffff81000000,
		w->key,
		(uintptr_t)page,
	};
	const uint64_t r = rnd();

	return r % 8 ? some[r / 8 % (sizeof(some) / sizeof(*some))] : rnd();
}

struct regs attempt_regs(const struct view_way *w, const void *page)
{
	struct regs r = { attempt_nasty(w, page), attempt_nasty(w, page),
			  attempt_nasty(w, page), attempt_nasty(w, page),
			  attempt_nasty(w, page), attempt_nasty(w, page) };

	/* Half of them could nearly be a call's. */
	if (rnd() & 1) {
		r.dx = (uintptr_t)page;
		r.r8 = w->slot;
	}
	if (rnd() & 1)
		r.r11 = w->key;
	return r;
}

/* ---- by whom, and on whom
 * ----------------------------------------------------- */

enum { MINUTE = 60 };

int in_child(void (*what)(unsigned arg), unsigned arg)
{
	const pid_t pid = fork();

	if (!pid) {
		alarm(10 * MINUTE);
		attempts_begin();
		what(arg);
		_exit(0);
	}
	return status_of(pid);
}

void expect(bool what, int status)
{
	if (!what)
		_exit(status);
}

pid_t victim(view_handler_fn *handler, struct view_caller *c,
	     struct view_way *w)
{
	pid_t pid;
	int conn;

	pid = view_server(handler, 1, &conn);
	view_attach(c);
	expect(!view_way(c, new_link(conn, 0), w), 1);
	return pid;
}

void end_victim(pid_t pid)
{
	expect(!waitpid(pid, NULL, WNOHANG), 9);
	end_process(pid);
}
