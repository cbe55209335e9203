/* SPDX-License-Identifier: MIT */
#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "load.h"

#define PAGES 32

static pid_t *children;
static int n_children;
static volatile sig_atomic_t ticks;

static void tick(int signal)
{
	(void)signal;
	ticks++;
}

static void timers(void)
{
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } };

	signal(SIGALRM, tick);
	setitimer(ITIMER_REAL, &often, NULL);
}

/* Another thread of this process, on another CPU, makes mprotect() send IPIs.
 */
static void *spin(void *arg)
{
	volatile char *p = arg;

	for (;;)
		(void)p[0];
	return NULL;
}

static void faults(char *p, size_t size)
{
	for (size_t i = 0; i < size; i += 4096)
		p[i]++;
	if (mprotect(p, size, PROT_READ) ||
	    mprotect(p, size, PROT_READ | PROT_WRITE))
		_exit(1);
	madvise(p, size, MADV_DONTNEED);
}

static void processes(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(42);
	/* timers interrupt it */
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		;
	if (pid > 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 42))
		_exit(2);
}

/* Vector registers must survive whatever happens in between. */
static void vectors(void)
{
	double x[8], y[8];

	for (int i = 0; i < 8; i++)
		x[i] = i * 1.5;
	memcpy(y, x, sizeof(x));
	for (int n = 0; n < 1000; n++)
		for (int i = 0; i < 8; i++)
			y[i] = y[i] * 3.0 / 3.0;
	if (memcmp(x, y, sizeof(x)))
		_exit(3);
}

/* It may be offline just now; any other will do then. */
static void prefer(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void work(int cpu)
{
	size_t size = PAGES * 4096;
	unsigned int a, b, c, d;
	pthread_t thread;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || pthread_create(&thread, NULL, spin, p))
		_exit(4);
	prefer(cpu);
	/* What is tested under it gets on, and is interrupted as often. */
	if (nice(10) < 0)
		_exit(6);
	timers();
	for (;;) {
		for (int i = 0; i < 200; i++)
			syscall(SYS_getppid);
		faults(p, size);
		processes();
		vectors();
		__cpuid(0, a, b, c, d);
		if (!a)
			_exit(5);
		syscall(SYS_sched_yield);
	}
}

void load_start(void)
{
	n_children = cpus();
	children = calloc((size_t)n_children, sizeof(*children));
	if (!children)
		give_up("load");
	for (int i = 0; i < n_children; i++) {
		children[i] = fork();
		if (!children[i])
			work(i);
		if (children[i] < 0)
			give_up("fork");
	}
}

bool load_stop(void)
{
	bool good = true;

	for (int i = 0; i < n_children; i++) {
		int status;

		if (waitpid(children[i], &status, WNOHANG)) {
			note("load on CPU %d has ended: %#x", i, status);
			good = false;
			continue;
		}
		kill(children[i], SIGKILL);
		waitpid(children[i], &status, 0);
	}
	free(children);
	return good;
}
