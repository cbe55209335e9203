/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call that its server hands on to another one, over a connection of its own:
 * the reply goes straight to the client (L4's propagation). It is POSTED there
 * with what that connection says of its client, so the second server sees whom
 * it is from: the first.
 *
 * The call keeps its place at the server where it began (home), and goes back
 * there when it is over. If that, the second server, or the connection to it
 * ends, so does the call: -ECONNRESET.
 */
#ifndef SKYIPC_FORWARD_H
#define SKYIPC_FORWARD_H

#include <linux/types.h>

struct skyipc_dev_forward;
struct sky_call;
struct sky_conn;
struct sky_server;

/* 0; -ESTALE as for replies; -EPIPE, -EPERM: that connection is no good */
int sky_forward(struct sky_server *server,
		const struct skyipc_dev_forward __user *user);
/* FREE, and nobody else's: back at home, if it has been away */
void sky_call_home(struct sky_call *call);
/*
 * Those that came to this server over @conn (NULL: any) are answered with
 * -ECONNRESET: it, or the server, is dead.
 */
void sky_forwarded_fail(struct sky_server *server, const struct sky_conn *conn);

#endif
