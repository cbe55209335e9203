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
	int err;
	int *fds;
};

static void append(struct fdq *q, struct fdq_entry *e)
{
	*(q->first ? q->end : &q->first) = e;
	q->end = &e->next;
}

int fdq_put(struct fdq *q, uint32_t chan, uint64_t pos, const int *fds,
	    unsigned n)
{
	struct fdq_entry *e = calloc(1, sizeof(*e));

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
	append(q, e);
	q->total += n;
	return 0;
}

int fdq_lose(struct fdq *q, uint32_t chan, uint64_t pos, int err)
{
	struct fdq_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->chan = chan;
	e->pos = pos;
	e->err = err;
	append(q, e);
	q->lost++;
	return 0;
}

int fdq_take(struct fdq *q, uint32_t chan, uint64_t pos, int **fds)
{
	for (struct fdq_entry **at = &q->first; *at; at = &(*at)->next) {
		struct fdq_entry *e = *at;
		int n = e->err ? e->err : (int)e->n;

		if (e->chan != chan || e->pos != pos)
			continue;
		*at = e->next;
		if (!e->next)
			q->end = at;
		*fds = e->fds;
		q->total -= e->n;
		q->lost -= e->err != 0;
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
	q->end = NULL;
	q->total = q->lost = 0;
}
