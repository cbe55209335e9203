/* SPDX-License-Identifier: MIT */
/*
 * Something is done once for each allocation that the module makes for it, and
 * that one fails: it comes to -ENOMEM, changes nothing, and does when tried
 * again.
 */
#ifndef SKYIPC_NOMEM_H
#define SKYIPC_NOMEM_H

#include <stdbool.h>
#include <sys/types.h>

struct nomem {
	const char *name;
	/* All is as before it, and nothing fails in it; NULL: nothing to do */
	void (*prepare)(void);
	/* 0 or more, or -errno */
	int (*does)(void);
	/* What @does has come to is taken back. */
	void (*undo)(int made);
	/* In whose calls of the module; 0: in all of them */
	pid_t *thread;
	/* It has that many allocations, or more; 0: none */
	unsigned least;
	/* It may also come to what it should without that memory. */
	bool may_do;
};

/* skyipc_test is loaded, skyipc is not. A test: all they import is known. */
void nomem_begin(void);
/* One test, and whether it passed; @quiet: only if it has not. With
 * NOMEM_ONE_IN in the environment each fails that is the first of so many. */
bool nomem_each(const struct nomem *what, bool quiet);
/* All @n, a test each; and so many times, if any, and nothing is lost: leak.h
 */
void nomem_all(const struct nomem *what, unsigned n, int rounds);

#endif
