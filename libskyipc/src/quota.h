/* SPDX-License-Identifier: MIT */
/*
 * What each user has of a server: connections, shared memory, mappings,
 * descriptors in either direction. Not locked: the server's lock covers it.
 */
#ifndef SKY_QUOTA_H
#define SKY_QUOTA_H

#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct sconn;

struct quota_user {
	uid_t uid;
	uint32_t refs; /* connections that point here, dead ones too */
	uint32_t conns;
	uint32_t lenders; /* threads: see vmfunc_lender.c */
	uint64_t mem;
	uint64_t maps;
	uint64_t fds;	 /* received, no handler has taken them yet */
	uint64_t unread; /* sent, perhaps not read yet */
	/* Connections of which unread is not 0. */
	TAILQ_HEAD(, sconn) unread_conns;
};

struct quota {
	void *tree; /* of struct quota_user, see tsearch(3) */
};

/* The user's entry, made if there is none, and a reference; NULL: no memory. */
struct quota_user *quota_user(struct quota *q, uid_t uid);

/* Give the reference back; the last one frees the entry. */
void quota_put(struct quota *q, struct quota_user *user);

/*
 * One user's share of what the process or its user can have, so that there is
 * something left for the others: mappings, half of vm.max_map_count;
 * connections, which have two descriptors each, half of RLIMIT_NOFILE;
 * descriptors in flight, an eighth of it, but always one call's worth.
 */
uint64_t quota_maps_max(void);
uint64_t quota_conns_max(void);
uint64_t quota_fds_max(void);

#endif
