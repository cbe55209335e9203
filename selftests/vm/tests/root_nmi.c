/* SPDX-License-Identifier: MIT */
/*
 * NMIs at random moments to a CPU that is in root again and again: none is
 * lost, none doubled. root_nmi [COUNT]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

/* On CPU 1, until it is killed; 1 if something is wrong */
static pid_t start(void (*what)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork");
	if (pid)
		return pid;
	run_on(1);
	what();
	_exit(1);
}

/* To root and back, for a moment or for a while */
static void stay(void)
{
	char line[32];

	for (unsigned int i = 0;; i = i * 1103515245 + 12345) {
		snprintf(line, sizeof(line), "stay %u",
			 i >> 16 & (i & 1 << 8 ? 0x3fff : 0x3f));
		if (write_file(DEBUG "root", line))
			return;
	}
}

/* CPUID leaves all but four registers alone, whatever comes in between. */
static void cpuids(void)
{
	unsigned long bad;

	do {
		__asm__ volatile("push %%rbp\n"
				 "mov $0x5151, %%esi; mov $0x5252, %%edi\n"
				 "mov $0x5353, %%ebp; mov $0x5454, %%r8d\n"
				 "mov $0x5555, %%r9d; mov $0x5656, %%r10d\n"
				 "mov $0x5757, %%r11d; mov $0x5858, %%r12d\n"
				 "mov $0x5959, %%r13d; mov $0x5a5a, %%r14d\n"
				 "mov $0x5b5b, %%r15d\n"
				 "xor %%eax, %%eax; xor %%ecx, %%ecx\n"
				 "cpuid\n"
				 "shr $16, %%rax\n" /* the highest leaf */
				 "xor $0x5151, %%rsi; or %%rsi, %%rax\n"
				 "xor $0x5252, %%rdi; or %%rdi, %%rax\n"
				 "xor $0x5353, %%rbp; or %%rbp, %%rax\n"
				 "xor $0x5454, %%r8; or %%r8, %%rax\n"
				 "xor $0x5555, %%r9; or %%r9, %%rax\n"
				 "xor $0x5656, %%r10; or %%r10, %%rax\n"
				 "xor $0x5757, %%r11; or %%r11, %%rax\n"
				 "xor $0x5858, %%r12; or %%r12, %%rax\n"
				 "xor $0x5959, %%r13; or %%r13, %%rax\n"
				 "xor $0x5a5a, %%r14; or %%r14, %%rax\n"
				 "xor $0x5b5b, %%r15; or %%r15, %%rax\n"
				 "pop %%rbp\n"
				 : "=&a"(bad)
				 :
				 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8",
				   "r9", "r10", "r11", "r12", "r13", "r14",
				   "r15", "memory", "cc");
	} while (!bad);
}

/* In and out of VMX */
static void toggles(void)
{
	while (!write_file(VIEWS, "off") && !write_file(VIEWS, "on"))
		;
}

static unsigned long met_root(unsigned long *given)
{
	char *text = read_file(DEBUG "cpus"), *at = text, *line;
	unsigned long nmis = 0;

	while ((line = strsep(&at, "\n")))
		if (!strncmp(line, "1 ", 2))
			sscanf(line, "1 on calls %*u nmis %lu given %lu", &nmis,
			       given);
	free(text);
	return nmis;
}

/* Send so many while CPU 1 does that: how many met root? */
static unsigned long send(int count, void (*what)(void), const char *name)
{
	unsigned long given = 0, in_root = met_root(&given), given_before, sent,
		      seen, lost, doubled;
	char line[64], *text;
	int status;
	pid_t pid;

	given_before = given;
	pid = start(what);
	run_on(0);
	snprintf(line, sizeof(line), "1 %d 42", count);
	ok(!write_file(TEST "nmi", line), "%s: NMIs are sent", name);
	ok(!waitpid(pid, &status, WNOHANG), "%s: CPU 1 went on", name);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	text = read_file(TEST "nmi");
	if (sscanf(text, "sent %lu seen %lu lost %lu doubled %lu", &sent, &seen,
		   &lost, &doubled) != 4)
		give_up("nmi");
	free(text);
	ok(sent >= (unsigned long)count && sent == seen && !lost && !doubled,
	   "%s: sent %lu in all, seen %lu, lost %lu, doubled %lu", name, sent,
	   seen, lost, doubled);
	if (what == toggles)
		return 0;
	in_root = met_root(&given) - in_root;
	given -= given_before;
	ok(given == in_root, "%s: %lu met root, %lu were injected", name,
	   in_root, given);
	return in_root;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 10000;
	unsigned long met;

	if (cpus() < 2) {
		printf("needs two CPUs\n");
		return 77;
	}
	if (load("skyipc_test.ko", "") || load("skyipc.ko", "views=required"))
		give_up("insmod");
	met = send(count, stay, "calls of root");
	ok(met > (unsigned long)count / 20 &&
		   met < (unsigned long)count * 19 / 20,
	   "in root and out: %lu and %lu", met, (unsigned long)count - met);
	met = send(count / 4, cpuids, "CPUID");
	ok(met > (unsigned long)count / 80, "%lu met root", met);
	send(count / 10, toggles, "in and out of VMX");
	ok(!write_file(VIEWS, "on"), "views are on");
	ok(!unload("skyipc") && !unload("skyipc_test"), "rmmod");
	return done();
}
