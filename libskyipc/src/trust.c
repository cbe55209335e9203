/* SPDX-License-Identifier: MIT */
/* A file of its own, so that tests can put something else in its place. */
#include "trust.h"

#include <unistd.h>

int peer_trusted(const struct skyipc_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}
