/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_fast.h - a call by VMFUNC as the client has it in assembly
 */
#ifndef SKY_VMFUNC_FAST_H
#define SKY_VMFUNC_FAST_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "skyipc.h"
#include "vmfunc_asm.h"

struct chan;
struct skyipc_dev_msg;

/* Before the struct chan: a line of what the fast way needs */
struct vmfunc_fast {
	/*
	 * So many calls less one may go that way before one goes in C; -1:
	 * none. And a bit that is set while one goes, which -1 has, too.
	 */
	uint32_t left;
	uint32_t slot;
	uint64_t key;
	char *page;		    /* the thread's */
	uint64_t timeout;	    /* the connection's */
	uint64_t ext;		    /* ext[KCALL_FLAGS] ^ key */
	struct skyipc_dev_msg *msg; /* where to put what is not usual */
	uint32_t mxcsr;
	uint16_t fcw;
	uint16_t pad;
	uint64_t pad2;
};

static_assert(sizeof(struct vmfunc_fast) == -VMFUNC_FAST, "VMFUNC_FAST");
#define VMFUNC_FAST_IS(field, at)                                              \
	static_assert((int)offsetof(struct vmfunc_fast, field) +               \
				      VMFUNC_FAST ==                           \
			      (at),                                            \
		      #field)
VMFUNC_FAST_IS(left, VMFUNC_FAST_LEFT);
VMFUNC_FAST_IS(slot, VMFUNC_FAST_SLOT);
VMFUNC_FAST_IS(key, VMFUNC_FAST_KEY);
VMFUNC_FAST_IS(page, VMFUNC_FAST_PAGE);
VMFUNC_FAST_IS(timeout, VMFUNC_FAST_TIMEOUT);
VMFUNC_FAST_IS(ext, VMFUNC_FAST_EXT);
VMFUNC_FAST_IS(msg, VMFUNC_FAST_MSG);
VMFUNC_FAST_IS(mxcsr, VMFUNC_FAST_MXCSR);
VMFUNC_FAST_IS(fcw, VMFUNC_FAST_FCW);

#define VMFUNC_FAST_NONE UINT32_MAX

/* The bit alone, whether or not it is set, does not count. */
static inline uint32_t vmfunc_fast_left(uint32_t left)
{
	return (left + 1) & ~(UINT32_C(1) << VMFUNC_FAST_BUSY);
}

/* Has a signal's handler interrupted a call that was on its way? */
static inline int vmfunc_fast_busy(const struct vmfunc_fast *f)
{
	return f->left != VMFUNC_FAST_NONE && f->left >> VMFUNC_FAST_BUSY;
}

/* A transport's call(): what is usual; or vmfunc_call_slow(), or ..._rest() */
int vmfunc_call(struct chan *chan, uint32_t op, const uint64_t *in,
		uint64_t *out, int32_t *status, skyipc_time t);
int vmfunc_call_slow(struct chan *chan, uint32_t op, const uint64_t *in,
		     uint64_t *out, int32_t *status, skyipc_time t);
/*
 * No usual reply: the registers are in fast.msg (op: in status), and @err is
 * what the trampoline says, if it says anything.
 */
int vmfunc_call_rest(struct chan *chan, uint64_t *out, int32_t *status,
		     int64_t err);

/*
 * Any call, with what is in @msg. 0, and the reply is in there; or what the
 * trampoline says instead (kmod/view/layout.h), and @msg is as it was.
 */
int vmfunc_go(struct skyipc_dev_msg *msg, uint32_t slot, uint64_t key,
	      void *page);
/* Likewise, by a handler in a view; @nest: what its thread has lent */
int vmfunc_nest(struct skyipc_dev_msg *msg, uint32_t slot, uint64_t key,
		uint64_t nest[3]);

#endif
