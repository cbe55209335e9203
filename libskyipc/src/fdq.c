/* SPDX-License-Identifier: MIT */
#include "fdq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sock.h"

struct fdq_entry {
	struct fdq_entry *next;
	uint64_t pos;
	uint32_t chan;
	unsigned n;
	int *fds;
};

int fdq_put(struct fdq *q, uint32_t chan, uint64_t pos, const int *fds,
	    unsigned n)
{
	struct fdq_entry *e = malloc(sizeof(*e)), **at;

	if (e)
		e->fds = malloc(n * sizeof(int) + 1);
	if (!e || !e->fds) {
		free(e);
		close_fds(fds, n);
		return -ENOMEM;
	}
	memcpy(e->fds, fds, n * sizeof(int));
	e->n = n;
	e->chan = chan;
	e->pos = pos;
	e->next = NULL;
	for (at = &q->first; *at; at = &(*at)->next)
		;
	*at = e;
	q->total += n;
	return 0;
}

int fdq_take(struct fdq *q, uint32_t chan, uint64_t pos, int **fds)
{
	for (struct fdq_entry **at = &q->first; *at; at = &(*at)->next) {
		struct fdq_entry *e = *at;
		int n = (int)e->n;

		if (e->chan != chan || e->pos != pos)
			continue;
		*at = e->next;
		*fds = e->fds;
		q->total -= e->n;
		free(e);
		return n;
	}
	return -ENOENT;
}

void fdq_clear(struct fdq *q)
{
	while (q->first) {
		struct fdq_entry *e = q->first;

		q->first = e->next;
		close_fds(e->fds, e->n);
		free(e->fds);
		free(e);
	}
	q->total = 0;
}
