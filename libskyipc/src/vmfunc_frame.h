/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_frame.h - a call by VMFUNC where C meets assembly
 *
 * What is usual takes no C at all: a short call, with the connection's default
 * time, of the operation that the same client called before, whose handler's
 * reply is short. Whatever is not usual, and one call in 64, goes through C on
 * that side, which then sets up the usual again.
 */
#ifndef SKY_VMFUNC_FRAME_H
#define SKY_VMFUNC_FRAME_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "serving.h"
#include "skyipc_dev.h"
#include "vmfunc_asm.h"
#include "vmfunc_count.h"
#include "vmfunc_fast.h"

struct vmfunc_lender;

/* At the top of a stack that is lent, and where it begins */
struct vmfunc_frame {
	struct serving serving;	   /* of the usual call: all but op, in, out */
	struct skyipc_dev_msg msg; /* any: the request, and then the reply */
	uint64_t sp;		   /* where its thread waits */
	uint64_t ext;		   /* what is usual: ext[KCALL_FLAGS], */
	uint32_t op;
	uint32_t left; /* so many more times, */
	_Atomic int32_t *permits;
	skyipc_handler fn;
	void *arg;
	/* Of a handler that has called on: its stack, or 0; PKRU; key */
	uint64_t nest[3] __attribute__((aligned(16)));
	uint64_t key;	   /* of the link: a usual reply shows it */
	uint64_t has_pkru; /* may threads use protection keys? */
	uint64_t nothing;  /* ext: nothing is usual; no client knows it */
	struct vmfunc_count count; /* ... as others see them */
	uint64_t in_c;		   /* calls that have gone through C */
	uint64_t untold;	   /* calls since one was timed */
	struct vmfunc_lender *lender;
} __attribute__((aligned(64)));

#define VMFUNC_IS(type, field, at)                                             \
	static_assert(offsetof(struct type, field) == (at), #field)
VMFUNC_IS(skyipc_dev_msg, op, VMFUNC_OP);
VMFUNC_IS(skyipc_dev_msg, status, VMFUNC_STATUS);
VMFUNC_IS(skyipc_dev_msg, words, VMFUNC_WORDS);
VMFUNC_IS(skyipc_dev_msg, ext, VMFUNC_EXT);
VMFUNC_IS(serving, call, 0);
VMFUNC_IS(skyipc_call, op, VMFUNC_CALL_OP);
VMFUNC_IS(skyipc_call, in, VMFUNC_CALL_IN);
VMFUNC_IS(skyipc_call, out, VMFUNC_CALL_OUT);
VMFUNC_IS(skyipc_call, reply_len, VMFUNC_CALL_REPLY_LEN);
VMFUNC_IS(skyipc_call, reply_nfds, VMFUNC_CALL_REPLY_NFDS);
VMFUNC_IS(skyipc_call, flags, VMFUNC_CALL_REPLY_NFDS + 4);
VMFUNC_IS(vmfunc_frame, serving, 0);
VMFUNC_IS(vmfunc_frame, msg, VMFUNC_FRAME_MSG);
VMFUNC_IS(vmfunc_frame, sp, VMFUNC_FRAME_SP);
VMFUNC_IS(vmfunc_frame, ext, VMFUNC_FRAME_EXT);
VMFUNC_IS(vmfunc_frame, left, VMFUNC_FRAME_LEFT);
VMFUNC_IS(vmfunc_frame, permits, VMFUNC_FRAME_PERMITS);
VMFUNC_IS(vmfunc_frame, fn, VMFUNC_FRAME_FN);
VMFUNC_IS(vmfunc_frame, arg, VMFUNC_FRAME_ARG);
VMFUNC_IS(vmfunc_frame, nest, VMFUNC_FRAME_NEST);
VMFUNC_IS(vmfunc_frame, key, VMFUNC_FRAME_KEY);
VMFUNC_IS(vmfunc_frame, has_pkru, VMFUNC_FRAME_HAS_PKRU);
static_assert(CALL_BUSY == VMFUNC_CALL_BUSY, "CALL_BUSY");

/* The entry of threads that lend themselves, with a frame as their stack */
void vmfunc_landing(void);
/* Where such a thread goes on with a handler that has made a nested call */
void vmfunc_nested(void);
/* ... and if there is none: frame->msg says so */
void vmfunc_nobody(struct vmfunc_frame *frame);
/* It is not usual: handle frame->msg. In the server, by whatever thread */
void vmfunc_serve(struct vmfunc_frame *frame);
/* It is one in so many, and has a permit. */
void vmfunc_due(struct vmfunc_frame *frame);
/* Likewise; a permit has been taken that is not there. */
void vmfunc_busy(struct vmfunc_frame *frame);
/*
 * The handler's reply is not usual; or others wait for a permit (@waits), which
 * has been given back already: from frame->serving to frame->msg.
 */
void vmfunc_served(struct vmfunc_frame *frame, int32_t status, int waits);

/*
 * By a thread that has lent itself: what wait(arg) returns; or 1: it has not,
 * but a call has ended here, and frame->msg is its reply.
 */
int vmfunc_wait(struct vmfunc_frame *frame, int (*wait)(void *), void *arg);

#endif
