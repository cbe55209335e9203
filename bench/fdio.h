/* SPDX-License-Identifier: MIT */
/*
 * Whole messages over descriptors: what pipes and sockets share. The spinning
 * variants use non-blocking descriptors and try again at once: they pay for
 * the system call, but never for waking a sleeper.
 */
#ifndef BENCH_FDIO_H
#define BENCH_FDIO_H

#include "ends.h"

/**
 * fdio_setup - descriptors for all clients, inherited by both sides
 * @make: makes those of one, which become non-blocking if the peer spins.
 */
int fdio_setup(struct run *run, int (*make)(struct run *run, struct ends *e));
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
