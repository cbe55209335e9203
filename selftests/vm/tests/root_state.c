/* SPDX-License-Identifier: MIT */
/*
 * Every CPU before the root, with it, and after it: the same registers, but
 * for VMX.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

enum change { SAME, CHANGED, WRONG };

/*
 * A line of skyipc_test's state with the root: is it one that has to change,
 * and has it, in the one right way?
 */
static enum change change(const char *before, const char *with)
{
	unsigned long a, b;
	unsigned int w1[4], w2[4];
	bool right;

	if (sscanf(before, "CR4 %lx", &a) == 1)
		right = sscanf(with, "CR4 %lx", &b) == 1 &&
			(a ^ b) == 1ul << 13; /* VMXE: somebody uses VMX */
	else if (sscanf(before, "CPUID.1.%*u %x %x %x %x", w1, w1 + 1, w1 + 2,
			w1 + 3) == 4)
		right = sscanf(with, "CPUID.1.%*u %x %x %x %x", w2, w2 + 1,
			       w2 + 2, w2 + 3) == 4 &&
			w1[0] == w2[0] && w1[1] == w2[1] && w1[3] == w2[3] &&
			w1[2] == (w2[2] | 1u << 5) && w1[2] != w2[2];
	else if (!strncmp(before, "VMX_", 4))
		right = !strstr(before, " fault") && strstr(with, " fault");
	else if (sscanf(before, "FEATURE_CONTROL %lx", &a) == 1)
		right = sscanf(with, "FEATURE_CONTROL %lx", &b) == 1 && a & 4 &&
			b == (a & ~6ul);
	else
		return strcmp(before, with) ? WRONG : SAME;
	return right ? CHANGED : WRONG;
}

/* How many lines are not as they should; they are told. */
static int compare(const char *before, const char *now, bool root, int *changed)
{
	char *a = strdup(before), *b = strdup(now), *la, *lb, *pa = a, *pb = b;
	int wrong = 0;

	*changed = 0;
	while ((la = strsep(&pa, "\n"), lb = strsep(&pb, "\n"), la && lb)) {
		enum change c = root		 ? change(la, lb)
				: strcmp(la, lb) ? WRONG
						 : SAME;

		*changed += c == CHANGED;
		if (c != WRONG)
			continue;
		note("%s -> %s", la, lb);
		wrong++;
	}
	free(a);
	free(b);
	return wrong + (la || lb);
}

/*
 * The I/O bitmap is behind the limit of TR that only the processor has: with
 * the one that an exit leaves, no port could be used.
 */
static int port(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (ioperm(0x80, 1, 1))
			_exit(1);
		outb(0, 0x80);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		give_up("fork");
	return status;
}

static void each_cpu(char **before, bool root)
{
	for (int i = 0; i < cpus(); i++) {
		int wrong, changed;
		char *now;

		run_on(i);
		now = read_file(TEST "state");
		wrong = compare(before[i], now, root, &changed);
		/* CR4, CPUID.1 four times, FEATURE_CONTROL, two of VMX's */
		ok(!wrong && changed == (root ? 8 : 0),
		   "CPU %d: %s, %d lines have changed", i,
		   root ? "with the root" : "after it", changed);
		free(now);
		ok(!port(), "CPU %d: I/O", i);
	}
}

int main(void)
{
	int n = cpus();
	char **before = calloc((size_t)n, sizeof(*before));

	if (!before || load("skyipc_test.ko", ""))
		give_up("skyipc_test.ko");
	for (int i = 0; i < n; i++) {
		run_on(i);
		before[i] = read_file(TEST "state");
		ok(!port(), "CPU %d: I/O", i);
	}
	ok(!load("skyipc.ko", "views=required"), "insmod views=required");
	each_cpu(before, true);
	ok(!unload("skyipc"), "rmmod");
	each_cpu(before, false);
	for (int i = 0; i < n; i++)
		free(before[i]);
	free(before);
	ok(!unload("skyipc_test"), "rmmod skyipc_test");
	return done();
}
