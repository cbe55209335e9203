/* SPDX-License-Identifier: MIT */
#include "apps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "guest.h"

/* A runtime directory as it should be: lists have one that all may write to. */
#define DIR "/tmp/apps"
#define IN_DIR "SKYIPC_DIR=" DIR " "

static bool begins_and_ends(const char *line, const char *begin,
			    const char *end)
{
	size_t n = strlen(line), m = strlen(end);

	return !strncmp(line, begin, strlen(begin)) && n >= m &&
	       !strcmp(line + n - m, end);
}

/* Its exit status; @found: was there such a line? */
static int run(const char *command, const char *begin, const char *end,
	       bool *found)
{
	FILE *f = popen(command, "r");
	char line[1024];

	if (!f)
		give_up(command);
	*found = false;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		*found |= begins_and_ends(line, begin, end);
	}
	return pclose(f);
}

bool doctor_says(const char *begin, const char *end)
{
	bool found;

	if (system("modprobe msr"))
		give_up("modprobe msr");
	mkdir(DIR, 0700);
	return !run(IN_DIR "skyctl doctor", begin, end, &found) && found;
}

void application_over(const char *transport)
{
	char begin[64];
	bool found;
	int status;

	mkdir(DIR, 0700);
	snprintf(begin, sizeof(begin), "1600 calls through %s, ", transport);
	status = run(IN_DIR "statistics", begin, "", &found);
	ok(!status && found, "an application works, over %s", transport);
}
