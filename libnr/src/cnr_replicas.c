/* SPDX-License-Identifier: MIT */
/*
 * cnr_replicas.c - replicas of a structure with several logs
 *
 * To look at a replica, or to clone it, all its parts have to stand still at
 * one moment. Holding their gates would do, but whoever took one after the
 * other could wait for a thread that waits for him. So this is an operation in
 * all logs, which does something on that replica only.
 */
#include <errno.h>
#include <limits.h>

#include "cnr.h"
#include "replicas.h"

static void free_parts(struct cnr_replica *r)
{
	for (uint32_t i = 0; i < r->cnr->nlogs; i++)
		if (r->parts[i])
			replica_free(r->parts[i]);
}

/* An object that has not been made, or has been ended. */
static void cnr_replica_free(struct cnr_replica *r)
{
	free_parts(r);
	mem_node_free(r->object, r->object_bytes);
	mem_node_free(r, r->bytes);
}

static int make_parts(struct cnr_replica *r, uint32_t place)
{
	for (uint32_t i = 0; i < r->cnr->nlogs; i++) {
		struct part *p;

		r->parts[i] = replica_alloc(r->cnr->logs[i], place);
		if (!r->parts[i])
			return -ENOMEM;
		r->parts[i]->id = r->id;
		p = part_of(r->parts[i]);
		p->replica = r;
		p->log = i;
	}
	return 0;
}

static struct cnr_replica *cnr_replica_alloc(struct nr_cnr *cnr, uint32_t place)
{
	size_t bytes = sizeof(struct cnr_replica) +
		       cnr->nlogs * sizeof(struct replica *);
	int node = cnr->parts.topology->places[place].memory;
	struct cnr_replica *r = mem_node_alloc(bytes, node, cnr->memory);

	if (!r)
		return NULL;
	r->cnr = cnr;
	r->id = ++cnr->next_id;
	r->node = node;
	r->bytes = bytes;
	r->object_bytes = max_u64(cnr->ops.object_size, 1);
	r->object = mem_node_alloc(r->object_bytes, node, cnr->memory);
	if (!r->object || make_parts(r, place)) {
		cnr_replica_free(r);
		return NULL;
	}
	return r;
}

void cnr_replica_destroy(struct cnr_replica *r)
{
	if (r->cnr->ops.fini)
		r->cnr->ops.fini(r->object, r->cnr->arg);
	cnr_replica_free(r);
}

/* Known from now on: to nr_cnr_register(), which looks at the first log. */
static void list(struct nr_cnr *cnr, struct cnr_replica *r)
{
	struct cnr_replica **at = &cnr->replicas;

	while (*at)
		at = &(*at)->next;
	*at = r;
}

static void link_parts(struct cnr_replica *r)
{
	for (uint32_t i = 0; i < r->cnr->nlogs; i++)
		replicas_link(r->cnr->logs[i], r->parts[i]);
}

int cnr_replica_make(struct nr_cnr *cnr, uint32_t place)
{
	struct cnr_replica *r = cnr_replica_alloc(cnr, place);
	struct mem_policy policy;
	int err = 0;

	if (!r)
		return -ENOMEM;
	if (cnr->ops.init) {
		mem_policy_set(&policy, r->node, cnr->memory);
		err = cnr->ops.init(r->object, cnr->arg);
		mem_policy_restore(&policy);
	}
	if (err) {
		cnr_replica_free(r);
		return err;
	}
	link_parts(r);
	list(cnr, r);
	return 0;
}

/* ---- visits ------------------------------------------------------------- */

/* On the way there, by a thread that may be on any node, what the structure's
 * functions allocate is to lie on @r's. */
static int visit(struct cnr_replica *r, struct several *what)
{
	struct mem_policy policy;
	int err;

	what->id = r->id;
	mem_policy_set(&policy, r->node, r->cnr->memory);
	err = cnr_several(r, &r->cnr->all, what);
	mem_policy_restore(&policy);
	return err;
}

/* ---- clones ------------------------------------------------------------- */

struct clone {
	struct cnr_replica *to;
	int err;
};

/*
 * While the source's parts stand there, no collector can have found a head, nor
 * find one, that is past them.
 */
static void visit_clone(struct cnr_replica *r, const struct several *s)
{
	struct nr_cnr *cnr = r->cnr;
	struct clone *c = s->to;
	struct mem_policy policy;

	mem_policy_set(&policy, c->to->node, cnr->memory);
	c->err = cnr->ops.clone(c->to->object, r->object, cnr->arg);
	mem_policy_restore(&policy);
	if (c->err)
		return;
	/* Relaxed: who uses a part has found it on the list, under
	 * nr->collecting, or is there already. */
	for (uint32_t k = 0; k < s->n; k++)
		store_relaxed(&c->to->parts[s->in[k].log]->ltail,
			      s->in[k].at + 1);
	if (!mutant(CNR_LATE_LINK))
		link_parts(c->to);
}

static struct cnr_replica *source_for(const struct nr_cnr *cnr, int node)
{
	for (struct cnr_replica *r = cnr->replicas; r; r = r->next)
		if (r->node == node)
			return r;
	return cnr->replicas;
}

static int add(struct nr_cnr *cnr, uint32_t place)
{
	struct clone c = { cnr_replica_alloc(cnr, place), 0 };
	struct several what = { .kind = SEVERAL_VISIT,
				.to = &c,
				.visit = visit_clone };
	int err;

	if (!c.to)
		return -ENOMEM;
	err = visit(source_for(cnr, c.to->node), &what);
	if (!err)
		err = c.err;
	if (err) {
		cnr_replica_free(c.to);
		return err;
	}
	if (mutant(CNR_LATE_LINK))
		link_parts(c.to);
	list(cnr, c.to);
	return (int)c.to->id;
}

/* Who looks at the statistics of a log has its admin gate only. */
static void lock(struct nr_cnr *cnr)
{
	gate_lock(&cnr->admin);
	for (uint32_t i = 0; i < cnr->nlogs; i++)
		gate_lock(&cnr->logs[i]->admin);
}

static void unlock(struct nr_cnr *cnr)
{
	for (uint32_t i = 0; i < cnr->nlogs; i++)
		gate_unlock(&cnr->logs[i]->admin);
	gate_unlock(&cnr->admin);
}

NR_PUBLIC int nr_cnr_replica_add(struct nr_cnr *cnr, int place)
{
	uint32_t n = cnr->parts.topology->n;
	int ret;

	if (!cnr->ops.clone)
		return -ENOTSUP;
	if (place < -1 || (place >= 0 && (uint32_t)place >= n))
		return -EINVAL;
	lock(cnr);
	if (cnr->next_id == INT_MAX)
		ret = -ENOMEM;
	else
		ret = add(cnr, place < 0 ? replicas_place(cnr->logs[0])
					 : (uint32_t)place);
	unlock(cnr);
	return ret;
}

/* ---- going -------------------------------------------------------------- */

/*
 * Whoever helps it has found one of its parts on the list of a log, has that
 * one's gate, and goes by it into other logs, which have to keep their entries
 * for the other parts meanwhile. So no part may be off its list as long as
 * anybody has the gate of another one. To wait for a gate with others held is
 * safe here: without contexts only helpers come, who wait for no gate that we
 * have, but give back those that they have.
 */
static void unlink_parts(struct cnr_replica *r)
{
	struct nr_cnr *cnr = r->cnr;

	for (uint32_t i = 0; i < cnr->nlogs; i++) {
		gate_lock(&r->parts[i]->lock.gate);
		if (!mutant(CNR_PART_GONE))
			continue;
		replicas_unlink(cnr->logs[i], r->parts[i]);
		gate_unlock(&r->parts[i]->lock.gate);
	}
	if (mutant(CNR_PART_GONE))
		return;
	for (uint32_t i = 0; i < cnr->nlogs; i++)
		replicas_unlink(cnr->logs[i], r->parts[i]);
	for (uint32_t i = 0; i < cnr->nlogs; i++)
		gate_unlock(&r->parts[i]->lock.gate);
}

static int remove_replica(struct nr_cnr *cnr, struct cnr_replica **at)
{
	struct cnr_replica *r = *at;

	if (r->parts[0]->ncontexts || cnr->logs[0]->nreplicas == 1)
		return -EBUSY;
	unlink_parts(r);
	*at = r->next;
	cnr_replica_destroy(r);
	return 0;
}

NR_PUBLIC int nr_cnr_replica_remove(struct nr_cnr *cnr, uint32_t id)
{
	struct cnr_replica **at;
	int err = -ENOENT;

	lock(cnr);
	for (at = &cnr->replicas; *at && (*at)->id != id; at = &(*at)->next)
		;
	if (*at)
		err = remove_replica(cnr, at);
	unlock(cnr);
	return err;
}

/* ---- looking ------------------------------------------------------------ */

struct look {
	int (*fn)(uint32_t replica, const void *object, void *arg);
	void *arg;
	int ret;
};

static void visit_look(struct cnr_replica *r, const struct several *s)
{
	struct look *l = s->to;

	l->ret = l->fn(r->id, r->object, l->arg);
}

NR_PUBLIC int nr_cnr_inspect(struct nr_cnr *cnr,
			     int (*fn)(uint32_t replica, const void *object,
				       void *arg),
			     void *arg)
{
	struct look l = { fn, arg, 0 };
	struct several what = { .kind = SEVERAL_VISIT,
				.to = &l,
				.visit = visit_look };
	int err = 0;

	gate_lock(&cnr->admin);
	for (struct cnr_replica *r = cnr->replicas; r && !err && !l.ret;
	     r = r->next)
		err = visit(r, &what);
	gate_unlock(&cnr->admin);
	return err ? err : l.ret;
}
