/* SPDX-License-Identifier: MIT */
/*
 * What root does about traps of its own. NMIs go to Linux; a bug and a stack
 * that overflows make the CPU leave VMX, with a report, and the others follow.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

static char *line_of(int cpu)
{
	char *text = read_file(DEBUG "cpus"), *at = text, *line;
	char begin[16], *found = NULL;

	snprintf(begin, sizeof(begin), "%d ", cpu);
	while ((line = strsep(&at, "\n")))
		if (!strncmp(line, begin, strlen(begin)))
			found = strdup(line);
	free(text);
	return found ? found : strdup("");
}

/* CPU 1 goes by itself, the others follow, and it can be turned on again. */
static void leaves(const char *trap, const char *what)
{
	char *why;

	state_keep();
	if (load("skyipc.ko", "views=required"))
		give_up("insmod skyipc.ko views=required");
	run_on(1);
	write_file(DEBUG "root", trap);
	ok(becomes(VIEWS, "off"), "%s: views go off", what);
	why = read_line(VIEWS_WHY);
	ok(!strcmp(why, "CPU 1 has left VMX: a trap in root"), "%s", why);
	free(why);
	ok(state_as_kept(), "the CPUs are as before");
	ok(!write_file(VIEWS, "on"), "on again");
	why = read_line(VIEWS_WHY);
	ok(!*why, "no reason any more");
	free(why);
	ok(!unload("skyipc"), "rmmod");
}

int main(void)
{
	unsigned long nmis = 0, given = 0;
	char *line;

	if (load("skyipc_test.ko", ""))
		give_up("insmod skyipc_test.ko");
	if (load("skyipc.ko", "views=required"))
		give_up("insmod skyipc.ko views=required");
	run_on(1);
	ok(!write_file(DEBUG "root", "trap 2"), "an NMI in root");
	line = line_of(1);
	sscanf(line, "1 on calls %*u nmis %lu given %lu", &nmis, &given);
	ok(nmis == 1 && given == 1, "it went to Linux: %s", line);
	free(line);
	ok(write_file(DEBUG "root", "trap 3") < 0, "no other traps on request");
	ok(!unload("skyipc"), "rmmod");

	leaves("trap 6", "a bug in root");
	leaves("trap 8", "a stack that overflows");
	ok(!unload("skyipc_test"), "rmmod skyipc_test");
	return done();
}
