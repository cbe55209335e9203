/* SPDX-License-Identifier: MIT */
/* libnr's address space: looking under the reader lock, and by walking. */
#include <stdlib.h>

#include <nr_vspace.h>

#include "nr_pages.h"
#include "nr_peer.h"

struct space {
	struct nr_vspace *vspace;
	uint64_t keys;
};

struct space_thread {
	struct nr_vspace_context *context;
	uint64_t keys;
};

static void *space_create(const struct nr_job *job)
{
	struct nr_vspace_attr attr = NR_VSPACE_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct space *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	nr.topology = job->topology;
	attr.nr = &nr;
	s->keys = 2 * job->entries;
	return nr_vspace_create(&attr, &s->vspace) ? NULL : s;
}

static void space_destroy(void *structure)
{
	struct space *s = structure;

	nr_vspace_destroy(s->vspace);
	free(s);
}

static void *space_join(void *structure)
{
	struct space *s = structure;
	struct space_thread *t = malloc(sizeof(*t));

	if (!t)
		return NULL;
	t->keys = s->keys;
	return nr_vspace_register(s->vspace, NULL, &t->context) ? NULL : t;
}

static void space_leave(void *thread)
{
	struct space_thread *t = thread;

	nr_vspace_leave(t->context);
	free(t);
}

static int space_get(void *thread, uint64_t key, uint64_t *value)
{
	struct space_thread *t = thread;
	struct nr_page page;
	int err = nr_vspace_resolve(t->context, nr_page_va(key), &page);

	return err ? err : nr_page_value(&page, value);
}

static int space_walk(void *thread, uint64_t key, uint64_t *value)
{
	struct space_thread *t = thread;
	struct nr_page page;
	int err = nr_vspace_walk(t->context, nr_page_va(key), &page);

	return err ? err : nr_page_value(&page, value);
}

static int space_put(void *thread, uint64_t key, uint64_t value)
{
	struct space_thread *t = thread;

	(void)value;
	return nr_page_put(nr_vspace_map(t->context, nr_page_va(key),
					 nr_page_frame(key), NR_PAGE_4K,
					 NR_PAGE_4K, NR_PAGE_WRITE));
}

static int space_remove(void *thread, uint64_t key, uint64_t *value)
{
	struct space_thread *t = thread;

	(void)value;
	return nr_vspace_unmap(t->context, nr_page_va(key), NR_PAGE_4K);
}

static uint64_t space_count(void *thread)
{
	struct space_thread *t = thread;
	uint64_t n = 0, value;

	for (uint64_t key = 0; key < t->keys; key++)
		n += !space_get(t, key, &value);
	return n;
}

static struct nr *space_nr(void *structure)
{
	return nr_vspace_nr(((struct space *)structure)->vspace);
}

const struct nr_peer nr_peer_vspace = {
	.name = NR_PEER_SELF,
	.kind = NR_VSPACE,
	.flags = NR_PEER_PLACES,
	.how = "the range goes into the log, and is mapped on every replica",
	.create = space_create,
	.destroy = space_destroy,
	.join = space_join,
	.leave = space_leave,
	.get = space_get,
	.put = space_put,
	.remove = space_remove,
	.count = space_count,
	.nr = space_nr,
};

/* Walks are not among what libnr counts. */
const struct nr_peer nr_peer_vspace_walk = {
	.name = "libnr-walk",
	.kind = NR_VSPACE,
	.how = "the same; who looks walks through the tables, as hardware does",
	.create = space_create,
	.destroy = space_destroy,
	.join = space_join,
	.leave = space_leave,
	.get = space_walk,
	.put = space_put,
	.remove = space_remove,
	.count = space_count,
};
