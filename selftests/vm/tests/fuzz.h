/* SPDX-License-Identifier: MIT */
/* Of kcall_fuzz: what is called at random, with what, and what is done beside
 */
#ifndef SKYIPC_FUZZ_H
#define SKYIPC_FUZZ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kcall.h"

enum { FUZZ_FDS = 4, FUZZ_AREA = 1 << 20 };

enum fuzz_kind { DEV, SERVER, CONN, LINK, WORKER, KINDS };

/* Of which kind of descriptor, and what kind comes of it */
struct fuzz_number {
	unsigned long number;
	enum fuzz_kind of, makes;
};
extern const struct fuzz_number fuzz_numbers[];
extern const unsigned fuzz_numbers_n;

/* What all processes have together */
struct fuzz_shared {
	_Atomic uint64_t calls;
	/* how often each number was good, and was not */
	_Atomic uint64_t good[24], bad[24];
	_Atomic int end;
	/* so many calls for one thing that is no call */
	unsigned each;
};
extern struct fuzz_shared *fuzz_shared;

/* What all have inherited: sockets over which they pass descriptors, what takes
   everything, and zeroes */
extern int fuzz_pass[2], fuzz_sink, fuzz_zeroes;

/* The process's: what it has open, and memory with holes */
extern _Atomic int fuzz_fds[CONN + 1][FUZZ_FDS];
extern char *fuzz_area;

/*
 * Zeroes, shared with children or not, and nothing next to them: what is told
 * to write past the end writes to nobody. Does not fail.
 */
void *fuzz_memory(size_t len, bool shared);

/* A thread's own */
struct fuzz_thread {
	uint64_t seed;
	/* links and workers work for one thread only */
	_Atomic int fds[KINDS][FUZZ_FDS];
	/* the last call it was given, and whether its own goes on */
	uint64_t token;
	bool resumable;
	/* most of the time, or nobody would ever be served: some serve, and
	   some call */
	bool serves;
};
extern __thread struct fuzz_thread fuzz_me;

union fuzz_argument {
	struct skyipc_dev_info info;
	struct skyipc_dev_server server;
	struct skyipc_dev_connect connect;
	struct skyipc_dev_worker worker;
	struct skyipc_dev_link link;
	struct skyipc_dev_call call;
	struct skyipc_dev_serve serve;
	struct skyipc_dev_forward forward;
	struct skyipc_dev_grant grant;
	struct skyipc_dev_read read;
	struct skyipc_dev_park park;
	char bytes[512];
};

/* xorshift64, of this thread; any if @below is 0 */
uint64_t fuzz_rnd(uint64_t below);
bool fuzz_one_in(uint64_t n);
/* Memory of ours, of the kernel's, and none */
uint64_t fuzz_address(void);
void fuzz_fill(unsigned long number, union fuzz_argument *a);
/* As good as it can be: that of the number @a is for */
void fuzz_mend(unsigned long number, union fuzz_argument *a);

/* One of the descriptors of a kind, mostly one that is open */
_Atomic int *fuzz_slot(enum fuzz_kind kind);
/* -1: none came over @socket; -2: none was in it, as who sent it had none. */
int fuzz_receive_fd(int socket);
/* How a thread takes the signal that wakes those who wait: SIG_BLOCK, or not */
void fuzz_signals(int how);
/* A thread's life; @seed: a number */
void *fuzz_work(void *seed);

#endif
