/* SPDX-License-Identifier: MIT */
/*
 * kcall_server.h - calls through skyipc.ko, the server's side
 *
 * The module has the server as an object, each connection and each worker
 * thread: all descriptors (skyipc_dev.h). A thread that has nothing to do waits
 * in the module, which wakes it for a call and when a doorbell rings.
 */
#ifndef SKY_KCALL_SERVER_H
#define SKY_KCALL_SERVER_H

#include "server.h"

struct skyipc_dev_msg;

/* The transport's server side: see transport.h */
int kcall_serves(const struct skyipc_server *server, char *why, size_t size);
int kcall_conn_open(struct sconn *conn);
/* Its clients wait for nothing any more, and no worker keeps it. */
void kcall_conn_kill(struct sconn *conn);

/* A server in the module, if there is one and its mode lets it. */
void kcall_server_open(struct skyipc_server *server);

/*
 * The calling thread becomes a worker of @server, if that has its calls through
 * the module; NULL: it does not, or there can be none. @bell: -1, or the epoll
 * that ends its waiting when something is ready.
 */
struct kcall_worker *kcall_worker_new(struct skyipc_server *server, int bell);
void kcall_worker_free(struct kcall_worker *worker);
/* In a forked child, under the server's lock */
void kcall_workers_forget(struct skyipc_server *server);

/* Is the calling thread one, or can it become one now? */
int kcall_worker_ready(struct skyipc_server *server);

/* Of a thread that serves for a while: skyipc_server_dispatch() */
void kcall_worker_sit(struct skyipc_server *server);
/* The calling thread's, or NULL */
extern __thread struct kcall_worker *my_kcall_worker;

/*
 * Serve calls; @wait for the first one, or for a doorbell. Return: how many. It
 * comes back in between to let the seat look at other things.
 */
unsigned kcall_serve(struct seat *seat, int wait);
/* The reply is @err; @ch: whose call it was, or NULL */
void kcall_refuse(struct skyipc_dev_msg *msg, struct schan *ch, int err);

#endif
