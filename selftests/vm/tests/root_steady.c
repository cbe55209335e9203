/* SPDX-License-Identifier: MIT */
/*
 * Steady state: a million system calls, page faults, context switches, on all
 * CPUs, and not one exit.
 */
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "load.h"

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

/* Is this all that has exited, so far? */
static bool only(const char *const *allowed)
{
	char *text = read_file(DEBUG "exits"), *at = text, *line;
	bool good = true;

	while ((line = strsep(&at, "\n"))) {
		char name[32];
		int i = 0;

		if (sscanf(line, "%*d %*s %31s", name) != 1)
			continue;
		while (allowed[i] && strcmp(allowed[i], name))
			i++;
		if (allowed[i])
			continue;
		note("%s", line);
		good = false;
	}
	free(text);
	return good;
}

/* A minute of everything: what docs/root.md lists for a running system. */
static void busy_minute(int seconds)
{
	static const char *const allowed[] = { "cpuid", "vmcall", NULL };
	struct timespec start, now;

	load_start();
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		struct timespec second = { 1, 0 };

		nanosleep(&second, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < seconds);
	ok(load_stop(), "%d s of mixed load", seconds);
	ok(only(allowed), "%llu exits by CPUID, none that is not listed",
	   exits("cpuid"));
}

int main(int argc, char **argv)
{
	unsigned long long before, after;
	int n = cpus(), status, good = 0;
	unsigned int a, b, c, d;

	if (load("skyipc.ko", "views=required"))
		give_up("insmod skyipc.ko views=required");
	busy_minute(argc > 1 ? atoi(argv[1]) : 60);
	for (int i = 0; i < 200; i++)
		__cpuid(0, a, b, c, d);
	before = exits(NULL);
	ok(a && before > 100, "exits are counted");
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
	ok(becomes(VIEWS, "on"), "views are still on");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
