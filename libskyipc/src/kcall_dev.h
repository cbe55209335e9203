/* SPDX-License-Identifier: MIT */
/* The module's device: there, and of this version? */
#ifndef SKY_KCALL_DEV_H
#define SKY_KCALL_DEV_H

#include <stddef.h>
#include <stdint.h>

/* Open it: a descriptor, or -errno and why not. */
int kcall_dev_open(char *why, size_t size);

/* A transport's probe() */
int kcall_probe(char *why, size_t size);

/*
 * What a message has besides its words (flags.h), in skyipc_dev_msg.ext: where
 * the long part is; channel:32 (of a request), flags:32; the call's position in
 * its channel, by which descriptors are known (of a request).
 */
enum kcall_ext { KCALL_LONG, KCALL_FLAGS, KCALL_POS };

static inline uint64_t kcall_flags(uint32_t flags, uint32_t chan)
{
	return (uint64_t)flags << 32 | chan;
}

#endif
