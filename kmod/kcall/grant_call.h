/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grants of a call: made by its server, and ended before it goes to another one.
 */
#ifndef SKYIPC_GRANT_CALL_H
#define SKYIPC_GRANT_CALL_H

#include <linux/types.h>

struct skyipc_dev_grant;
struct sky_call;
struct sky_server;

/*
 * A descriptor; -ENXIO: the client has granted nothing; -EBUSY: there is one
 * already; -ESTALE as for replies
 */
int sky_grant_call(struct sky_server *server,
		   struct skyipc_dev_grant __user *user);
/* All of that call that there are now. 0 or -ESTALE */
int sky_grants_revoke(struct sky_server *server, u64 token);
/* HELD. False: there are some that have not been revoked. */
bool sky_grants_forget(struct sky_call *call);

#endif
