/* SPDX-License-Identifier: MIT */
/*
 * What root counts is read, and its exits are traced, while views go on and
 * off and the module comes and goes.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define TRACING "/sys/kernel/tracing/"
#define EVENT TRACING "events/skyipc/skyipc_vmx_exit/enable"
#define READERS 2

/* They may be gone for a moment. */
static void read_all(void)
{
	static const char *const files[] = { DEBUG "cpus", DEBUG "exits",
					     VIEWS_WHY };
	char buf[4096];

	for (unsigned i = 0;; i++) {
		int fd = open(files[i % 3], O_RDONLY | O_CLOEXEC);

		while (fd >= 0 && read(fd, buf, sizeof(buf)) > 0)
			;
		if (fd >= 0)
			close(fd);
	}
}

static void race(int toggles, int loads)
{
	pid_t readers[READERS];
	int bad = 0, status;

	for (int i = 0; i < READERS; i++) {
		readers[i] = fork();
		if (readers[i] < 0)
			give_up("fork");
		if (!readers[i])
			read_all();
	}
	for (int i = 0; i < toggles; i++)
		bad += write_file(VIEWS, "off") || write_file(VIEWS, "on");
	ok(!bad, "%d times off and on", toggles);
	for (int i = 0; i < loads; i++) {
		int error;

		/* a reader may have one of its files open just now */
		while ((error = unload("skyipc")) == -EWOULDBLOCK)
			;
		bad += error || load("skyipc.ko", "views=required") ||
		       write_file(EVENT, "1");
	}
	ok(!bad, "%d times out and in", loads);
	for (int i = 0; i < READERS; i++) {
		bad += waitpid(readers[i], &status, WNOHANG) != 0;
		kill(readers[i], SIGKILL);
		waitpid(readers[i], &status, 0);
	}
	ok(!bad, "the readers have read on");
}

static bool traced(const char *what)
{
	char *text = read_file(TRACING "trace");
	bool found = strstr(text, what);

	free(text);
	return found;
}

int main(void)
{
	unsigned int a, b, c, d;

	if (load("skyipc.ko", "views=required"))
		give_up("insmod skyipc.ko views=required");
	if (write_file(EVENT, "1"))
		give_up(EVENT);
	race(30, 10);
	__cpuid(0, a, b, c, d);
	write_file(VIEWS, "off"); /* and what is noted is told */
	ok(traced("skyipc_vmx_exit: cpu=0 reason=18 (vmcall) rip="),
	   "calls of root are traced");
	ok(a && traced("(cpuid)"), "CPUID is");
	write_file(EVENT, "0");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
