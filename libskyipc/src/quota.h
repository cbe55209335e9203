/* SPDX-License-Identifier: MIT */
/*
 * What each user has of a server: connections, shared memory, descriptors in
 * flight. Not locked: the server's lock covers it.
 */
#ifndef SKY_QUOTA_H
#define SKY_QUOTA_H

#include <stdint.h>
#include <sys/types.h>

struct quota_user {
	uid_t uid;
	uint32_t refs; /* connections that point here, dead ones too */
	uint32_t conns;
	uint64_t mem;
	uint64_t fds;
};

struct quota {
	void *tree; /* of struct quota_user, see tsearch(3) */
};

/* The user's entry, made if there is none, and a reference; NULL: no memory. */
struct quota_user *quota_user(struct quota *q, uid_t uid);

/* Give the reference back; the last one frees the entry. */
void quota_put(struct quota *q, struct quota_user *user);

#endif
