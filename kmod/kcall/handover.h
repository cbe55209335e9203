/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker that takes a parked call goes on with it.
 */
#ifndef SKYIPC_HANDOVER_H
#define SKYIPC_HANDOVER_H

#include <linux/types.h>

struct sky_call;
struct sky_worker;

/*
 * @call is TAKEN by the calling thread, with this token: it continues what is
 * parked there when it returns to user space. 0; -ESTALE: its client has left;
 * -ENOMEM, -EOPNOTSUPP: this thread can't
 */
int sky_hand_over(struct sky_worker *worker, u64 token);

/* Has it been handed over a call, that still is? */
bool sky_goes_on(struct sky_worker *worker);
/* Once more, if worker->goes_on: it has been handed over, and it waits. */
int sky_go_on(struct sky_worker *worker);

#endif
