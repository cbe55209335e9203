/* SPDX-License-Identifier: MIT */
/*
 * Steady state: a million system calls, page faults, context switches, on all
 * CPUs, and not one exit.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define CALLS 1000000
#define FAULTS 20000
#define SWITCHES 10000

static void faults(void)
{
	size_t size = 64 * 4096;

	for (int n = 0; n < FAULTS; n += 64) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(1);
		for (size_t i = 0; i < size; i += 4096)
			p[i] = 1;
		munmap(p, size);
	}
}

/* Two processes on one CPU hand a byte to and fro. */
static void switches(void)
{
	int there[2], back[2];
	char byte = 0;
	pid_t pid;

	if (pipe(there) || pipe(back))
		_exit(1);
	pid = fork();
	if (pid < 0)
		_exit(1);
	for (int i = 0; i < SWITCHES; i++) {
		if (!pid) {
			if (read(there[0], &byte, 1) != 1 ||
			    write(back[1], &byte, 1) != 1)
				_exit(1);
		} else if (write(there[1], &byte, 1) != 1 ||
			   read(back[0], &byte, 1) != 1) {
			_exit(1);
		}
	}
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static void work(int cpu)
{
	run_on(cpu);
	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	faults();
	switches();
}

int main(void)
{
	unsigned long long before, after;
	int n = cpus(), status, good = 0;

	if (load("skyipc.ko", "views=required"))
		give_up("insmod skyipc.ko views=required");
	before = exits(NULL);
	for (int i = 0; i < n; i++)
		if (!fork()) {
			work(i);
			_exit(0);
		}
	for (int i = 0; i < n; i++)
		good += wait(&status) > 0 && !status;
	after = exits(NULL);
	ok(good == n, "the work is done on %d CPUs", n);
	ok(after == before,
	   "%d system calls, %d faults, %d switches each: %llu exits", CALLS,
	   FAULTS, SWITCHES, after - before);
	ok(exits("vmcall") >= (unsigned long long)n, "exits are counted");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
