/* SPDX-License-Identifier: MIT */
/*
 * flags.h - what a message has besides its words, the same for every transport
 *
 * A word of flags, and if there is a long part, a word that says where it lies
 * in the channel's buffers: of a request length:32 and buffer:32, of a reply
 * length:32 and offset:32. Whoever receives them believes nothing.
 *
 * Buffers are a memory object that channel's ends share, made at its first long
 * call: so many, each a request half and a reply half of buf_size bytes (a
 * multiple of 4096).
 */
#ifndef SKY_FLAGS_H
#define SKY_FLAGS_H

#include <stdint.h>

#define CALL_LONG 0x1u /* there is a long part */
#define CALL_FDS 0x2u  /* descriptors were sent over the socket before */
#define CALL_CANCEL                                                            \
	0x4u		 /* request: the client has given up, do not start it  \
			  */
#define CALL_ERROR 0x8u	 /* reply: the status is a negative errno */
#define CALL_INREQ 0x10u /* reply: the long part lies in the request's half */
#define CALL_BUSY 0x20u	 /* vmfunc: not served, call by another way */

#define BUF_SIZE_MAX (UINT64_C(0x100000000) - 4096)

static inline uint64_t bufs_bytes(uint32_t bufs, uint64_t buf_size)
{
	return 2 * buf_size * bufs;
}

#endif
