/* SPDX-License-Identifier: MIT */
/*
 * Every step of a launch fails on every CPU, and is unwound: the machine is as
 * before, and the next launch works.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

#define MAX_CPUS 64

static char *before[MAX_CPUS];

static char *state_of(int cpu)
{
	run_on(cpu);
	return read_file(TEST "state");
}

/* As it was, on all CPUs? */
static bool as_before(void)
{
	bool same = true;

	for (int i = 0; i < cpus(); i++) {
		char *now = state_of(i);

		same &= !strcmp(now, before[i]);
		free(now);
	}
	return same;
}

static void fail(const char *step, int cpu)
{
	char line[64], *why;
	int error, again;

	snprintf(line, sizeof(line), "%s %d", step, cpu);
	if (write_file(DEBUG "fail", line))
		give_up(step);
	run_on(cpu < 0 ? 0 : cpu); /* steps before hotplug fail where we are */
	error = write_file(VIEWS, "on");
	why = read_file(VIEWS_WHY);
	why[strcspn(why, "\n")] = '\0';
	ok(error && *why && as_before(), "%s on CPU %d: %s: %s", step, cpu,
	   strerror(-error), why);
	free(why);
	write_file(DEBUG "fail", "none");
	again = write_file(VIEWS, "on");
	if (again || write_file(VIEWS, "off"))
		ok(false, "%s on CPU %d: the next launch works", step, cpu);
}

int main(void)
{
	char *steps, *at, *step;

	if (load("skyipc_test.ko", "") || load("skyipc.ko", "views=off"))
		give_up("insmod");
	for (int i = 0; i < cpus(); i++)
		before[i] = state_of(i);
	at = steps = read_file(DEBUG "fail");
	while ((step = strsep(&at, "\n")))
		for (int i = 0; *step && strcmp(step, "none") && i < cpus();
		     i++)
			fail(step, i);
	free(steps);
	ok(write_file(DEBUG "fail", "no-such-step 0") == -EINVAL,
	   "a step that is not there");
	ok(write_file(DEBUG "fail", "vmxon 99999") == -EINVAL,
	   "a CPU that is not there");
	ok(!unload("skyipc") && !unload("skyipc_test"), "rmmod");
	return done();
}
