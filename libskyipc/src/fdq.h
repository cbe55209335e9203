/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that came over the socket and wait for the call they belong to.
 * Not locked: the owner's lock covers it.
 */
#ifndef SKY_FDQ_H
#define SKY_FDQ_H

#include <stdint.h>

struct fdq_entry;

struct fdq {
	struct fdq_entry *first, **end; /* end: if there is a first */
	unsigned total;			/* descriptors in all entries */
	unsigned lost;			/* entries of fdq_lose() */
};

/* Takes over the descriptors; on -ENOMEM they are closed. */
int fdq_put(struct fdq *q, uint32_t chan, uint64_t pos, const int *fds,
	    unsigned n);

/* Those of one call cannot be had: remember @err (a negative errno) instead. */
int fdq_lose(struct fdq *q, uint32_t chan, uint64_t pos, int err);

/*
 * Take those of one call. Return: how many, and *@fds, the caller's to free
 * with free(); -ENOENT: none have come; what fdq_lose() was told.
 */
int fdq_take(struct fdq *q, uint32_t chan, uint64_t pos, int **fds);

/* Close and free everything. */
void fdq_clear(struct fdq *q);

#endif
