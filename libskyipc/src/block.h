/* SPDX-License-Identifier: MIT */
/*
 * A worker thread that is about to sleep inside a handler (in a nested call)
 * tells its server, so that another thread can serve meanwhile. The client
 * side knows only these hooks, not servers.
 */
#ifndef SKY_BLOCK_H
#define SKY_BLOCK_H

struct block_hooks {
	/*
	 * About to sleep. Return: whether back() must be called. May be called
	 * again before that.
	 */
	int (*about)(void);
	/* Does not sleep any more. */
	void (*back)(void);
};

/* Set on worker threads while a handler runs, NULL elsewhere. */
extern __thread const struct block_hooks *block_hooks;

static inline int about_to_block(void)
{
	return block_hooks ? block_hooks->about() : 0;
}

#endif
