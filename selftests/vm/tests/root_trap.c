/* SPDX-License-Identifier: MIT */
/*
 * What root does about traps of its own. NMIs and machine checks go to Linux;
 * a bug and a stack that overflows make the CPU leave VMX, with a report.
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

static void leaves(const char *trap, const char *what)
{
	char *line;

	if (load("skyipc.ko", "views=required"))
		give_up("insmod skyipc.ko views=required");
	run_on(1);
	write_file(DEBUG "root", trap);
	line = line_of(1);
	ok(strstr(line, "left") && strstr(line, "a trap in root"), "%s: %s",
	   what, line);
	free(line);
	line = line_of(0);
	ok(!strncmp(line, "0 on", 4), "CPU 0 is still in: %s", line);
	free(line);
	ok(!unload("skyipc"), "rmmod");
}

int main(void)
{
	unsigned long nmis = 0, given = 0;
	char *line;

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
	return done();
}
