/* SPDX-License-Identifier: MIT */
/*
 * What kmemleak says after the tests before, on a kernel that has it: nothing
 * that the module has allocated, nor anybody for it, is without a pointer to
 * it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define KMEMLEAK "/sys/kernel/debug/kmemleak"

/* Scans are not believed until they find a thing that is this old: */
#define MIN_AGE 5 /* s: mm/kmemleak.c, jiffies_min_age */

static void scan(void)
{
	if (write_file(KMEMLEAK, "scan"))
		give_up(KMEMLEAK);
}

/* Each report begins with a line that is not indented. */
static int show(char *text)
{
	int reports = 0;
	char *line, *at = text;

	while ((line = strsep(&at, "\n"))) {
		if (!*line)
			continue;
		reports += *line != ' ';
		note("%s", line);
	}
	return reports;
}

int main(void)
{
	char *text;
	int n;

	if (access(KMEMLEAK, F_OK)) {
		ok(true, "leaks # SKIP no kmemleak in this kernel");
		return done();
	}
	sleep(MIN_AGE + 1);
	scan();
	/* A pointer that was in a register, or had moved, is seen by now. */
	scan();
	text = read_file(KMEMLEAK);
	n = show(text);
	free(text);
	ok(!n, "%d leaks", n);
	return done();
}
