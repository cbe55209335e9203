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

#endif
