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
	uint32_t conns;
	uint64_t mem;
	uint64_t fds;
};

struct quota {
	void *tree; /* of struct quota_user, see tsearch(3) */
};

/* The user's entry, made if there is none; NULL: out of memory. */
struct quota_user *quota_user(struct quota *q, uid_t uid);

/* Forget the entry if nothing is counted in it. */
void quota_tidy(struct quota *q, struct quota_user *user);

#endif
