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
#include "leak.h"

static int rounds = 30;

/* 0 or what turning views on said */
static int inject(const char *step, int cpu)
{
	char line[64];

	snprintf(line, sizeof(line), "%s %d", step, cpu);
	if (write_file(DEBUG "fail", line))
		give_up(step);
	run_on(cpu); /* steps before hotplug fail where we are */
	return write_file(VIEWS, "on");
}

static void fail(const char *step, int cpu)
{
	int error = inject(step, cpu), again;
	char *why;

	why = read_line(VIEWS_WHY);
	ok(error && *why && state_as_kept(), "%s on CPU %d: %s: %s", step, cpu,
	   strerror(-error), why);
	free(why);
	write_file(DEBUG "fail", "none");
	again = write_file(VIEWS, "on");
	if (again || write_file(VIEWS, "off"))
		ok(false, "%s on CPU %d: the next launch works", step, cpu);
}

/* The same many times: what is not given back adds up. */
static void lose(const char *step)
{
	for (int i = 0; i < rounds + 3; i++) {
		if (i == 3)
			leak_begin();
		for (int cpu = 0; cpu < cpus(); cpu++)
			if (!inject(step, cpu))
				give_up(step);
	}
	leak_end(rounds, step);
}

static void each_step(void (*what)(const char *step))
{
	char *steps = read_file(DEBUG "fail"), *at = steps, *step;

	while ((step = strsep(&at, "\n")))
		if (*step && strcmp(step, "none"))
			what(step);
	free(steps);
}

static void fail_everywhere(const char *step)
{
	for (int i = 0; i < cpus(); i++)
		fail(step, i);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = atoi(argv[1]);
	if (load("skyipc_test.ko", "") || load("skyipc.ko", "views=off"))
		give_up("insmod");
	state_keep();
	each_step(fail_everywhere);
	if (rounds)
		each_step(lose);
	write_file(DEBUG "fail", "none");
	ok(write_file(DEBUG "fail", "no-such-step 0") == -EINVAL,
	   "a step that is not there");
	ok(write_file(DEBUG "fail", "vmxon 99999") == -EINVAL,
	   "a CPU that is not there");
	ok(!unload("skyipc") && !unload("skyipc_test"), "rmmod");
	return done();
}
