/* SPDX-License-Identifier: MIT */
/* libcuckoo's cuckoohash_map: two buckets for each key, locked together. */
#include <cerrno>
#include <new>

#include <libcuckoo/cuckoohash_map.hh>

#include "nr_peer.h"

namespace
{

struct hash {
	size_t operator()(uint64_t key) const
	{
		return nr_key_hash(key);
	}
};

using map = libcuckoo::cuckoohash_map<uint64_t, uint64_t, hash>;

void *create(const struct nr_job *job)
{
	try {
		return new map(job->entries);
	} catch (const std::bad_alloc &) {
		return nullptr;
	}
}

void destroy(void *structure)
{
	delete static_cast<map *>(structure);
}

int get(void *thread, uint64_t key, uint64_t *value)
{
	return static_cast<map *>(thread)->find(key, *value) ? 0 : -ENOENT;
}

int put(void *thread, uint64_t key, uint64_t value)
{
	try {
		return static_cast<map *>(thread)->insert_or_assign(key, value)
			       ? 0
			       : 1;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

int remove(void *thread, uint64_t key, uint64_t *)
{
	return static_cast<map *>(thread)->erase(key) ? 0 : -ENOENT;
}

uint64_t count(void *thread)
{
	return static_cast<map *>(thread)->size();
}

} // namespace

extern "C" {

extern const struct nr_peer nr_peer_cuckoo;

const struct nr_peer nr_peer_cuckoo = {
	"libcuckoo",
	NR_MAP,
	NR_PEER_SPINS,
	"libcuckoo's cuckoohash_map; spin locks of two buckets, key and value "
	"lie in the bucket",
	create,
	destroy,
	nullptr,
	nullptr,
	get,
	put,
	remove,
	count,
	nullptr,
};
}
