/* SPDX-License-Identifier: MIT */
/* fuzz.h - what the fuzzers of libskyipc share */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "food.h"
#include "proto.h"
#include "flags.h"
#include "shm_layout.h"
#include "skyipc.h"

#define FUZZ_DEPTH 4u
#define FUZZ_BUFS 2u
#define FUZZ_BUF_SIZE 4096u

/* Abort unless the lowest free descriptor is what it was at the first call. */
void no_fd_left(void);

/* A path in the runtime directory; removed at exit. */
const char *fuzz_path(const char *name);

int send_fds(int sock, const void *msg, size_t len, const int *fds, unsigned n);
/* Length or -1, without waiting unless @wait; one descriptor or -1. */
ssize_t recv_fd(int sock, union proto_msg *msg, int *fd, int wait);

#endif
