/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call's long message, between the client's pinned pages and the calling
 * thread's memory: one copy, page by page, and only while the call is HELD.
 * Faults of the caller's are its own, and taken while it is not.
 */
#ifndef SKYIPC_COPY_H
#define SKYIPC_COPY_H

#include <linux/types.h>

struct sky_server;

/* Bytes, by all calls since the module was loaded */
u64 sky_copied(void);

/* Bytes, up to the end of it; -EFAULT, or -ESTALE: the client has left */
long sky_copy_in(struct sky_server *server, u64 token, u64 pos,
		 void __user *to, u64 len);
/* 0, or likewise; -EMSGSIZE: the client has not so much room */
int sky_copy_out(struct sky_server *server, u64 token,
		 const void __user *from, u64 len);

#endif
