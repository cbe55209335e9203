/* SPDX-License-Identifier: MIT */
#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "parked.h"

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
		"	cmpl	$0, %c[keys](%%rbx)\n"
		"	je	1f\n"
		"	xor	%%ecx, %%ecx\n"
		"	rdpkru\n"
		"	mov	%%eax, %c[pkru](%%rbx)\n"
		"1:\n"
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
		  [keys] "i"(offsetof(struct find, keys)),
		  [pkru] "i"(offsetof(struct find, pkru)),
		  [prctl] "i"(SYS_arch_prctl));
}

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
		/* (-EAGAIN: what it was to go on with is over.) */
	} while (err == -EINTR || err == -EAGAIN);
	/* It does not come back but to say that it is over. */
	_exit(err == -EPIPE ? 0 : 97);
}

char *parked_page;

/* On the worker's own stack, with its own thread pointer again */
void parked(void)
{
	mprotect(parked_page, 4096, PROT_NONE);
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

pid_t parked_server(int *conn)
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

void parked_init(void)
{
	uint32_t eax, ebx, ecx = 0, edx;

	if (mmap((void *)FOUND_AT, sizeof(struct find), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) != (void *)FOUND_AT)
		give_up("mmap");
	parked_page =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (parked_page == MAP_FAILED || pipe(found->pipe))
		give_up("parked_init");
	__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	found->mask = eax & 0xe7; /* x87, SSE, AVX, AVX-512 */
	found->keys = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
		      ecx & bit_OSPKE;
}
