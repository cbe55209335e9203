/* SPDX-License-Identifier: MIT */
/*
 * Channels in shared memory, one for each client: what the peer wakes with,
 * its head, and behind it, page-aligned, the payload. The client copies the
 * payload there once; the server answers in place.
 */
#ifndef BENCH_CHAN_H
#define BENCH_CHAN_H

#include "peer.h"

/** A client's connection. */
struct chan_conn {
	void *chan; /* the peer's own structure, which ends with the payload */
	struct run *run;
	uint64_t serial;
	unsigned char *source; /* private */
	size_t size;
};

/** Make all channels, zeroed; @head is the structure's size. */
int chan_setup(struct run *run, size_t head);

/** The channel of @client, in parent, server and client alike. */
void *chan_of(const struct run *run, size_t head, unsigned client);

/** As struct peer's open(); free() closes it. */
struct chan_conn *chan_open(struct run *run, size_t head, unsigned client);

#endif /* BENCH_CHAN_H */
