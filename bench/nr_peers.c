/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <string.h>

/* The peers that hash are given the very function that libnr has. */
#include "../libnr/src/hash.h"
#include "nr_peer.h"

#define KEY_SEED UINT64_C(0x243f6a8885a308d3)

extern const struct nr_peer nr_peer_map, nr_peer_omap, nr_peer_queue,
	nr_peer_vspace, nr_peer_vspace_walk;
extern const struct nr_peer nr_peer_mutex_map, nr_peer_mutex_omap,
	nr_peer_mutex_queue, nr_peer_mutex_vspace;
extern const struct nr_peer nr_peer_rwlock_map, nr_peer_rwlock_omap,
	nr_peer_rwlock_queue, nr_peer_rwlock_vspace;
extern const struct nr_peer nr_peer_lock_map, nr_peer_lock_omap,
	nr_peer_lock_queue, nr_peer_lock_vspace;
extern const struct nr_peer nr_peer_cohort_map, nr_peer_cohort_omap,
	nr_peer_cohort_queue, nr_peer_cohort_vspace;
extern const struct nr_peer nr_peer_lfht, nr_peer_wfcq;
extern const struct nr_peer nr_peer_tbb_map, nr_peer_tbb_queue;
extern const struct nr_peer nr_peer_cuckoo;

/* In the order of the tables. */
const struct nr_peer *const nr_peers[] = {
	&nr_peer_map,
	&nr_peer_omap,
	&nr_peer_queue,
	&nr_peer_vspace,
	&nr_peer_vspace_walk,
	&nr_peer_mutex_map,
	&nr_peer_mutex_omap,
	&nr_peer_mutex_queue,
	&nr_peer_mutex_vspace,
	&nr_peer_rwlock_map,
	&nr_peer_rwlock_omap,
	&nr_peer_rwlock_queue,
	&nr_peer_rwlock_vspace,
	&nr_peer_lock_map,
	&nr_peer_lock_omap,
	&nr_peer_lock_queue,
	&nr_peer_lock_vspace,
#ifdef HAVE_CK
	&nr_peer_cohort_map,
	&nr_peer_cohort_omap,
	&nr_peer_cohort_queue,
	&nr_peer_cohort_vspace,
#endif
#ifdef HAVE_URCU
	&nr_peer_lfht,
	&nr_peer_wfcq,
#endif
#ifdef HAVE_TBB
	&nr_peer_tbb_map,
	&nr_peer_tbb_queue,
#endif
#ifdef HAVE_CUCKOO
	&nr_peer_cuckoo,
#endif
	NULL,
};

#define INSTALL(packages)                                                      \
	"not in this build: install " packages " and make again"

/* What a build without a library could have had. */
static const struct {
	const char *name;
	const char *why;
} missing[] = {
#ifndef HAVE_CK
	{ "rwcohort", INSTALL("libck-dev") },
#endif
#ifndef HAVE_URCU
	{ "lfht", INSTALL("liburcu-dev") },
	{ "wfcq", INSTALL("liburcu-dev") },
#endif
#ifndef HAVE_TBB
	{ "tbb", INSTALL("libtbb-dev and g++") },
#endif
#ifndef HAVE_CUCKOO
	{ "libcuckoo", INSTALL("libcuckoo-dev and g++") },
#endif
	{ NULL, NULL },
};

const struct nr_peer *nr_peer_find(const char *name, enum nr_kind kind)
{
	for (int i = 0; nr_peers[i]; i++)
		if (nr_peers[i]->kind == kind &&
		    !strcmp(nr_peers[i]->name, name))
			return nr_peers[i];
	return NULL;
}

int nr_peer_known(const char *name)
{
	for (int i = 0; nr_peers[i]; i++)
		if (!strcmp(nr_peers[i]->name, name))
			return strcmp(name, NR_PEER_SELF) != 0;
	return 0;
}

const char *nr_peer_missing(const char *name)
{
	for (int i = 0; missing[i].name; i++)
		if (!strcmp(missing[i].name, name))
			return missing[i].why;
	return NULL;
}

const char *nr_peer_missing_name(unsigned i)
{
	return missing[i].name;
}

uint64_t nr_key_hash(uint64_t key)
{
	return hash_bytes(&key, sizeof(key), KEY_SEED);
}
