/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls and workers of a server by their numbers. Most servers have few of both:
 * those are found without a way through a tree. Who finds is under RCU, or not
 * preempted.
 */
#ifndef SKYIPC_FIND_H
#define SKYIPC_FIND_H

#include <linux/nospec.h>

#include "server.h"

static inline struct sky_call *sky_find_call(struct sky_server *server, u32 id)
{
	if (id >= SKY_FEW)
		return xa_load(&server->calls, id);
	/* Pairs with sky_set_call(); what it points to depends on it. */
	return READ_ONCE(server->few_calls[array_index_nospec(id, SKY_FEW)]);
}

/* As in server->calls: after it has come there, before it goes. */
static inline void sky_set_call(struct sky_server *server, u32 id,
				struct sky_call *call)
{
	if (id >= SKY_FEW)
		return;
	/* It is whole: pairs with sky_find_call(). */
	smp_store_release(&server->few_calls[id], call);
}

static inline struct sky_worker *sky_find_worker(struct sky_server *server,
						 unsigned int number)
{
	if (number >= SKY_FEW)
		return xa_load(&server->workers, number);
	/* Pairs with sky_set_worker(). */
	return READ_ONCE(server->few_workers[number]);
}

static inline void sky_set_worker(struct sky_server *server,
				  unsigned int number,
				  struct sky_worker *worker)
{
	if (number >= SKY_FEW)
		return;
	/* It is whole: pairs with sky_find_worker(). */
	smp_store_release(&server->few_workers[number], worker);
}

#endif
