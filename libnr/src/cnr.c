/* SPDX-License-Identifier: MIT */
/* cnr.c - a structure with several logs: making it, and taking part */
#include "cnr.h"

#include <errno.h>

#include "replicas.h"

#define LOGS_DEFAULT 4u

/* ---- what the parts do -------------------------------------------------- */

static void part_update(void *object, const void *op, size_t len, void *result)
{
	struct part *p = object;
	struct cnr_replica *r = p->replica;

	if (unlikely(len & CNR_SEVERAL)) {
		if (op)
			cnr_meet(p, op);
		return;
	}
	r->cnr->ops.update(r->object, op, len, result);
}

static void part_read(const void *object, const void *op, size_t len,
		      void *result)
{
	const struct cnr_replica *r = ((const struct part *)object)->replica;

	r->cnr->ops.read(r->object, op, len, result);
}

/* ---- classes ------------------------------------------------------------ */

#define WORD_BITS 64u

int cnr_classes_init(struct nr_classes *c, uint32_t nlogs)
{
	c->nlogs = nlogs;
	c->bits = mem_alloc((nlogs / WORD_BITS + 1) * sizeof(*c->bits));
	return c->bits ? 0 : -ENOMEM;
}

void cnr_classes_fini(struct nr_classes *c)
{
	mem_free(c->bits);
}

static void add_log(struct nr_classes *c, uint32_t log)
{
	uint64_t *word = &c->bits[log / WORD_BITS];
	uint64_t bit = UINT64_C(1) << log % WORD_BITS;

	c->n += !(*word & bit);
	*word |= bit;
}

NR_PUBLIC void nr_classes_add(struct nr_classes *c, uint64_t which)
{
	if (!c->n)
		memset(c->bits, 0,
		       (c->nlogs / WORD_BITS + 1) * sizeof(*c->bits));
	if (which != NR_CLASS_ALL) {
		add_log(c, (uint32_t)(which % c->nlogs));
		return;
	}
	for (uint32_t i = 0; i < c->nlogs; i++)
		add_log(c, i);
}

uint32_t cnr_classify(struct nr_classes *c,
		      uint64_t (*fn)(const void *op, size_t len,
				     struct nr_classes *more),
		      const void *op, size_t len)
{
	uint64_t first;

	c->n = 0;
	first = fn(op, len, c);
	if (likely(!c->n && first != NR_CLASS_ALL))
		return (uint32_t)(first % c->nlogs);
	nr_classes_add(c, first);
	return c->n == 1 ? cnr_classes_next(c, 0) : UINT32_MAX;
}

uint32_t cnr_classes_next(const struct nr_classes *c, uint32_t i)
{
	while (i < c->nlogs && !(c->bits[i / WORD_BITS] >> i % WORD_BITS & 1))
		i++;
	return i;
}

/* ---- the structure ------------------------------------------------------ */

static int check(const struct nr_cnr_ops *ops, const struct nr_cnr_attr *attr)
{
	if (!ops->update || !ops->update_class ||
	    (ops->read && !ops->read_class) || ops->flags > NR_CNR_CONCURRENT ||
	    ops->reserved || ops->object_size > SIZE_MAX / 2 ||
	    attr->logs > NR_LOGS_MAX || attr->reserved)
		return -EINVAL;
	return 0;
}

static int make_logs(struct nr_cnr *cnr, const struct nr_attr *attr)
{
	struct nr_ops ops = {
		.size = sizeof(ops),
		.object_size = sizeof(struct part),
		.result_size = cnr->ops.result_size,
		.update = part_update,
		.read = part_read,
	};
	int err = 0;

	for (uint32_t i = 0; !err && i < cnr->nlogs; i++)
		err = nr_make(&ops, attr, &cnr->parts, &cnr->logs[i]);
	return err;
}

static int set_up(struct nr_cnr *cnr, const struct nr_attr *attr)
{
	struct nr_attr a = NR_ATTR_INIT;
	int err = attr ? sized_read(&a, sizeof(a), attr) : 0;
	uint32_t n;

	if (!err)
		err = nr_topology_open(a.topology, &cnr->parts.topology);
	if (!err)
		err = cnr_classes_init(&cnr->all, cnr->nlogs);
	if (err)
		return err;
	nr_classes_add(&cnr->all, NR_CLASS_ALL);
	cnr->arg = a.arg;
	cnr->memory = (enum nr_memory)a.memory;
	cnr->parts.concurrent = cnr->ops.flags & NR_CNR_CONCURRENT;
	cnr->parts.help = cnr_help;
	cnr->parts.may_help = cnr_may_help;
	err = make_logs(cnr, &a);
	n = a.replicas ? a.replicas : cnr->parts.topology->n;
	for (uint32_t i = 0; !err && i < n; i++)
		err = cnr_replica_make(cnr, i % cnr->parts.topology->n);
	return err;
}

static size_t bytes_of(uint32_t nlogs)
{
	return sizeof(struct nr_cnr) + nlogs * sizeof(struct nr *);
}

static void tear_down(struct nr_cnr *cnr)
{
	while (cnr->replicas) {
		struct cnr_replica *r = cnr->replicas;

		cnr->replicas = r->next;
		for (uint32_t i = 0; i < cnr->nlogs; i++)
			replicas_unlink(cnr->logs[i], r->parts[i]);
		cnr_replica_destroy(r);
	}
	for (uint32_t i = 0; i < cnr->nlogs; i++)
		nr_destroy(cnr->logs[i]);
	nr_topology_close(cnr->parts.topology);
	cnr_classes_fini(&cnr->all);
	mem_node_free(cnr, bytes_of(cnr->nlogs));
}

NR_PUBLIC int nr_cnr_create(const struct nr_cnr_ops *ops,
			    const struct nr_cnr_attr *attr, struct nr_cnr **out)
{
	struct nr_cnr_attr a = NR_CNR_ATTR_INIT;
	struct nr_cnr_ops o = NR_CNR_OPS_INIT;
	int err = sized_read(&o, sizeof(o), ops);
	struct nr_cnr *cnr;

	if (!err && attr)
		err = sized_read(&a, sizeof(a), attr);
	if (!err)
		err = check(&o, &a);
	if (err)
		return err;
	if (!a.logs)
		a.logs = LOGS_DEFAULT;
	cnr = mem_node_alloc(bytes_of(a.logs), -1, NR_MEMORY_ANY);
	if (!cnr)
		return -ENOMEM;
	cnr->ops = o;
	cnr->nlogs = a.logs;
	err = set_up(cnr, a.nr);
	if (err)
		tear_down(cnr);
	else
		*out = cnr;
	return err;
}

NR_PUBLIC int nr_cnr_destroy(struct nr_cnr *cnr)
{
	int busy = 0;

	if (!cnr)
		return 0;
	gate_lock(&cnr->admin);
	/* A context is in all logs, or in none. */
	for (struct cnr_replica *r = cnr->replicas; r; r = r->next)
		busy |= r->parts[0]->ncontexts > 0;
	gate_unlock(&cnr->admin);
	if (busy)
		return -EBUSY;
	tear_down(cnr);
	return 0;
}

NR_PUBLIC uint32_t nr_cnr_logs(const struct nr_cnr *cnr)
{
	return cnr->nlogs;
}

NR_PUBLIC struct nr *nr_cnr_log(struct nr_cnr *cnr, uint32_t log)
{
	return log < cnr->nlogs ? cnr->logs[log] : NULL;
}

/* ---- contexts ----------------------------------------------------------- */

static void leave(struct nr_cnr_context *c)
{
	/* The first one last: its number says that there is somebody. */
	for (uint32_t i = c->cnr->nlogs; i--;)
		nr_leave(c->logs[i]);
	cnr_classes_fini(&c->classes);
	mem_free(c->order);
	mem_free(c);
}

/* In every log, on the replica that the first one has chosen. */
static int join(struct nr_cnr_context *c, struct nr_context_attr *a)
{
	struct nr_cnr *cnr = c->cnr;
	int err = cnr_classes_init(&c->classes, cnr->nlogs);

	for (uint32_t i = 0; !err && i < cnr->nlogs; i++) {
		err = nr_register(cnr->logs[i], a, &c->logs[i]);
		if (!err)
			a->replica = nr_context_replica(c->logs[i]);
	}
	if (err)
		return err;
	c->mask = c->logs[0]->mask;
	c->order = mem_alloc((c->mask + (size_t)1) * sizeof(*c->order));
	if (!c->order)
		return -ENOMEM;
	for (c->replica = cnr->replicas; c->replica->id != a->replica;)
		c->replica = c->replica->next;
	return 0;
}

NR_PUBLIC int nr_cnr_register(struct nr_cnr *cnr,
			      const struct nr_context_attr *attr,
			      struct nr_cnr_context **out)
{
	struct nr_context_attr a = NR_CONTEXT_ATTR_INIT;
	int err = attr ? sized_read(&a, sizeof(a), attr) : 0;
	struct nr_cnr_context *c;

	if (err)
		return err;
	c = mem_alloc(sizeof(*c) + cnr->nlogs * sizeof(struct nr_context *));
	if (!c)
		return -ENOMEM;
	c->cnr = cnr;
	gate_lock(&cnr->admin);
	err = join(c, &a);
	if (err)
		leave(c);
	gate_unlock(&cnr->admin);
	if (!err)
		*out = c;
	return err;
}

NR_PUBLIC void nr_cnr_leave(struct nr_cnr_context *c)
{
	struct nr_cnr *cnr;

	if (!c)
		return;
	cnr = c->cnr;
	/* What is outstanding, not with all others who come or go waiting. */
	for (uint32_t i = 0; i < cnr->nlogs; i++)
		context_finish(c->logs[i]);
	gate_lock(&cnr->admin);
	leave(c);
	gate_unlock(&cnr->admin);
}

NR_PUBLIC uint32_t nr_cnr_context_replica(const struct nr_cnr_context *c)
{
	return c->replica->id;
}
