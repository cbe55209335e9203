/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a client thread does with its link; see skyipc_dev.h.
 */
#ifndef SKYIPC_LINK_CALL_H
#define SKYIPC_LINK_CALL_H

#include "call.h"

struct skyipc_dev_call;
struct skyipc_dev_park;
struct sky_link;

int sky_link_call(struct sky_link *link, struct skyipc_dev_call __user *user);
/* For tests: the call is not made but continued. */
int sky_link_park(struct sky_link *link, struct skyipc_dev_park __user *user);
int sky_link_submit(struct sky_link *link, struct skyipc_dev_call __user *user);
int sky_link_reap(struct sky_link *link, struct skyipc_dev_call __user *user);

/*
 * The client is no longer interested: where the call was then. TAKEN: it is the
 * server's now, and *@at is NULL. DONE: it has to be collected.
 */
enum sky_state sky_link_drop(struct sky_link *link, struct sky_call **at);
/* DONE to FREE; nobody reads the reply. */
void sky_link_collect(struct sky_link *link, struct sky_call *call);

#endif
