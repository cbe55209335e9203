/* SPDX-License-Identifier: MIT */
/* The first words with a server, for connections and for queries. */
#ifndef SKY_CONNECT_H
#define SKY_CONNECT_H

#include <stdint.h>

#include "fork.h"
#include "proto.h"

/*
 * Connect @sock to the server of @name. Return: 0; -errno with errmsg, and
 * @sock->fd is -1.
 */
int rendezvous(const char *name, int wait, uint64_t deadline,
	       struct fork_fd *sock);

/*
 * Send @req and wait for the answer @want, with one descriptor at most, or with
 * none if @fd is NULL. *@fd is -1 if it had none. @answer may be @req. Return:
 * 0; -errno with errmsg, the server's own if it refused; -EPIPE: it hung up
 * without an answer.
 */
int rendezvous_ask(int sock, const union proto_msg *req, enum proto_type want,
		   union proto_msg *answer, int *fd, uint64_t deadline);

#endif
