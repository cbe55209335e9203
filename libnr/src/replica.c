/* SPDX-License-Identifier: MIT */
/* replica.c - a replica's structure, and applying the log to it */
#include "replica.h"

#include <errno.h>

#include "apply.h"

void replica_set_hooks(struct replica *r)
{
	const struct nr *nr = r->nr;

	r->concurrent = nr->concurrent || (nr->parts && nr->parts->concurrent);
	r->hooks = nr->ops.batch_begin || nr->ops.batch_end || r->concurrent;
}

struct replica *replica_alloc(struct nr *nr, uint32_t place)
{
	int node = nr->topology->places[place].memory;
	enum nr_memory how = nr->attr.memory;
	size_t head = align_up(sizeof(struct replica), NR_APART);
	size_t bytes =
		head + (nr->attr.batch + (size_t)1) * sizeof(struct item);
	struct replica *r = mem_node_alloc(bytes, node, how);

	if (!r)
		return NULL;
	r->bytes = bytes;
	r->items = (void *)((char *)r + head);
	r->nr = nr;
	r->log = &nr->log;
	r->update = nr->ops.update;
	r->read = nr->ops.read;
	r->results = (uint32_t)nr->ops.result_size;
	replica_set_hooks(r);
	r->place = place;
	r->node = node;
	r->object_bytes = max_u64(nr->ops.object_size, 1);
	r->object = mem_node_alloc(r->object_bytes, node, how);
	if (!r->object) {
		replica_free(r);
		return NULL;
	}
	return r;
}

void replica_free(struct replica *r)
{
	rlock_fini(&r->lock);
	mem_node_free_array(r->contexts, r->contexts_cap);
	mem_node_free(r->object, r->object_bytes);
	mem_node_free(r, r->bytes);
}

int replica_init(struct replica *r)
{
	const struct nr_ops *ops = &r->nr->ops;
	struct mem_policy policy;
	int err;

	if (!ops->init)
		return 0;
	mem_policy_set(&policy, r->node, r->nr->attr.memory);
	err = ops->init(r->object, r->nr->attr.arg);
	mem_policy_restore(&policy);
	return err;
}

int replica_clone(struct replica *r, const struct replica *from)
{
	uint64_t ltail = load_relaxed(&from->ltail);
	struct mem_policy policy;
	int err;

	mem_policy_set(&policy, r->node, r->nr->attr.memory);
	err = r->nr->ops.clone(r->object, from->object, r->nr->attr.arg);
	mem_policy_restore(&policy);
	if (mutant(LATE_LTAIL))
		ltail = load_relaxed(&r->log->tail);
	/* Who uses it has found it on the list, under nr->collecting. */
	store_relaxed(&r->ltail, ltail);
	return err;
}

void replica_destroy(struct replica *r)
{
	if (r->nr->ops.fini)
		r->nr->ops.fini(r->object, r->nr->attr.arg);
	replica_free(r);
}

void replica_wait_alive(const struct log *log, uint64_t from, uint64_t upto)
{
	struct backoff b = { 0, 0 };

	for (uint64_t i = from; i < upto; i++)
		while (!log_alive(log, i))
			backoff_only(&b);
}

void replica_apply(struct replica *r, uint64_t upto)
{
	if (load_relaxed(&r->ltail) >= upto)
		return;
	apply(r, upto, NULL);
	/*
	 * We may hold the gate for long yet: readers that sleep there, for the
	 * section or for its updates, can go on.
	 */
	if (!mutant(NO_NEWS))
		gate_news(&r->lock.gate);
}

void replica_catch_up(struct replica *r)
{
	replica_apply(r, log_done(r->log));
}

void replica_catch_up_from_afar(struct replica *r)
{
	struct mem_policy policy;

	/* Relaxed: its gate is ours. */
	if (load_relaxed(&r->ltail) == log_done(r->log))
		return;
	mem_policy_set(&policy, r->node, r->nr->attr.memory);
	replica_catch_up(r);
	mem_policy_restore(&policy);
}
