/* SPDX-License-Identifier: MIT */
/*
 * liburcu's lock-free hash table, and its wait-free queue. Of the flavours of
 * RCU, qsbr has the cheapest readers: they write nothing, but each thread has
 * to say now and then that it holds no reference.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <urcu/urcu-qsbr.h>
#include <urcu/rculfhash.h>
#include <urcu/wfcqueue.h>

#include "nr_peer.h"

/* ----------------------------------------------------------- hash table -- */

/* Operations of a thread between two of its quiescent states. */
#define QUIESCENT_EVERY 32

struct entry {
	struct cds_lfht_node node;
	uint64_t key;
	uint64_t value;
	struct rcu_head rcu;
};

struct lfht_thread {
	struct cds_lfht *table;
	unsigned operations;
};

static unsigned long pow2(uint64_t n)
{
	unsigned long p = 1;

	while (p < n)
		p <<= 1;
	return p;
}

/* As many buckets as entries, from the start: nothing is counted or moved. */
static void *lfht_create(const struct nr_job *job)
{
	unsigned long n = pow2(job->entries);

	return cds_lfht_new_flavor(n, n, n, 0, &urcu_qsbr_flavor, NULL);
}

static void free_entry(struct rcu_head *head)
{
	free(caa_container_of(head, struct entry, rcu));
}

static void lfht_destroy(void *structure)
{
	struct cds_lfht *table = structure;
	struct cds_lfht_iter iter;
	struct entry *e;

	urcu_qsbr_register_thread();
	cds_lfht_for_each_entry(table, &iter, e, node)
	{
		if (!cds_lfht_del(table, &e->node))
			urcu_qsbr_call_rcu(&e->rcu, free_entry);
	}
	urcu_qsbr_unregister_thread();
	urcu_qsbr_barrier();
	cds_lfht_destroy(table, NULL);
}

/* Until it works with it, a thread must not hold up others' grace periods. */
static void *lfht_join(void *structure)
{
	struct lfht_thread *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->table = structure;
	urcu_qsbr_register_thread();
	urcu_qsbr_thread_offline();
	return t;
}

static void lfht_leave(void *thread)
{
	urcu_qsbr_unregister_thread();
	free(thread);
}

/* Before an operation. */
static void begin(struct lfht_thread *t)
{
	if (!t->operations)
		urcu_qsbr_thread_online();
	if (++t->operations % QUIESCENT_EVERY == 0)
		urcu_qsbr_quiescent_state();
	urcu_qsbr_read_lock();
}

static int match(struct cds_lfht_node *node, const void *key)
{
	return caa_container_of(node, struct entry, node)->key ==
	       *(const uint64_t *)key;
}

static int lfht_get(void *thread, uint64_t key, uint64_t *value)
{
	struct lfht_thread *t = thread;
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	begin(t);
	cds_lfht_lookup(t->table, nr_key_hash(key), match, &key, &iter);
	node = cds_lfht_iter_get_node(&iter);
	if (node)
		*value = caa_container_of(node, struct entry, node)->value;
	urcu_qsbr_read_unlock();
	return node ? 0 : -ENOENT;
}

static int lfht_put(void *thread, uint64_t key, uint64_t value)
{
	struct entry *e = malloc(sizeof(*e));
	struct lfht_thread *t = thread;
	struct cds_lfht_node *old;

	if (!e)
		return -ENOMEM;
	cds_lfht_node_init(&e->node);
	e->key = key;
	e->value = value;
	begin(t);
	old = cds_lfht_add_replace(t->table, nr_key_hash(key), match, &key,
				   &e->node);
	urcu_qsbr_read_unlock();
	if (!old)
		return 0;
	e = caa_container_of(old, struct entry, node);
	urcu_qsbr_call_rcu(&e->rcu, free_entry);
	return 1;
}

static int lfht_remove(void *thread, uint64_t key, uint64_t *value)
{
	struct lfht_thread *t = thread;
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;
	int gone;

	(void)value;
	begin(t);
	cds_lfht_lookup(t->table, nr_key_hash(key), match, &key, &iter);
	node = cds_lfht_iter_get_node(&iter);
	/* Or else another thread was first. */
	gone = node && !cds_lfht_del(t->table, node);
	urcu_qsbr_read_unlock();
	if (!gone)
		return -ENOENT;
	urcu_qsbr_call_rcu(&caa_container_of(node, struct entry, node)->rcu,
			   free_entry);
	return 0;
}

static uint64_t lfht_count(void *thread)
{
	struct lfht_thread *t = thread;
	unsigned long count;
	long before, after;

	begin(t);
	cds_lfht_count_nodes(t->table, &before, &count, &after);
	urcu_qsbr_read_unlock();
	return count;
}

const struct nr_peer nr_peer_lfht = {
	.name = "lfht",
	.kind = NR_MAP,
	.how = "liburcu's cds_lfht, qsbr; a put allocates, what it replaces "
	       "goes to call_rcu()",
	.create = lfht_create,
	.destroy = lfht_destroy,
	.join = lfht_join,
	.leave = lfht_leave,
	.get = lfht_get,
	.put = lfht_put,
	.remove = lfht_remove,
	.count = lfht_count,
};

/* ---------------------------------------------------------------- queue -- */

struct item {
	struct cds_wfcq_node node;
	uint64_t value;
};

struct wfcq {
	struct cds_wfcq_head head;
	_Alignas(128) struct cds_wfcq_tail tail;
};

static void *wfcq_create(const struct nr_job *job)
{
	struct wfcq *q = aligned_alloc(128, sizeof(*q));

	(void)job;
	if (q)
		cds_wfcq_init(&q->head, &q->tail);
	return q;
}

static void wfcq_destroy(void *structure)
{
	struct wfcq *q = structure;
	struct cds_wfcq_node *n;

	while ((n = cds_wfcq_dequeue_blocking(&q->head, &q->tail)))
		free(caa_container_of(n, struct item, node));
	cds_wfcq_destroy(&q->head, &q->tail);
	free(q);
}

/* Under the lock of those that take: so the item cannot go meanwhile. */
static int wfcq_get(void *thread, uint64_t key, uint64_t *value)
{
	struct wfcq *q = thread;
	struct cds_wfcq_node *n;

	(void)key;
	cds_wfcq_dequeue_lock(&q->head, &q->tail);
	n = __cds_wfcq_first_blocking(&q->head, &q->tail);
	if (n)
		*value = caa_container_of(n, struct item, node)->value;
	cds_wfcq_dequeue_unlock(&q->head, &q->tail);
	return n ? 0 : -ENOENT;
}

static int wfcq_put(void *thread, uint64_t key, uint64_t value)
{
	struct item *i = malloc(sizeof(*i));
	struct wfcq *q = thread;

	(void)key;
	if (!i)
		return -ENOMEM;
	cds_wfcq_node_init(&i->node);
	i->value = value;
	cds_wfcq_enqueue(&q->head, &q->tail, &i->node);
	return 0;
}

static int wfcq_remove(void *thread, uint64_t key, uint64_t *value)
{
	struct wfcq *q = thread;
	struct cds_wfcq_node *n = cds_wfcq_dequeue_blocking(&q->head, &q->tail);
	struct item *i;

	(void)key;
	if (!n)
		return -ENOENT;
	i = caa_container_of(n, struct item, node);
	*value = i->value;
	free(i);
	return 0;
}

static uint64_t wfcq_count(void *thread)
{
	struct wfcq *q = thread;
	struct cds_wfcq_node *n;
	uint64_t count = 0;

	__cds_wfcq_for_each_blocking(&q->head, &q->tail, n) count++;
	return count;
}

const struct nr_peer nr_peer_wfcq = {
	.name = "wfcq",
	.kind = NR_QUEUE,
	.how = "liburcu's cds_wfcq; a put allocates, takers and readers have a "
	       "mutex",
	.create = wfcq_create,
	.destroy = wfcq_destroy,
	.get = wfcq_get,
	.put = wfcq_put,
	.remove = wfcq_remove,
	.count = wfcq_count,
};
