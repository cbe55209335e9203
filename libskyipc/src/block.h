/* SPDX-License-Identifier: MIT */
/*
 * A worker thread that is about to sleep inside a handler (in a nested call)
 * tells its server, so that another thread can serve meanwhile. The client
 * side knows only these hooks, not servers.
 */
#ifndef SKY_BLOCK_H
#define SKY_BLOCK_H

#include <stdint.h>

struct block_hooks {
	/*
	 * About to sleep on *@word, if not NULL. Return: 1 if there is nobody
	 * to serve meanwhile, but there may be later: *@word is then changed
	 * and woken, once, and the hook wants to be asked again. Until back().
	 */
	int (*about)(_Atomic uint32_t *word);
	/* Does not sleep any more; only after a 1. */
	void (*back)(void);
};

/* Set on worker threads while a handler runs, NULL elsewhere. */
extern __thread const struct block_hooks *block_hooks;

static inline int about_to_block(_Atomic uint32_t *word)
{
	return block_hooks ? block_hooks->about(word) : 0;
}

#endif
