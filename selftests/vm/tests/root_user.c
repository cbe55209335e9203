/* SPDX-License-Identifier: MIT */
/*
 * What a program without rights may try: each VMX instruction is #UD, CPUID
 * says no VMX, and stepping over an instruction that exits, or wrapping around
 * after it, is as without root.
 */
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static unsigned long long where;

static void vmcall(void)
{
	__asm__ volatile("vmcall" : : "a"(0), "c"(1));
}

static void vmfunc_0(void)
{
	__asm__ volatile("vmfunc" : : "a"(0), "c"(0));
}

static void vmfunc_511(void)
{
	__asm__ volatile("vmfunc" : : "a"(0), "c"(511));
}

static void vmfunc_512(void)
{
	__asm__ volatile("vmfunc" : : "a"(0), "c"(512));
}

static void vmfunc_other(void)
{
	__asm__ volatile("vmfunc" : : "a"(1), "c"(0));
}

static void vmfunc_none(void)
{
	__asm__ volatile("vmfunc" : : "a"(64), "c"(0));
}

static void vmxon(void)
{
	__asm__ volatile("vmxon %0" : : "m"(where));
}

static void vmxoff(void)
{
	__asm__ volatile("vmxoff");
}

static void vmlaunch(void)
{
	__asm__ volatile("vmlaunch");
}

static void vmresume(void)
{
	__asm__ volatile("vmresume");
}

static void vmclear(void)
{
	__asm__ volatile("vmclear %0" : : "m"(where));
}

static void vmptrld(void)
{
	__asm__ volatile("vmptrld %0" : : "m"(where));
}

static void vmptrst(void)
{
	__asm__ volatile("vmptrst %0" : : "m"(where));
}

static void vmread(void)
{
	unsigned long value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(0x681eul));
}

static void vmwrite(void)
{
	__asm__ volatile("vmwrite %0, %1" : : "r"(0ul), "r"(0x681eul));
}

static void invept(void)
{
	unsigned long long d[2] = { 0, 0 };

	__asm__ volatile("invept %0, %1" : : "m"(d), "r"(2ul));
}

static void invvpid(void)
{
	unsigned long long d[2] = { 0, 0 };

	__asm__ volatile("invvpid %0, %1" : : "m"(d), "r"(2ul));
}

/* Which signal ends a child that does this; 0 if none. */
static int signal_of(void (*try)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		try();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		give_up("fork");
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void instructions(void)
{
	static const struct {
		const char *name;
		void (*try)(void);
		int signal;
	} all[] = {
		{ "VMCALL", vmcall, SIGILL },
		{ "VMFUNC slot 0", vmfunc_0, SIGILL },
		{ "VMFUNC slot 511", vmfunc_511, SIGILL },
		{ "VMFUNC slot 512", vmfunc_512, SIGILL },
		{ "VMFUNC function 1", vmfunc_other, SIGILL },
		{ "VMFUNC function 64", vmfunc_none, SIGILL },
		{ "VMXON", vmxon, SIGILL },
		{ "VMXOFF", vmxoff, SIGILL },
		{ "VMLAUNCH", vmlaunch, SIGILL },
		{ "VMRESUME", vmresume, SIGILL },
		{ "VMCLEAR", vmclear, SIGILL },
		{ "VMPTRLD", vmptrld, SIGILL },
		{ "VMPTRST", vmptrst, SIGILL },
		{ "VMREAD", vmread, SIGILL },
		{ "VMWRITE", vmwrite, SIGILL },
		{ "INVEPT", invept, SIGILL },
		{ "INVVPID", invvpid, SIGILL },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int got = signal_of(all[i].try);

		ok(got == all[i].signal, "%s: %s", all[i].name,
		   got ? strsignal(got) : "no signal");
	}
}

/*
 * CPUID as the last instruction below 4 GB, in 32-bit mode: EIP wraps to 0,
 * where nothing is. A RIP that does not wrap would be no state for an entry.
 */
static void at_the_end(void)
{
	char *page = mmap((void *)0xfffff000, 4096,
			  PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	static const struct {
		unsigned int offset;
		unsigned short selector;
	} __attribute__((packed)) there = { 0xfffffffe, 0x23 };

	if (page == MAP_FAILED)
		_exit(1);
	page[0xffe] = 0x0f;
	page[0xfff] = (char)0xa2;
	__asm__ volatile("ljmp *%0" : : "m"(there));
}

/* Step a child from one CPUID to the next: RIP moves by 2 each time. */
static void single_steps(void)
{
	struct user_regs_struct r;
	unsigned long long start;
	int status, steps = 0;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		__asm__ volatile("mov $0x5b5b5b5b, %%r15d\n"
				 "xor %%eax, %%eax; xor %%ecx, %%ecx\n"
				 "cpuid; cpuid; cpuid; cpuid\n"
				 "xor %%r15d, %%r15d\n"
				 :
				 :
				 : "rax", "rbx", "rcx", "rdx", "r15");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	do {
		ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
		waitpid(pid, &status, 0);
		ptrace(PTRACE_GETREGS, pid, 0, &r);
	} while (WIFSTOPPED(status) && r.r15 != 0x5b5b5b5b);
	/* now behind the MOV: two XORs, four CPUIDs, one XOR */
	start = r.rip;
	while (WIFSTOPPED(status) && r.r15 == 0x5b5b5b5b && steps < 100) {
		ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
		waitpid(pid, &status, 0);
		ptrace(PTRACE_GETREGS, pid, 0, &r);
		steps++;
	}
	ok(steps == 7 && r.rip == start + 2 * 2 + 4 * 2 + 3,
	   "single steps over CPUID: %d, %lld bytes", steps,
	   (long long)(r.rip - start));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

int main(void)
{
	unsigned int a, b, c, d;

	single_steps();
	ok(signal_of(at_the_end) == SIGSEGV, "CPUID at 4 GB, 32 bits");
	if (load("skyipc.ko", "views=required"))
		give_up("insmod skyipc.ko views=required");
	__cpuid(1, a, b, c, d);
	ok(!(c & 1u << 5), "CPUID hides VMX");
	ok(c & 1u << 27, "CPUID shows OSXSAVE");
	instructions();
	single_steps();
	ok(signal_of(at_the_end) == SIGSEGV, "CPUID at 4 GB, 32 bits");
	ok(becomes(VIEWS, "on"), "views are still on");
	ok(exits("cpuid") > 0, "CPUID exits are counted");
	ok(exits("vmfunc") >= 4, "VMFUNC exits are counted");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
