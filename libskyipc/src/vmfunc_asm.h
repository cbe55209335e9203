/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_asm.h - what vmfunc.S knows of structures; vmfunc_frame.h asserts it
 */
#ifndef SKY_VMFUNC_ASM_H
#define SKY_VMFUNC_ASM_H

/* struct skyipc_dev_msg */
#define VMFUNC_OP 0
#define VMFUNC_STATUS 4
#define VMFUNC_WORDS 8
#define VMFUNC_EXT 56

/* struct vmfunc_fast, which is this far from its struct chan */
#define VMFUNC_FAST (-64)
#define VMFUNC_FAST_LEFT (VMFUNC_FAST + 0)
#define VMFUNC_FAST_SLOT (VMFUNC_FAST + 4)
#define VMFUNC_FAST_KEY (VMFUNC_FAST + 8)
#define VMFUNC_FAST_PAGE (VMFUNC_FAST + 16)
#define VMFUNC_FAST_TIMEOUT (VMFUNC_FAST + 24)
#define VMFUNC_FAST_EXT (VMFUNC_FAST + 32)
#define VMFUNC_FAST_MSG (VMFUNC_FAST + 40)
#define VMFUNC_FAST_MXCSR (VMFUNC_FAST + 48)
#define VMFUNC_FAST_FCW (VMFUNC_FAST + 52)
/* struct vmfunc_fast::left */
#define VMFUNC_FAST_BUSY 31	    /* bit: a call is being made */
#define VMFUNC_FAST_DONE 0x80000001 /* ... not any more, and it is one less */

/* struct vmfunc_frame, which begins with a struct serving, and that with a */
/* struct skyipc_call */
#define VMFUNC_CALL_OP 0
#define VMFUNC_CALL_IN 8
#define VMFUNC_CALL_OUT 56
#define VMFUNC_CALL_REPLY_LEN 136
#define VMFUNC_CALL_REPLY_NFDS 160 /* and flags */
#define VMFUNC_FRAME_MSG 224
#define VMFUNC_FRAME_SP 320
#define VMFUNC_FRAME_EXT 328
#define VMFUNC_FRAME_LEFT 340
#define VMFUNC_FRAME_PERMITS 344
#define VMFUNC_FRAME_FN 352
#define VMFUNC_FRAME_ARG 360
#define VMFUNC_FRAME_NEST 368
#define VMFUNC_FRAME_KEY 392
#define VMFUNC_FRAME_HAS_PKRU 400

/* kcall_flags(CALL_BUSY, 0) >> 32 */
#define VMFUNC_CALL_BUSY 0x20
/* errno */
#define VMFUNC_EINPROGRESS 115

#endif
