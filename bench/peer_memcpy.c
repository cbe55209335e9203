/* SPDX-License-Identifier: MIT */
/*
 * The reference of throughput: memcpy() of the same size, on the client's CPU,
 * from private memory into a shared mapping, both touched before; over and
 * over from and to the same place, so as warm in the caches as the peers'
 * buffers are. It is not a call: nobody looks at what was copied.
 */
#include <stdlib.h>

#include "peer.h"

struct copy {
	unsigned char *from, *to;
	size_t size;
};

static int copy_setup(struct run *run)
{
	return run_shared(run, run->cfg.size * run->cfg.clients) ? PEER_OK
								 : PEER_FAILED;
}

static void *copy_open(struct run *run, unsigned client)
{
	struct copy *c = run_alloc(run, sizeof(*c));

	if (!c)
		return NULL;
	c->size = run->cfg.size;
	c->to = (unsigned char *)run->mem + client * c->size;
	c->from = run_private(run, c->size);
	return c->from ? c : NULL;
}

static int copy_call(void *conn)
{
	struct copy *c = conn;

	memcpy(c->to, c->from, c->size);
	/* Somebody might look: the compiler has to copy every time. */
	__asm__ volatile("" ::"r"(c->to) : "memory");
	return 0;
}

const struct peer peer_memcpy = {
	.name = "memcpy",
	.mode = "-",
	.copies = "1 (and no call)",
	.flags = PEER_LOCAL | PEER_CONTROL,
	.setup = copy_setup,
	.open = copy_open,
	.call = copy_call,
	.close = free,
};
