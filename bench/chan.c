/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "chan.h"

static size_t chan_len(const struct run *run, size_t head)
{
	return head + page_align(run->cfg.size);
}

int chan_setup(struct run *run, size_t head)
{
	size_t len = run->cfg.clients * chan_len(run, head);

	return run_shared(run, len) ? PEER_OK : PEER_FAILED;
}

void *chan_of(const struct run *run, size_t head, unsigned client)
{
	return (unsigned char *)run->mem + client * chan_len(run, head);
}

struct chan_conn *chan_open(struct run *run, size_t head, unsigned client)
{
	struct chan_conn *c = run_alloc(run, sizeof(*c));

	if (!c)
		return NULL;
	c->chan = chan_of(run, head, client);
	c->run = run;
	c->size = run->cfg.size;
	c->source = run_private(run, c->size);
	return c->source ? c : NULL;
}
