/* SPDX-License-Identifier: MIT */
/* vmfunc_lender.h - a thread that lends its stack and its storage */
#ifndef SKY_VMFUNC_LENDER_H
#define SKY_VMFUNC_LENDER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct block_hooks;
struct kcall_worker;
struct sconn;
struct vmfunc_frame;

struct vmfunc_lender {
	LIST_ENTRY(vmfunc_lender) entry; /* the server's: alive, or ended */
	struct sconn *conn;		 /* referenced */
	pthread_t thread;
	int state; /* 0: not there yet; 1: it has lent itself; -errno */
	char *stack;
	size_t size;
	struct vmfunc_frame *frame;
	struct kcall_worker *worker;
	_Atomic int32_t no_permit; /* of who has given back his already */
};

/* Of whoever runs with its storage */
extern __thread struct vmfunc_lender *my_lender;
/* ... when its handler makes a nested call */
extern const struct block_hooks vmfunc_block_hooks;

/* It ends: what it has counted, into its connection; under the server's lock */
void vmfunc_lender_counts(const struct vmfunc_lender *l);

#endif
