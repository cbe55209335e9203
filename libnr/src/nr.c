/* SPDX-License-Identifier: MIT */
/* nr.c - making and ending a replicated structure */
#include <errno.h>

#include "replica.h"
#include "replicas.h"

#define LOG_SIZE_DEFAULT 8192u
#define LOG_SIZE_MAX (UINT64_C(1) << 40)
#define OP_SIZE_MAX (1u << 20)
#define BATCH_DEFAULT 64u
#define RESULT_MAX (1u << 20)

NR_PUBLIC const char *nr_version(void)
{
	return SKYIPC_VERSION;
}

static int defaults(struct nr *nr)
{
	struct nr_attr *a = &nr->attr;

	if (!nr->ops.update || nr->ops.result_size > RESULT_MAX ||
	    nr->ops.object_size > SIZE_MAX / 2 || a->log_size > LOG_SIZE_MAX ||
	    a->op_size > OP_SIZE_MAX || a->memory > NR_MEMORY_ANY ||
	    a->reserved)
		return -EINVAL;
	if (!a->log_size)
		a->log_size = LOG_SIZE_DEFAULT;
	a->log_size = roundup_pow2(max_u64(a->log_size, LOG_SIZE_MIN));
	if (!a->op_size)
		a->op_size = LOG_OP_SIZE;
	if (!a->batch)
		a->batch = BATCH_DEFAULT;
	a->batch = (uint32_t)min_u64(a->batch, a->log_size / 4);
	return 0;
}

static int set_up(struct nr *nr)
{
	int err = defaults(nr);
	uint32_t n;

	if (!err && nr->parts)
		nr->topology = nr->parts->topology;
	else if (!err)
		err = nr_topology_open(nr->attr.topology, &nr->topology);
	if (!err)
		err = log_init(&nr->log, nr->attr.log_size, nr->attr.op_size);
	if (err)
		return err;
	n = nr->attr.replicas ? nr->attr.replicas : nr->topology->n;
	if (nr->parts)
		n = 0; /* made for all logs at once */
	for (uint32_t i = 0; !err && i < n; i++)
		err = replicas_make(nr, i % nr->topology->n);
	return err;
}

static void tear_down(struct nr *nr)
{
	while (nr->replicas) {
		struct replica *r = nr->replicas;

		nr->replicas = r->next;
		replica_destroy(r);
	}
	log_fini(&nr->log);
	if (!nr->parts)
		nr_topology_close(nr->topology);
	mem_node_free(nr, sizeof(*nr));
}

int nr_make(const struct nr_ops *ops, const struct nr_attr *attr,
	    const struct nr_parts *parts, struct nr **out)
{
	struct nr *nr;
	int err;

	nr = mem_node_alloc(sizeof(*nr), -1, NR_MEMORY_ANY);
	if (!nr)
		return -ENOMEM;
	nr->parts = parts;
	err = sized_read(&nr->ops, sizeof(nr->ops), ops);
	if (!err && attr)
		err = sized_read(&nr->attr, sizeof(nr->attr), attr);
	if (!err)
		err = set_up(nr);
	nr->attr.topology = NULL; /* the caller's */
	if (err)
		tear_down(nr);
	else
		*out = nr;
	return err;
}

NR_PUBLIC int nr_create(const struct nr_ops *ops, const struct nr_attr *attr,
			struct nr **out)
{
	return nr_make(ops, attr, NULL, out);
}

NR_PUBLIC int nr_destroy(struct nr *nr)
{
	int busy = 0;

	if (!nr)
		return 0;
	gate_lock(&nr->admin);
	for (struct replica *r = nr->replicas; r; r = r->next)
		busy |= r->ncontexts > 0;
	if (busy) {
		gate_unlock(&nr->admin);
		return -EBUSY;
	}
	tear_down(nr);
	return 0;
}
