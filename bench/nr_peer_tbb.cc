/* SPDX-License-Identifier: MIT */
/*
 * oneTBB's concurrent_hash_map, with a lock in each element, and its
 * concurrent_queue, whose first item nobody can look at without taking it.
 */
#include <cerrno>
#include <new>

#include <tbb/concurrent_hash_map.h>
#include <tbb/concurrent_queue.h>

#include "nr_peer.h"

namespace
{

struct hash_compare {
	size_t hash(uint64_t key) const
	{
		return nr_key_hash(key);
	}
	bool equal(uint64_t a, uint64_t b) const
	{
		return a == b;
	}
};

using map = tbb::concurrent_hash_map<uint64_t, uint64_t, hash_compare>;
using queue = tbb::concurrent_queue<uint64_t>;

void *map_create(const struct nr_job *job)
{
	try {
		return new map(job->entries);
	} catch (const std::bad_alloc &) {
		return nullptr;
	}
}

void map_destroy(void *structure)
{
	delete static_cast<map *>(structure);
}

int map_get(void *thread, uint64_t key, uint64_t *value)
{
	map::const_accessor found;

	if (!static_cast<map *>(thread)->find(found, key))
		return -ENOENT;
	*value = found->second;
	return 0;
}

int map_put(void *thread, uint64_t key, uint64_t value)
{
	try {
		map::accessor at;
		bool is_new = static_cast<map *>(thread)->insert(at, key);

		at->second = value;
		return is_new ? 0 : 1;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

int map_remove(void *thread, uint64_t key, uint64_t *)
{
	return static_cast<map *>(thread)->erase(key) ? 0 : -ENOENT;
}

uint64_t map_count(void *thread)
{
	return static_cast<map *>(thread)->size();
}

void *queue_create(const struct nr_job *)
{
	return new (std::nothrow) queue;
}

void queue_destroy(void *structure)
{
	delete static_cast<queue *>(structure);
}

int queue_put(void *thread, uint64_t, uint64_t value)
{
	try {
		static_cast<queue *>(thread)->push(value);
		return 0;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

int queue_remove(void *thread, uint64_t, uint64_t *value)
{
	return static_cast<queue *>(thread)->try_pop(*value) ? 0 : -ENOENT;
}

uint64_t queue_count(void *thread)
{
	return static_cast<queue *>(thread)->unsafe_size();
}

} // namespace

extern "C" {

extern const struct nr_peer nr_peer_tbb_map, nr_peer_tbb_queue;

const struct nr_peer nr_peer_tbb_map = {
	"tbb",
	NR_MAP,
	0,
	"oneTBB's concurrent_hash_map; a lock of the bucket and one of the "
	"element, a new key allocates",
	map_create,
	map_destroy,
	nullptr,
	nullptr,
	map_get,
	map_put,
	map_remove,
	map_count,
	nullptr,
};

const struct nr_peer nr_peer_tbb_queue = {
	"tbb",
	NR_QUEUE,
	0,
	"oneTBB's concurrent_queue; cannot be looked at",
	queue_create,
	queue_destroy,
	nullptr,
	nullptr,
	nullptr,
	queue_put,
	queue_remove,
	queue_count,
	nullptr,
};
}
