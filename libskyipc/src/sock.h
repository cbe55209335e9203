/* SPDX-License-Identifier: MIT */
/* Messages with file descriptors over a SOCK_SEQPACKET socket. */
#ifndef SKY_SOCK_H
#define SKY_SOCK_H

#include <stddef.h>
#include <stdint.h>

#include "proto.h"
#include "skyipc.h"

/*
 * Send one message with @nfds descriptors (which stay open here). Does not
 * raise SIGPIPE. Waits for room until @deadline; a deadline of 0 does not
 * wait. Return: 0; -EPIPE: the peer is gone; -EAGAIN or -ETIMEDOUT: no room;
 * -EBADF: one of @fds is not open; -ETOOMANYREFS: too many in flight; ...
 */
int sock_send(int sock, const void *msg, size_t len, const int *fds,
	      unsigned nfds, uint64_t deadline);

/*
 * Receive one message and up to SKYIPC_MAX_FDS descriptors (close-on-exec).
 * Return: length; 0: the peer is gone; -EAGAIN or -ETIMEDOUT: nothing in time;
 * -EMFILE: descriptors were lost because this process is at its limit, @msg is
 * what came otherwise, to be checked; -EPROTO: longer than any message, @msg is
 * how it begins.
 * Descriptors are returned only together with a positive length.
 */
int sock_recv(int sock, union proto_msg *msg, int *fds, unsigned *nfds,
	      uint64_t deadline);

/* Close @n descriptors; -1 entries are skipped. */
void close_fds(const int *fds, unsigned n);

/* Credentials of the peer, as the kernel knows them. */
int sock_peer(int sock, struct skyipc_peer *peer);

#endif
