/* SPDX-License-Identifier: MIT */
/*
 * Hand-over: a worker continues what somebody else has begun, bit by bit.
 *
 *	kcall_park ROUNDS
 *
 * States are made at random, with an instruction pointer at code that writes
 * down what it finds in every register; before that, some go through a fault,
 * a system call that blocks, or both.
 */
#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

enum reg {
	R15,
	R14,
	R13,
	R12,
	BP,
	BX,
	R11,
	R10,
	R9,
	R8,
	AX,
	CX,
	DX,
	SI,
	DI,
	IP,
	FLAGS,
	SP,
	FS,
	GS,
	REGS
};

#define XSAVE_MAX 8192

/* What the code has found; both processes see it. */
struct find {
	uint64_t regs[REGS];
	uint8_t xsave[XSAVE_MAX] __attribute__((aligned(64)));
	/* of the worker: where its C code goes on */
	uint64_t stack, own_fs, own_gs;
	uint64_t mask;	       /* of the features in xsave */
	uint64_t wanted_fault; /* the address of a fault to come, or 0 */
	uint64_t fault_regs[REGS];
	int faults;
	int pipe[2];
};

/*
 * At a fixed address, as the code has no register to find it with: the mapping
 * is made there before fork().
 */
#define FOUND_AT 0x600000000
#define found ((struct find *)FOUND_AT)

void park_entry(void);
void park_fault(void);
void park_syscall(void);
void park_both(void);
void park_trap(void);
void parked(void);

/* A function only so that the offsets can be operands */
__attribute__((naked, used, noinline)) static void code(void)
{
	__asm__ volatile(
		".globl park_entry, park_fault, park_syscall, park_both\n"
		".globl park_trap\n"
		"park_both:\n"
		"	mov	(%%rbx), %%r8\n"
		"park_syscall:\n"
		"	syscall\n"
		"	jmp	park_entry\n"
		"park_trap:\n"
		"	ud2\n"
		"park_fault:\n"
		"	mov	(%%rbx), %%r8\n"
		"park_entry:\n"
		/* One register by the only store with a 64-bit address */
		"	movabs	%%rax, 0x600000000 + %c[ax]\n"
		"	movabs	$0x600000000, %%rax\n"
		"	mov	%%r15, %c[r15](%%rax)\n"
		"	mov	%%r14, %c[r14](%%rax)\n"
		"	mov	%%r13, %c[r13](%%rax)\n"
		"	mov	%%r12, %c[r12](%%rax)\n"
		"	mov	%%rbp, %c[bp](%%rax)\n"
		"	mov	%%rbx, %c[bx](%%rax)\n"
		"	mov	%%r11, %c[r11](%%rax)\n"
		"	mov	%%r10, %c[r10](%%rax)\n"
		"	mov	%%r9, %c[r9](%%rax)\n"
		"	mov	%%r8, %c[r8](%%rax)\n"
		"	mov	%%rcx, %c[cx](%%rax)\n"
		"	mov	%%rdx, %c[dx](%%rax)\n"
		"	mov	%%rsi, %c[si](%%rax)\n"
		"	mov	%%rdi, %c[di](%%rax)\n"
		"	mov	%%rsp, %c[sp](%%rax)\n"
		"	mov	%c[stack](%%rax), %%rsp\n"
		"	pushfq\n"
		"	popq	%c[flags](%%rax)\n"
		"	pushq	$2\n"
		"	popfq\n"
		"	mov	%%rax, %%rbx\n"
		"	mov	%c[mask](%%rbx), %%eax\n"
		"	mov	%c[mask]+4(%%rbx), %%edx\n"
		"	xsave64	%c[xsave](%%rbx)\n"
		"	fninit\n"
		"	pushq	$0x1f80\n"
		"	ldmxcsr	(%%rsp)\n"
		/* The bases, and then our own again */
		"	mov	%[prctl], %%eax\n"
		"	mov	$0x1003, %%edi\n" /* ARCH_GET_FS */
		"	lea	%c[fs](%%rbx), %%rsi\n"
		"	syscall\n"
		"	mov	%[prctl], %%eax\n"
		"	mov	$0x1004, %%edi\n" /* ARCH_GET_GS */
		"	lea	%c[gs](%%rbx), %%rsi\n"
		"	syscall\n"
		"	mov	%[prctl], %%eax\n"
		"	mov	$0x1002, %%edi\n" /* ARCH_SET_FS */
		"	mov	%c[own_fs](%%rbx), %%rsi\n"
		"	syscall\n"
		"	mov	%[prctl], %%eax\n"
		"	mov	$0x1001, %%edi\n" /* ARCH_SET_GS */
		"	mov	%c[own_gs](%%rbx), %%rsi\n"
		"	syscall\n"
		"	and	$-64, %%rsp\n"
		"	xor	%%ebp, %%ebp\n"
		"	call	parked\n"
		"	hlt\n"
		:
		: [r15] "i"(offsetof(struct find, regs[R15])),
		  [r14] "i"(offsetof(struct find, regs[R14])),
		  [r13] "i"(offsetof(struct find, regs[R13])),
		  [r12] "i"(offsetof(struct find, regs[R12])),
		  [bp] "i"(offsetof(struct find, regs[BP])),
		  [bx] "i"(offsetof(struct find, regs[BX])),
		  [r11] "i"(offsetof(struct find, regs[R11])),
		  [r10] "i"(offsetof(struct find, regs[R10])),
		  [r9] "i"(offsetof(struct find, regs[R9])),
		  [r8] "i"(offsetof(struct find, regs[R8])),
		  [ax] "i"(offsetof(struct find, regs[AX])),
		  [cx] "i"(offsetof(struct find, regs[CX])),
		  [dx] "i"(offsetof(struct find, regs[DX])),
		  [si] "i"(offsetof(struct find, regs[SI])),
		  [di] "i"(offsetof(struct find, regs[DI])),
		  [flags] "i"(offsetof(struct find, regs[FLAGS])),
		  [sp] "i"(offsetof(struct find, regs[SP])),
		  [fs] "i"(offsetof(struct find, regs[FS])),
		  [gs] "i"(offsetof(struct find, regs[GS])),
		  [xsave] "i"(offsetof(struct find, xsave)),
		  [stack] "i"(offsetof(struct find, stack)),
		  [own_fs] "i"(offsetof(struct find, own_fs)),
		  [own_gs] "i"(offsetof(struct find, own_gs)),
		  [mask] "i"(offsetof(struct find, mask)),
		  [prctl] "i"(SYS_arch_prctl));
}

/* ---- the worker's side ----------------------------------------------------
 */

static int worker;

static void wait_for_more(uint32_t flags)
{
	struct skyipc_dev_serve s = { .size = sizeof(s),
				      .flags = flags | SKYIPC_SERVE_WAIT,
				      .deadline = SKYIPC_DEV_FOREVER };
	int err;

	do {
		err = op(worker, SKYIPC_WORKER_SERVE, &s);
		s.flags = SKYIPC_SERVE_WAIT;
	} while (err == -EINTR);
	/* It does not come back but to say that it is over. */
	_exit(err == -EPIPE ? 0 : 97);
}

/* A page that faults; what the code reads there into r8 is 0. */
static char *page;

/* On the worker's own stack, with its own thread pointer again */
void parked(void)
{
	mprotect(page, 4096, PROT_NONE);
	wait_for_more(SKYIPC_SERVE_REPLY);
}

static const int greg[REGS] = {
	[R15] = REG_R15,   [R14] = REG_R14, [R13] = REG_R13, [R12] = REG_R12,
	[BP] = REG_RBP,	   [BX] = REG_RBX,  [R11] = REG_R11, [R10] = REG_R10,
	[R9] = REG_R9,	   [R8] = REG_R8,   [AX] = REG_RAX,  [CX] = REG_RCX,
	[DX] = REG_RDX,	   [SI] = REG_RSI,  [DI] = REG_RDI,  [IP] = REG_RIP,
	[FLAGS] = REG_EFL, [SP] = REG_RSP,
};

/*
 * The thread pointer may be anything here, so nothing that uses it: straight
 * to what has to be noted, and the system calls by hand.
 */
__attribute__((no_stack_protector)) static void on_fault(int sig, siginfo_t *i,
							 void *context)
{
	ucontext_t *u = context;
	long ret;

	for (int r = 0; r <= SP; r++)
		found->fault_regs[r] = (uint64_t)u->uc_mcontext.gregs[greg[r]];
	found->faults++;
	if (sig == SIGILL) {
		if ((uint64_t)i->si_addr != found->fault_regs[IP])
			found->faults = -1000;
		u->uc_mcontext.gregs[REG_RIP] += 2;
		return;
	}
	if ((uint64_t)i->si_addr != found->wanted_fault)
		found->faults = -1000;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(SYS_mprotect),
			   "D"(found->wanted_fault & ~UINT64_C(4095)),
			   "S"(4096), "d"(PROT_READ)
			 : "rcx", "r11", "memory");
	if (ret)
		found->faults = -1000;
}

static void *serving(void *arg)
{
	static char alt[65536];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction sa = { .sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO | SA_ONSTACK };

	worker = new_worker(*(int *)arg);
	sigaltstack(&ss, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
	syscall(SYS_arch_prctl, 0x1003, &found->own_fs);
	syscall(SYS_arch_prctl, 0x1004, &found->own_gs);
	found->stack = (uint64_t)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) +
		       (1 << 20) - 64;
	wait_for_more(0);
	return NULL;
}

/* Our own image has the code at the same addresses. */
static pid_t park_server(int *conn)
{
	int socks[2], server;
	pthread_t thread;
	pid_t pid;

	pid = server_fork(socks, conn);
	if (pid)
		return pid;
	server = new_server();
	if (pthread_create(&thread, NULL, serving, &server))
		give_up("pthread_create");
	server_give(socks, new_conn(server, 0));
	pthread_join(thread, NULL);
	_exit(0);
}

/* ---- the client's side ----------------------------------------------------
 */

static uint64_t seed = 88172645463325252;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint32_t xsave_size;

static void find_features(void)
{
	uint32_t eax, edx, a, b, c, d;

	__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	found->mask = eax & 0xe7; /* x87, SSE, AVX, AVX-512 */
	xsave_size = 512 + 64;
	for (int i = 2; i < 8; i++) {
		if (!(found->mask >> i & 1))
			continue;
		__cpuid_count(0xd, i, a, b, c, d);
		if (a + b > xsave_size)
			xsave_size = a + b;
	}
}

static uint8_t xsave[XSAVE_MAX] __attribute__((aligned(64)));

static void random_xsave(void)
{
	uint64_t *w = (uint64_t *)xsave;

	for (size_t i = 0; i < sizeof(xsave) / 8; i++)
		w[i] = rnd();
	/* x87: rounding and precision, all masked; TOP and conditions */
	*(uint16_t *)(xsave + 0) = 0x7f | (rnd() & 0xf00);
	*(uint16_t *)(xsave + 2) = rnd() & 0x7f00;
	memset(xsave + 5, 0, 19); /* no last instruction */
	*(uint32_t *)(xsave + 24) = rnd() & 0xffff;
	memset(xsave + 512, 0, 64);
	memcpy(xsave + 512, &found->mask, 8);
}

static bool same_xsave(void)
{
	static const struct {
		int from, to;
	} parts[] = { { 0, 5 }, { 24, 28 }, { 160, 416 } };
	bool same = true;

	for (int i = 0; i < 3; i++)
		same &= !memcmp(xsave + parts[i].from,
				found->xsave + parts[i].from,
				(size_t)(parts[i].to - parts[i].from));
	for (int i = 0; i < 8; i++) /* 80 bits each */
		same &= !memcmp(xsave + 32 + 16 * i, found->xsave + 32 + 16 * i,
				10);
	return same &&
	       !memcmp(xsave + 576, found->xsave + 576, xsave_size - 576);
}

static const char *const names[] = { "r15", "r14",   "r13", "r12", "bp",
				     "bx",  "r11",   "r10", "r9",  "r8",
				     "ax",  "cx",    "dx",  "si",  "di",
				     "ip",  "flags", "sp",  "fs",  "gs" };

#define SEEN_FLAGS UINT64_C(0x40cd5) /* what sets them, less TF and RF */

static bool same_regs(const uint64_t *want, const uint64_t *got, int most)
{
	bool same = true;

	for (int i = 0; i < most; i++) {
		uint64_t mask = i == IP	     ? 0
				: i == FLAGS ? SEEN_FLAGS
					     : ~UINT64_C(0);

		if ((want[i] ^ got[i]) & mask) {
			note("%s: %llx became %llx", names[i],
			     (unsigned long long)want[i],
			     (unsigned long long)got[i]);
			same = false;
		}
	}
	return same;
}

static void *write_later(void *arg)
{
	(void)arg;
	usleep(500);
	if (write(found->pipe[1], "12345678", 8) != 8)
		give_up("write");
	return NULL;
}

static int link_fd;

static int park(const uint64_t *regs)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .deadline = in_ms(10000) };
	struct skyipc_dev_park p = { .size = sizeof(p),
				     .call = (uintptr_t)&c,
				     .xsave = (uintptr_t)xsave,
				     .xsave_size = xsave_size };

	memcpy(p.regs, regs, sizeof(p.regs));
	return op(link_fd, SKYIPC_LINK_PARK, &p);
}

static void random_regs(uint64_t *regs)
{
	for (int i = 0; i < REGS; i++)
		regs[i] = rnd();
	/* ioctl() has values of its own */
	if (rnd() % 100 == 0)
		regs[AX] = -(rnd() % 600);
	regs[FLAGS] &= SEEN_FLAGS;
	regs[FS] &= 0x7fffffffefff;
	regs[GS] &= 0x7fffffffefff;
	regs[IP] = (uintptr_t)park_entry;
}

enum way { PLAIN, FAULT, TRAP, SYSCALL, BOTH, WAYS };

static bool one(enum way way)
{
	static uint64_t buf; /* in the server it is its own */
	uint64_t regs[REGS], want[REGS];
	bool faulty = way == FAULT || way == TRAP || way == BOTH;
	bool blocks = way == SYSCALL || way == BOTH;
	pthread_t thread;
	int err;

	random_xsave();
	random_regs(regs);
	found->faults = 0;
	memset(found->regs, 0, sizeof(found->regs));
	memset(found->xsave, 0, sizeof(found->xsave));
	if (faulty) {
		regs[BX] = (uintptr_t)page + rnd() % 500 * 8;
		found->wanted_fault = regs[BX];
		regs[IP] = way == FAULT	 ? (uintptr_t)park_fault
			   : way == TRAP ? (uintptr_t)park_trap
					 : (uintptr_t)park_both;
	}
	if (blocks) {
		regs[AX] = SYS_read;
		regs[DI] = (uint64_t)found->pipe[0];
		regs[SI] = (uintptr_t)&buf;
		regs[DX] = 8;
		if (way == SYSCALL)
			regs[IP] = (uintptr_t)park_syscall;
		pthread_create(&thread, NULL, write_later, NULL);
	}
	memcpy(want, regs, sizeof(want));
	err = park(regs);
	if (blocks)
		pthread_join(thread, NULL);
	if (err) {
		note("parked, and %s", strerror(-err));
		return false;
	}
	if (blocks) {
		want[AX] = 8;
		want[CX] = found->regs[CX]; /* SYSCALL's own */
		want[R11] = found->regs[R11];
	}
	if (faulty) {
		const uint64_t ip =
			way == TRAP ? (uintptr_t)park_fault : regs[IP];

		if (found->faults != (way == TRAP ? 2 : 1) ||
		    found->fault_regs[IP] != ip) {
			note("%d faults, the last at %llx instead of %llx",
			     found->faults,
			     (unsigned long long)found->fault_regs[IP],
			     (unsigned long long)ip);
			return false;
		}
		if (!same_regs(regs, found->fault_regs, FS))
			return false;
		want[R8] = 0; /* what is in that page */
	}
	if (!same_regs(want, found->regs, REGS))
		return false;
	if (!same_xsave()) {
		note("x87, SSE or AVX");
		return false;
	}
	return true;
}

static void refused(void)
{
	uint64_t regs[REGS];

	random_xsave();
	random_regs(regs);
	regs[IP] = UINT64_C(0xffffffff81000000);
	ok(park(regs) == -EINVAL, "not in the kernel");
	regs[IP] = UINT64_C(1) << 50;
	ok(park(regs) == -EINVAL, "nor where there is no address");
	random_regs(regs);
	regs[FS] = UINT64_C(1) << 63;
	ok(park(regs) == -EINVAL, "no such base of FS");
	random_regs(regs);
	xsave[24 + 2] = 1;
	ok(park(regs) == -EINVAL, "no such MXCSR");
	random_xsave();
	xsave[512 + 8 + 7] = 0x80;
	ok(park(regs) == -EINVAL, "no compacted XSAVE area");
	random_xsave();
	xsave[512 + 7] = 0x40;
	ok(park(regs) == -EINVAL, "no features that are not there");
}

/* ---- one that is kept ------------------------------------------------------
 */

static _Atomic pid_t busy;
static int parked_late, reaped, plain;

/* While the worker is busy, and then with the link that had it */
static void *keep_one(void *arg)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .flags = SKYIPC_CALL_KEEP };
	struct skyipc_dev_park p = { .size = sizeof(p),
				     .call = (uintptr_t)&c,
				     .xsave = (uintptr_t)xsave,
				     .xsave_size = xsave_size };
	int link = new_link(*(int *)arg, 1);
	uint64_t regs[REGS];

	until_asleep(&busy);
	random_regs(regs);
	memcpy(p.regs, regs, sizeof(p.regs));
	c.deadline = in_ms(50);
	parked_late = op(link, SKYIPC_LINK_PARK, &p);
	if (write(found->pipe[1], "12345678", 8) != 8)
		give_up("write");
	c = (struct skyipc_dev_call){ .size = sizeof(c),
				      .deadline = in_ms(10000) };
	reaped = op(link, SKYIPC_LINK_REAP, &c);
	if (!same_regs(regs, found->regs, REGS))
		reaped = -EILSEQ;
	/* The state is used up: this one is a call as any other. */
	c = (struct skyipc_dev_call){ .size = sizeof(c),
				      .deadline = in_ms(10000) };
	plain = op(link, SKYIPC_LINK_SUBMIT, &c)
			?: op(link, SKYIPC_LINK_REAP, &c);
	close(link);
	return NULL;
}

/* Last: its server ends at a call that is none of those. */
static void kept(int conn, pid_t pid)
{
	static uint64_t buf;
	uint64_t regs[REGS];
	pthread_t thread;
	int err, status;

	random_xsave();
	random_regs(regs);
	regs[AX] = SYS_read;
	regs[DI] = (uint64_t)found->pipe[0];
	regs[SI] = (uintptr_t)&buf;
	regs[DX] = 8;
	regs[IP] = (uintptr_t)park_syscall;
	pthread_create(&thread, NULL, keep_one, &conn);
	busy = gettid();
	err = park(regs);
	pthread_join(thread, NULL);
	ok(!err && parked_late == -ETIMEDOUT && !reaped,
	   "one that came too late, and is kept: %d, %d, %d", err, parked_late,
	   reaped);
	waitpid(pid, &status, 0);
	ok(plain == -ECONNRESET && WIFEXITED(status) &&
		   WEXITSTATUS(status) == 97,
	   "and leaves nothing to the next call: %d", plain);
}

int main(int argc, char **argv)
{
	static const char *const ways[] = { "at once", "after a fault",
					    "after a trap and a fault",
					    "with a system call that blocks",
					    "with a fault and a system call" };
	long rounds = argc > 1 ? atol(argv[1]) : 1000, wrong, n;
	int conn;
	pid_t pid;

	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	if (mmap((void *)FOUND_AT, sizeof(struct find), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) != (void *)FOUND_AT)
		give_up("mmap");
	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pipe(found->pipe))
		give_up("pipe");
	find_features();
	pid = park_server(&conn);
	link_fd = new_link(conn, 0);
	random_xsave();
	ok(park((uint64_t[REGS]){ 0 }) == -EPERM, "not for everybody");
	if (write_file(DEBUG "hand_over", "Y"))
		give_up("hand_over");
	refused();
	for (enum way way = 0; way < WAYS; way++) {
		n = way == PLAIN ? rounds : rounds / 100;
		wrong = 0;
		for (long i = 0; i < n && wrong < 10; i++)
			wrong += !one(way);
		ok(!wrong, "%ld states continued %s (features %llx)", n,
		   ways[way], (unsigned long long)found->mask);
	}
	kept(conn, pid);
	close(link_fd);
	close(conn);
	ok(!unload("skyipc"), "rmmod");
	return done();
}
