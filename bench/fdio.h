/* SPDX-License-Identifier: MIT */
/*
 * Whole messages over descriptors: what pipes and sockets share. The spinning
 * variants use non-blocking descriptors and try again at once: they pay for
 * the system call, but never for waking a sleeper.
 */
#ifndef BENCH_FDIO_H
#define BENCH_FDIO_H

#include "peer.h"

enum fdio_kind { FDIO_STREAM, FDIO_PACKET };

/** One client's four ends, made in setup() and inherited. */
struct fdio_chan {
	int client_in, client_out;
	int server_in, server_out;
};

/** run->mem for these peers; room for all clients. */
struct fdio_chan *fdio_chans(struct run *run);

/** Make the descriptors non-blocking if the peer spins; close the array's. */
int fdio_prepare(struct run *run);
void fdio_teardown(struct run *run);

int fdio_serve_stream(struct run *run, unsigned client);
int fdio_serve_packet(struct run *run, unsigned client);
void *fdio_open(struct run *run, unsigned client);
int fdio_call_stream(void *conn);
int fdio_call_packet(void *conn);
int fdio_submit_stream(void *conn);
int fdio_submit_packet(void *conn);
int fdio_reap_stream(void *conn);
int fdio_reap_packet(void *conn);

#endif /* BENCH_FDIO_H */
