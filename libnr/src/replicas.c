/* SPDX-License-Identifier: MIT */
/*
 * replicas.c - replicas come and go
 *
 * A replica that comes late starts as a clone of another one, whose gate we own
 * until the new one is on the list: so neither of the two ltails, which are
 * equal, is behind any head that a collector can have found, or will find.
 */
#include "replicas.h"

#include <errno.h>
#include <limits.h>

void replicas_link(struct nr *nr, struct replica *r)
{
	struct replica **at = &nr->replicas;

	gate_lock(&nr->collecting);
	while (*at)
		at = &(*at)->next;
	*at = r;
	nr->nreplicas++;
	gate_unlock(&nr->collecting);
}

void replicas_unlink(struct nr *nr, struct replica *r)
{
	struct replica **at = &nr->replicas;

	gate_lock(&nr->collecting);
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	nr->nreplicas--;
	gate_unlock(&nr->collecting);
}

int replicas_make(struct nr *nr, uint32_t place)
{
	struct replica *r = replica_alloc(nr, place);
	int err;

	if (!r)
		return -ENOMEM;
	err = replica_init(r);
	if (err) {
		replica_free(r);
		return err;
	}
	r->id = ++nr->next_id;
	replicas_link(nr, r);
	return 0;
}

void replicas_concurrent(struct nr *nr)
{
	nr->concurrent = 1;
	for (struct replica *r = nr->replicas; r; r = r->next)
		replica_set_hooks(r);
}

uint32_t replicas_place(const struct nr *nr)
{
	uint32_t best = 0, fewest = UINT32_MAX;

	for (uint32_t i = 0; i < nr->topology->n; i++) {
		uint32_t n = 0;

		for (struct replica *r = nr->replicas; r; r = r->next)
			n += r->place == i;
		if (n < fewest) {
			fewest = n;
			best = i;
		}
	}
	return best;
}

/* To clone from: one on the same place, or any. */
static struct replica *source_for(const struct nr *nr, uint32_t place)
{
	for (struct replica *r = nr->replicas; r; r = r->next)
		if (r->place == place)
			return r;
	return nr->replicas;
}

static int add(struct nr *nr, uint32_t place)
{
	struct replica *r = replica_alloc(nr, place), *from;
	int err;

	if (!r)
		return -ENOMEM;
	from = source_for(nr, place);
	r->id = ++nr->next_id;
	gate_lock(&from->lock.gate);
	/* A clone may take long. Reads of what had been done go on. */
	if (!mutant(CLONE_BEHIND))
		replica_catch_up_from_afar(from);
	err = replica_clone(r, from);
	if (!err && !mutant(LATE_COLLECT))
		replicas_link(nr, r);
	gate_unlock(&from->lock.gate);
	if (!err && mutant(LATE_COLLECT))
		replicas_link(nr, r);
	if (err)
		replica_free(r);
	return err ? err : (int)r->id;
}

NR_PUBLIC int nr_replica_add(struct nr *nr, int place)
{
	int ret;

	if (!nr->ops.clone)
		return -ENOTSUP;
	if (place < -1 || (place >= 0 && (uint32_t)place >= nr->topology->n))
		return -EINVAL;
	gate_lock(&nr->admin);
	if (nr->next_id == INT_MAX)
		ret = -ENOMEM;
	else
		ret = add(nr, place < 0 ? replicas_place(nr) : (uint32_t)place);
	gate_unlock(&nr->admin);
	return ret;
}

/*
 * Whoever has seen it on the list, and helps it, has its gate, which we wait
 * for. When it is off the list nobody finds it any more.
 */
static int remove_replica(struct nr *nr, struct replica *r)
{
	if ((r->ncontexts && !mutant(REMOVE_USED)) || nr->nreplicas == 1)
		return -EBUSY;
	gate_lock(&r->lock.gate);
	replicas_unlink(nr, r);
	gate_unlock(&r->lock.gate);
	replica_destroy(r);
	return 0;
}

NR_PUBLIC int nr_replica_remove(struct nr *nr, uint32_t id)
{
	struct replica *r;
	int err = -ENOENT;

	gate_lock(&nr->admin);
	for (r = nr->replicas; r && r->id != id; r = r->next)
		;
	if (r)
		err = remove_replica(nr, r);
	gate_unlock(&nr->admin);
	return err;
}

NR_PUBLIC int nr_inspect(struct nr *nr,
			 int (*fn)(uint32_t replica, const void *object,
				   void *arg),
			 void *arg)
{
	int ret = 0;

	gate_lock(&nr->admin);
	for (struct replica *r = nr->replicas; r && !ret; r = r->next) {
		gate_lock(&r->lock.gate);
		replica_catch_up_from_afar(r);
		ret = fn(r->id, r->object, arg);
		gate_unlock(&r->lock.gate);
	}
	gate_unlock(&nr->admin);
	return ret;
}
