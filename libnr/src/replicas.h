/* SPDX-License-Identifier: MIT */
/* replicas.h - the list of replicas */
#ifndef NR_REPLICAS_H
#define NR_REPLICAS_H

#include "replica.h"

/*
 * Make one on @place with init: only before anybody takes part, for it has
 * nothing of the log. 0 or -errno.
 */
int replicas_make(struct nr *nr, uint32_t place);

/* The list of them: @r is its last one; is none of it. */
void replicas_link(struct nr *nr, struct replica *r);
void replicas_unlink(struct nr *nr, struct replica *r);

/*
 * Before anybody takes part: something of each replica is read beside updates,
 * without its lock (vspace.c); see apply_concurrent().
 */
void replicas_concurrent(struct nr *nr);

/* Of places, that with the fewest replicas. */
uint32_t replicas_place(const struct nr *nr);

/*
 * nr_create(); @parts, which stays, if it is one of the logs of a structure:
 * then there is no replica yet.
 */
int nr_make(const struct nr_ops *ops, const struct nr_attr *attr,
	    const struct nr_parts *parts, struct nr **out);

#endif
