/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_server.h - calls by VMFUNC, the server's side
 *
 * Handlers run on their callers' threads, in this address space, on the stack
 * and with the thread-local storage of a thread that lends both to one channel:
 * a lender. It sleeps in the module, unless a handler needs the kernel: then
 * the call goes on in the lender, and ends there (docs/vmfunc.md).
 *
 * As many handlers run at the same time as the server has workers, whoever runs
 * them (permit.h). A call that would have to wait is refused, and its client
 * makes it through the module instead, where calls queue.
 */
#ifndef SKY_VMFUNC_SERVER_H
#define SKY_VMFUNC_SERVER_H

#include "server.h"

/* The transport's: see transport.h */
int vmfunc_serves(const struct skyipc_server *server, char *why, size_t size);
/* There is one channel more, which may be called so. */
void vmfunc_chan_made(struct sconn *conn);

/* The trampoline, if the server has its calls through the module */
void vmfunc_server_open(struct skyipc_server *server);
/* From now on no handler begins in a view. */
void vmfunc_server_close(struct skyipc_server *server);
/* Closed: do handlers run, wherever? They may call this server themselves. */
int vmfunc_server_busy(struct skyipc_server *server);
/*
 * Somebody waits for a permit: handlers in views that wait for other servers
 * give back theirs, in their lenders. @server: struct skyipc_server; without
 * its lock
 */
void vmfunc_server_recall(void *server);
/* No handler runs on a seat any more: nor, when this returns, in a view. */
void vmfunc_server_drain(struct skyipc_server *server);
/* All its connections are closed: wait for its lenders. */
void vmfunc_server_join(struct skyipc_server *server);
/* What its channels' counters do not have; under the server's lock */
void vmfunc_stats(const struct sconn *conn, struct skyipc_stats *stats);
/* In a forked child, under the server's lock */
void vmfunc_server_forget(struct skyipc_server *server);

#endif
