/* SPDX-License-Identifier: MIT */
/* The descriptors of one client and its server, made before both are forked. */
#ifndef BENCH_ENDS_H
#define BENCH_ENDS_H

#include "peer.h"

/* Of a socket, in and out are the same descriptor. */
struct ends {
	int client_in, client_out;
	int server_in, server_out;
};

/** All @n have no descriptors yet, so ends_close() may be called. */
void ends_clear(struct ends *e, unsigned n);

/** A pipe for each direction; or a pair of UNIX sockets of @type. */
int ends_pipes(struct run *run, struct ends *e);
int ends_sockets(struct run *run, struct ends *e, int type);

/** Make them non-blocking, for peers that spin. */
int ends_nonblock(struct run *run, const struct ends *e);

void ends_close(struct ends *e, unsigned n);

#endif /* BENCH_ENDS_H */
