/* SPDX-License-Identifier: MIT */
/* Calls with any message, synchronous and asynchronous: see struct transport.
 */
#ifndef SKY_SHM_MESSAGE_H
#define SKY_SHM_MESSAGE_H

#include "transport.h"

int shm_call_msg(struct chan *base, const struct skyipc_msg *req,
		 struct skyipc_msg *rep, skyipc_time t);
int shm_submit(struct chan *base, const struct skyipc_msg *req);
int shm_reap(struct chan *base, struct skyipc_msg *msgs, unsigned n,
	     unsigned min, skyipc_time t);
int shm_buffer(struct chan *base, void **buf, size_t *size, uint64_t deadline);

#endif
