/* SPDX-License-Identifier: MIT */
/*
 * vspace.c - the replicated address space: a pagetable.h with a pool (pooled.h)
 *
 * Walks go on beside updates, so one can see an update before its batch has
 * ended: the completed tail is raised before (replicas_concurrent()), and who
 * finds nothing then, on whatever replica, waits for that update.
 */
#include <errno.h>

#include "context.h"
#include "nr_vspace.h"
#include "pooled.h"
#include "replicas.h"
#include "vspace.h"

enum vspace_kind { VSPACE_MAP = POOLED_OWN, VSPACE_UNMAP, VSPACE_PROTECT };

struct nr_vspace {
	struct pooled pool;
	struct nr_page_memory memory;
};

struct nr_vspace_context {
	struct pooled_context base;
	struct vspace *local;
	struct walker *walker; /* on the replica's node */
};

/* ---- what replicas do --------------------------------------------------- */

static int vspace_init(void *object, void *arg)
{
	struct vspace *v = object;

	v->tables.pages.walkers = &v->walkers;
	return pagetable_init(&v->tables, arg);
}

static void vspace_fini(void *object, void *arg)
{
	(void)arg;
	pagetable_fini(&((struct vspace *)object)->tables);
}

static int vspace_clone(void *object, const void *from, void *arg)
{
	struct vspace *v = object;

	(void)arg;
	v->tables.pages.walkers = &v->walkers;
	return pagetable_clone(&v->tables,
			       &((const struct vspace *)from)->tables);
}

static int vspace_own(void *object, const struct pooled_op *op, int asked)
{
	struct pagetable *t = &((struct vspace *)object)->tables;
	struct pagetable_range range;

	(void)asked;
	memcpy(&range, op->bytes, sizeof(range));
	switch (op->kind) {
	case VSPACE_MAP:
		return pagetable_map(t, &range);
	case VSPACE_UNMAP:
		return pagetable_unmap(t, &range);
	default:
		return pagetable_protect(t, &range);
	}
}

static const struct pooled_type vspace_type = {
	.arena = offsetof(struct vspace, tables.pages.arena),
	.update = vspace_own,
};

static void vspace_update(void *object, const void *op, size_t len,
			  void *result)
{
	(void)len;
	pooled_update(&vspace_type, object, op, result);
}

static const struct nr_ops vspace_ops = {
	.size = sizeof(vspace_ops),
	.object_size = sizeof(struct vspace),
	.result_size = sizeof(struct pooled_result),
	.init = vspace_init,
	.fini = vspace_fini,
	.update = vspace_update,
	.read = pooled_read,
	.clone = vspace_clone,
};

/* ---- the address space -------------------------------------------------- */

NR_PUBLIC int nr_vspace_create(const struct nr_vspace_attr *attr,
			       struct nr_vspace **out)
{
	struct nr_vspace_attr a = NR_VSPACE_ATTR_INIT;
	int err = attr ? sized_read(&a, sizeof(a), attr) : 0;
	struct nr_vspace *space;

	if (!err && a.memory)
		err = pagetable_check_memory(a.memory);
	if (err)
		return err;
	space = mem_alloc(sizeof(*space));
	if (!space)
		return -ENOMEM;
	if (a.memory)
		space->memory = *a.memory;
	err = pooled_create(&space->pool, &vspace_type, &vspace_ops, a.nr,
			    &space->memory);
	if (err) {
		mem_free(space);
		return err;
	}
	replicas_concurrent(space->pool.nr);
	*out = space;
	return 0;
}

NR_PUBLIC int nr_vspace_destroy(struct nr_vspace *space)
{
	int err = space ? pooled_destroy(&space->pool) : 0;

	if (!err)
		mem_free(space);
	return err;
}

NR_PUBLIC int nr_vspace_register(struct nr_vspace *space,
				 const struct nr_context_attr *attr,
				 struct nr_vspace_context **out)
{
	struct nr_vspace_context *c;
	struct pooled_context *base;
	int err = pooled_register(&space->pool, attr, sizeof(*c), &base);

	if (err)
		return err;
	c = (struct nr_vspace_context *)base;
	c->walker =
		mem_node_alloc(sizeof(*c->walker), base->context->replica->node,
			       space->pool.memory);
	if (!c->walker) {
		pooled_leave(base);
		return -ENOMEM;
	}
	c->local = base->context->replica->object;
	walkers_join(&c->local->walkers, c->walker);
	*out = c;
	return 0;
}

NR_PUBLIC void nr_vspace_leave(struct nr_vspace_context *c)
{
	if (!c)
		return;
	walkers_leave(c->walker);
	mem_node_free(c->walker, sizeof(*c->walker));
	pooled_leave(&c->base);
}

NR_PUBLIC int nr_vspace_replica_add(struct nr_vspace *space, int place)
{
	return pooled_replica_add(&space->pool, place);
}

NR_PUBLIC int nr_vspace_replica_remove(struct nr_vspace *space,
				       uint32_t replica)
{
	return pooled_replica_remove(&space->pool, replica);
}

NR_PUBLIC struct nr *nr_vspace_nr(struct nr_vspace *space)
{
	return space->pool.nr;
}

/* ---- updates ------------------------------------------------------------ */

static int update(struct nr_vspace_context *c, enum vspace_kind kind,
		  const struct pagetable_range *r, size_t wants)
{
	struct pooled_op op = { .kind = (uint32_t)kind & 15,
				.klen = sizeof(*r) };

	return pooled_do(&c->base, &op, r, NULL, wants);
}

NR_PUBLIC int nr_vspace_map(struct nr_vspace_context *c, uint64_t va,
			    uint64_t frame, uint64_t len, uint64_t bytes,
			    unsigned rights)
{
	struct pagetable_range r = { va, len, frame, bytes, rights, 0 };
	size_t wants;
	int err = pagetable_check_map(&r, &wants);

	return err ? err : update(c, VSPACE_MAP, &r, wants);
}

NR_PUBLIC int nr_vspace_unmap(struct nr_vspace_context *c, uint64_t va,
			      uint64_t len)
{
	struct pagetable_range r = { .va = va, .len = len };
	size_t wants;
	int err = pagetable_check(&r, &wants);

	return err ? err : update(c, VSPACE_UNMAP, &r, wants);
}

NR_PUBLIC int nr_vspace_protect(struct nr_vspace_context *c, uint64_t va,
				uint64_t len, unsigned rights)
{
	struct pagetable_range r = { .va = va, .len = len, .rights = rights };
	size_t wants;
	int err = pagetable_check(&r, &wants);

	return err ? err : update(c, VSPACE_PROTECT, &r, wants);
}

/* ---- looking ------------------------------------------------------------ */

struct resolve {
	struct pooled_query q;
	uint64_t va;
	struct nr_page *page;
};

static void ask_resolve(const void *object, struct pooled_query *q)
{
	const struct vspace *v = object;
	struct resolve *r = (void *)q;

	q->ret = pagetable_resolve(&v->tables, r->va, r->page);
}

NR_PUBLIC int nr_vspace_resolve(struct nr_vspace_context *c, uint64_t va,
				struct nr_page *page)
{
	struct resolve r = { { ask_resolve, 0 }, va, page };

	return (int)pooled_ask(&c->base, &r.q);
}

static int walk(struct nr_vspace_context *c, uint64_t va, struct nr_page *page)
{
	int ret;

	walk_begin(c->walker);
	ret = pagetable_resolve(&c->local->tables, va, page);
	walk_end(c->walker);
	return ret;
}

NR_PUBLIC int nr_vspace_walk(struct nr_vspace_context *c, uint64_t va,
			     struct nr_page *page)
{
	int ret = walk(c, va, page);

	if (!ret || mutant(VSPACE_STALE))
		return ret;
	/* Outside the walk: the combiner may be waiting for that. */
	nr_sync(c->base.context);
	return walk(c, va, page);
}

NR_PUBLIC uint64_t nr_vspace_generation(struct nr_vspace_context *c)
{
	/* Acquire pairs with change() of pagetable.c. */
	return load_acquire(&c->local->tables.generation);
}

static int settle(uint32_t replica, const void *object, void *arg)
{
	struct vspace *v = (void *)(uintptr_t)object;
	uint64_t *least = arg;

	(void)replica;
	*least = min_u64(*least, load_relaxed(&v->tables.generation));
	if (!mutant(VSPACE_UNSETTLED))
		walkers_wait(&v->walkers);
	return 0;
}

NR_PUBLIC uint64_t nr_vspace_settle(struct nr_vspace *space)
{
	uint64_t generation = UINT64_MAX;

	nr_inspect(space->pool.nr, settle, &generation);
	return generation;
}

NR_PUBLIC uint64_t nr_vspace_root(struct nr_vspace_context *c)
{
	return c->local->tables.pages.root;
}

NR_PUBLIC const uint64_t *nr_vspace_table(struct nr_vspace_context *c,
					  uint64_t phys)
{
	return (const uint64_t *)(const void *)pages_at(&c->local->tables.pages,
							phys);
}
