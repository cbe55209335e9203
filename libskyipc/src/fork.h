/* SPDX-License-Identifier: MIT */
/* What has to be done around fork(), by whoever has something to do. */
#ifndef SKY_FORK_H
#define SKY_FORK_H

struct fork_hook {
	void (*prepare)(void);	 /* take locks */
	void (*done)(int child); /* release them, in the parent or the child */
	struct fork_hook *next;
};

/*
 * Add @hook for good. Hooks are prepared in the reverse order of their addition
 * and done in order, so that locks nest.
 */
void fork_hook_add(struct fork_hook *hook);

#endif
