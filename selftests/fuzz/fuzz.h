/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what the fuzzers share
 *
 * Each is a libFuzzer program. With FUZZ_SEEDS=DIR in the environment it only
 * writes its first inputs there. A crash, a sanitizer's report, an abort() (a
 * descriptor left open, say) or an input that takes too long is a finding.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto.h"
#include "flags.h"
#include "shm_layout.h"
#include "skyipc.h"

#define FUZZ_DEPTH 4u
#define FUZZ_BUFS 2u
#define FUZZ_BUF_SIZE 4096u

/* libFuzzer's entry points. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input, eaten from the front; zeros when it is used up. */
struct food {
	const uint8_t *at;
	size_t left;
};
uint8_t eat(struct food *f);
void eat_bytes(struct food *f, void *to, size_t n);

/* Write one seed if FUZZ_SEEDS is set. */
void seed(const char *name, const void *data, size_t size);
/* After the last seed: ends the program if they were all that was wanted. */
void seeds_end(void);

/* Abort unless the lowest free descriptor is what it was at the first call. */
void no_fd_left(void);

/* A path in the runtime directory; removed at exit. */
const char *fuzz_path(const char *name);

int send_fds(int sock, const void *msg, size_t len, const int *fds, unsigned n);
/* Length or -1, without waiting unless @wait; one descriptor or -1. */
ssize_t recv_fd(int sock, union proto_msg *msg, int *fd, int wait);

#endif
