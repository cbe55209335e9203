/* SPDX-License-Identifier: MIT */
/*
 * A worker thread that is about to sleep inside a handler (in a nested call)
 * tells its server, so that another thread can serve meanwhile. The client
 * side knows only this hook, not servers.
 */
#ifndef SKY_BLOCK_H
#define SKY_BLOCK_H

/* Set on worker threads while a handler runs, NULL elsewhere. */
extern __thread void (*block_hook)(void);

static inline void about_to_block(void)
{
	if (block_hook)
		block_hook();
}

#endif
