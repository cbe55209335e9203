/* SPDX-License-Identifier: MIT */
/*
 * Cache lines that all clients write (cfg.variant of them), or that a server
 * writes for them: SHMn and MSGn of Baumann et al., The Multikernel, SOSP'09,
 * figure 3.
 */
#ifndef BENCH_PEER_LINES_H
#define BENCH_PEER_LINES_H

#include "peer.h"

/** Atomic additions; plain ones under a mutex; a server, asked by skyipc. */
extern const struct peer peer_lines_shm, peer_lines_lock, peer_lines_msg;

#endif /* BENCH_PEER_LINES_H */
