/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a CPU may remember of a server's address space while it runs a client.
 *
 * Linux flushes the CPUs that run the server, and not those; so we do. A CPU
 * where no client of the server's runs hears of it when one does.
 */
#ifndef SKYIPC_VIEW_FLUSH_H
#define SKYIPC_VIEW_FLUSH_H

#include <linux/atomic.h>
#include <linux/types.h>

struct sky_server;

/* In each server */
struct view_target {
	atomic_t links;		/* that have a view of it */
	atomic64_t changes;	/* of its page tables, while there are any */
};

/*
 * Translations are gone, and what they led to may be freed when this returns. Does
 * not sleep; IRQs are on.
 */
void view_target_changed(struct view_target *target);
/* The server is dead: nobody is in a view of it when this returns. May sleep. */
void view_target_dies(struct view_target *target);

#endif
