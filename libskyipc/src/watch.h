/* SPDX-License-Identifier: MIT */
/*
 * watch.h - notice that a server has died
 *
 * One thread of the client process sleeps in epoll_wait(2) on the sockets of
 * all its connections. The kernel closes a killed server's sockets; the thread
 * then marks the connection dead and wakes who waits. It runs while there are
 * connections and costs nothing else.
 */
#ifndef SKY_WATCH_H
#define SKY_WATCH_H

struct skyipc_conn;

/* 0; -EAGAIN: no thread could be made; -ENOMEM; -ENOSPC; -EMFILE. */
int watch_add(struct skyipc_conn *conn);
void watch_del(struct skyipc_conn *conn);

#endif
