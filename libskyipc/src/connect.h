/* SPDX-License-Identifier: MIT */
/* The first words with a server, for connections and for queries. */
#ifndef SKY_CONNECT_H
#define SKY_CONNECT_H

#include <stdint.h>

#include "proto.h"

/* Connect a socket to the server of @name. Return: it; -errno with errmsg. */
int rendezvous(const char *name, int wait, uint64_t deadline);

/*
 * Send @req and wait for the answer @want with its one descriptor. @answer may
 * be @req. Return: 0; -errno with errmsg, the server's own if it refused.
 */
int rendezvous_ask(int sock, const union proto_msg *req, enum proto_type want,
		   union proto_msg *answer, int *fd, uint64_t deadline);

#endif
