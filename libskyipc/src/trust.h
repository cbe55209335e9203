/* SPDX-License-Identifier: MIT */
/* Whom a process is at the mercy of anyway. */
#ifndef SKY_TRUST_H
#define SKY_TRUST_H

#include "skyipc.h"

/*
 * Can @peer stop this process whatever we do? Root can, and so can its own
 * user. Nothing is gained by guarding against such a peer what SIGSTOP does.
 */
int peer_trusted(const struct skyipc_peer *peer);

#endif
