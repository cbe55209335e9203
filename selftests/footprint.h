/* SPDX-License-Identifier: MIT */
/* What a process holds because of skyipc: compared before and after. */
#ifndef FOOTPRINT_H
#define FOOTPRINT_H

#include <sys/types.h>

struct footprint {
	int fds;
	int maps; /* of memory shared by skyipc */
};

struct footprint footprint_of(pid_t pid);

/* Is it @fp within @ms? 1: yes; 0: no, and *@now is what it is. */
int footprint_becomes(pid_t pid, const struct footprint *fp, unsigned ms,
		      struct footprint *now);

/* The same within a second; otherwise the test fails with both. */
void footprint_is(pid_t pid, const struct footprint *fp, const char *what);

#endif
