/* SPDX-License-Identifier: MIT */
/* The module's device: there, and of this version? */
#ifndef SKY_KCALL_DEV_H
#define SKY_KCALL_DEV_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* Open it: a descriptor, or -errno and why not. */
int kcall_dev_open(char *why, size_t size);

/*
 * LINK_CALL or WORKER_SERVE, without what security modules do at each ioctl()
 * (skyipc_dev.h). 0 or -errno. Neither is a cancellation point.
 */
static inline int kcall_ipc(int fd, unsigned long number, void *block)
{
	int err = posix_fadvise(fd, (off_t)(uintptr_t)block, 0,
				POSIX_FADV_NORMAL);

	if (__builtin_expect(err == ENOSYS, 0))
		return ioctl(fd, number, block) ? -errno : 0;
	return -err;
}

/* A transport's probe() */
int kcall_probe(char *why, size_t size);

/*
 * What a message has besides its words (flags.h), in skyipc_dev_msg.ext: where
 * the long part is; channel:32 (of a request), flags:32; the call's position in
 * its channel, by which descriptors are known (of a request).
 */
enum kcall_ext { KCALL_LONG, KCALL_FLAGS, KCALL_POS };

/*
 * Of a call that goes another way the server chooses the position: it is
 * SERVERS and the lower half of the reply's KCALL_FLAGS. (Who lies there picks
 * from what it has sent itself.)
 */
#define KCALL_POS_ANY UINT64_MAX
#define KCALL_POS_SERVERS (UINT64_C(1) << 63)

static inline uint64_t kcall_flags(uint32_t flags, uint32_t chan)
{
	return (uint64_t)flags << 32 | chan;
}

#endif
