/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a server's threads do with calls; see skyipc_dev.h.
 */
#ifndef SKYIPC_SERVE_H
#define SKYIPC_SERVE_H

struct skyipc_dev_read;
struct skyipc_dev_serve;
struct sky_server;
struct sky_worker;

/* Reply and wait: both, or either */
int sky_serve(struct sky_worker *worker, struct skyipc_dev_serve __user *user);
int sky_reply(struct sky_server *server, struct skyipc_dev_serve __user *user);
/* Bytes, or -errno */
long sky_read(struct sky_server *server, struct skyipc_dev_read __user *user);

#endif
