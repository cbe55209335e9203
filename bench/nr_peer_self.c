/* SPDX-License-Identifier: MIT */
/* libnr's own structures. */
#include <stddef.h>

#include <nr_map.h>
#include <nr_omap.h>
#include <nr_queue.h>

#include "nr_peer.h"
#include "nr_seq.h"

static struct nr_attr attr_of(const struct nr_job *job)
{
	struct nr_attr a = NR_ATTR_INIT;

	a.topology = job->topology;
	return a;
}

/* ------------------------------------------------------------------ map -- */

static void *map_create(const struct nr_job *job)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr nr = attr_of(job);
	struct nr_map *map;

	attr.nr = &nr;
	return nr_map_create(&attr, &map) ? NULL : map;
}

static void map_destroy(void *structure)
{
	nr_map_destroy(structure);
}

static void *map_join(void *structure)
{
	struct nr_map_context *c;

	return nr_map_register(structure, NULL, &c) ? NULL : c;
}

static void map_leave(void *thread)
{
	nr_map_leave(thread);
}

static int map_get(void *thread, uint64_t key, uint64_t *value)
{
	int got = nr_map_get(thread, &key, sizeof(key), value, sizeof(*value));

	return got < 0 ? got : 0;
}

static int map_put(void *thread, uint64_t key, uint64_t value)
{
	return nr_map_put(thread, &key, sizeof(key), &value, sizeof(value), 0);
}

static int map_remove(void *thread, uint64_t key, uint64_t *value)
{
	(void)value;
	return nr_map_remove(thread, &key, sizeof(key));
}

static uint64_t map_count(void *thread)
{
	return nr_map_count(thread);
}

static struct nr *map_nr(void *structure)
{
	return nr_map_nr(structure);
}

const struct nr_peer nr_peer_map = {
	.name = NR_PEER_SELF,
	.kind = NR_MAP,
	.flags = NR_PEER_PLACES,
	.how = "copies key and value into the log, and on every replica",
	.create = map_create,
	.destroy = map_destroy,
	.join = map_join,
	.leave = map_leave,
	.get = map_get,
	.put = map_put,
	.remove = map_remove,
	.count = map_count,
	.nr = map_nr,
};

/* ---------------------------------------------------------- ordered map -- */

static void *omap_create(const struct nr_job *job)
{
	struct nr_omap_attr attr = NR_OMAP_ATTR_INIT;
	struct nr_attr nr = attr_of(job);
	struct nr_omap *map;

	attr.nr = &nr;
	return nr_omap_create(&attr, &map) ? NULL : map;
}

static void omap_destroy(void *structure)
{
	nr_omap_destroy(structure);
}

static void *omap_join(void *structure)
{
	struct nr_omap_context *c;

	return nr_omap_register(structure, NULL, &c) ? NULL : c;
}

static void omap_leave(void *thread)
{
	nr_omap_leave(thread);
}

static int omap_get(void *thread, uint64_t key, uint64_t *value)
{
	uint64_t bytes = nr_ordered_key(key);
	int got = nr_omap_get(thread, &bytes, sizeof(bytes), value,
			      sizeof(*value));

	return got < 0 ? got : 0;
}

static int omap_put(void *thread, uint64_t key, uint64_t value)
{
	uint64_t bytes = nr_ordered_key(key);

	return nr_omap_put(thread, &bytes, sizeof(bytes), &value, sizeof(value),
			   0);
}

static int omap_remove(void *thread, uint64_t key, uint64_t *value)
{
	uint64_t bytes = nr_ordered_key(key);

	(void)value;
	return nr_omap_remove(thread, &bytes, sizeof(bytes));
}

static uint64_t omap_count(void *thread)
{
	return nr_omap_count(thread);
}

static struct nr *omap_nr(void *structure)
{
	return nr_omap_nr(structure);
}

const struct nr_peer nr_peer_omap = {
	.name = NR_PEER_SELF,
	.kind = NR_OMAP,
	.flags = NR_PEER_PLACES,
	.how = "copies key and value into the log, and on every replica",
	.create = omap_create,
	.destroy = omap_destroy,
	.join = omap_join,
	.leave = omap_leave,
	.get = omap_get,
	.put = omap_put,
	.remove = omap_remove,
	.count = omap_count,
	.nr = omap_nr,
};

/* ---------------------------------------------------------------- queue -- */

static void *queue_create(const struct nr_job *job)
{
	struct nr_queue_attr attr = NR_QUEUE_ATTR_INIT;
	struct nr_attr nr = attr_of(job);
	struct nr_queue *queue;

	attr.nr = &nr;
	return nr_queue_create(&attr, &queue) ? NULL : queue;
}

static void queue_destroy(void *structure)
{
	nr_queue_destroy(structure);
}

static void *queue_join(void *structure)
{
	struct nr_queue_context *c;

	return nr_queue_register(structure, NULL, &c) ? NULL : c;
}

static void queue_leave(void *thread)
{
	nr_queue_leave(thread);
}

static int queue_get(void *thread, uint64_t key, uint64_t *value)
{
	int got = nr_queue_peek(thread, value, sizeof(*value), NULL);

	(void)key;
	return got < 0 ? got : 0;
}

static int queue_put(void *thread, uint64_t key, uint64_t value)
{
	(void)key;
	return nr_queue_put(thread, &value, sizeof(value), 0);
}

static int queue_remove(void *thread, uint64_t key, uint64_t *value)
{
	int got = nr_queue_take(thread, value, sizeof(*value), NULL);

	(void)key;
	return got < 0 ? got : 0;
}

static uint64_t queue_count(void *thread)
{
	return nr_queue_count(thread);
}

static struct nr *queue_nr(void *structure)
{
	return nr_queue_nr(structure);
}

const struct nr_peer nr_peer_queue = {
	.name = NR_PEER_SELF,
	.kind = NR_QUEUE,
	.flags = NR_PEER_PLACES,
	.how = "copies the item into the log, and on every replica",
	.create = queue_create,
	.destroy = queue_destroy,
	.join = queue_join,
	.leave = queue_leave,
	.get = queue_get,
	.put = queue_put,
	.remove = queue_remove,
	.count = queue_count,
	.nr = queue_nr,
};
