/* SPDX-License-Identifier: MIT */
/* context.c - who takes part */
#include "context.h"

#include <errno.h>

#define DEPTH_DEFAULT 32u
#define DEPTH_MAX 65536u

int context_copy(struct nr_context *c, const void **op, size_t len)
{
	void *copy;

	if (!log_long(c->log, (uint32_t)len))
		return 0;
	copy = mem_alloc(len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, *op, len);
	*op = copy;
	return 0;
}

void context_fill(struct nr_context *c, struct slot *s, const void *op,
		  uint32_t len, int wanted)
{
	if (log_long(c->log, len))
		memcpy(s->data, &op, sizeof(op));
	else if (len) /* nothing may be at NULL */
		memcpy(s->data, op, len);
	s->len = len | (wanted ? SLOT_WANTED : 0);
	/* Release pairs with take(). */
	store_release_or_relaxed(&s->state, SLOT_PENDING, RELAXED_SLOT);
}

int context_submit(struct nr_context *c, const void *op, uint32_t len,
		   void *result, uint64_t tag)
{
	uint32_t i = c->tail;

	if (i - c->head > c->mask)
		return -EAGAIN;
	c->tickets[i & c->mask].result = result;
	c->tickets[i & c->mask].tag = tag;
	c->tail++;
	context_fill(c, context_slot(c, i), op, len,
		     result && c->replica->results);
	return 0;
}

unsigned context_reap(struct nr_context *c, uint64_t *tags, unsigned n)
{
	unsigned got = 0;

	for (; c->head != c->tail && got < n; c->head++, got++) {
		struct slot *s = context_slot(c, c->head);
		struct ticket *t = &c->tickets[c->head & c->mask];

		if (!slot_done(s))
			break;
		if (t->result)
			memcpy(t->result, s->data, c->replica->results);
		if (tags)
			tags[got] = t->tag;
		/* Relaxed: the combiner looks for SLOT_PENDING only. */
		store_relaxed(&s->state, SLOT_FREE);
	}
	return got;
}

static struct nr_context *context_alloc(struct replica *r, uint32_t depth)
{
	size_t data = max_u64(r->log->op_size, r->nr->ops.result_size);
	size_t slot = align_up(SLOT_HEAD + data, NR_LINE);
	size_t head = align_up(sizeof(struct nr_context), NR_APART);
	size_t slots = ((size_t)depth + 1) * slot;
	size_t bytes = head + slots + depth * sizeof(struct ticket);
	struct nr_context *c =
		mem_node_alloc(bytes, r->node, r->nr->attr.memory);

	if (!c)
		return NULL;
	c->replica = r;
	c->log = r->log;
	c->slots = (unsigned char *)c + head;
	c->slot_size = slot;
	c->tickets = (void *)(c->slots + slots);
	c->mask = depth - 1;
	c->bytes = bytes;
	return c;
}

static uint32_t fewest_on(struct nr *nr, uint32_t place)
{
	struct replica *best = NULL;

	for (struct replica *r = nr->replicas; r; r = r->next) {
		if (place != UINT32_MAX && r->place != place)
			continue;
		if (!best || r->ncontexts < best->ncontexts)
			best = r;
	}
	return best ? best->id : 0;
}

static struct replica *choose(struct nr *nr, uint32_t id)
{
	struct replica *r;

	if (!id)
		id = fewest_on(nr, nr_topology_here(nr->topology));
	if (!id)
		id = fewest_on(nr, UINT32_MAX);
	for (r = nr->replicas; r && r->id != id; r = r->next)
		;
	return r;
}

/* Its combiner: one context more. */
static int add_context(struct replica *r, struct nr_context *c)
{
	int err;

	if (r->ncontexts == r->contexts_cap) {
		struct nr_context **more =
			mem_node_more(r->contexts, &r->contexts_cap, r->node,
				      r->nr->attr.memory);

		if (!more)
			return -ENOMEM;
		r->contexts = more;
	}
	err = rlock_add(&r->lock, &c->reader, r->node, r->nr->attr.memory);
	if (!err)
		r->contexts[r->ncontexts++] = c;
	return err;
}

static void del_context(struct replica *r, struct nr_context *c)
{
	rlock_del(&r->lock, &c->reader);
	for (uint32_t i = 0; i < r->ncontexts; i++)
		if (r->contexts[i] == c) {
			r->contexts[i] = r->contexts[--r->ncontexts];
			break;
		}
	/* The counters that the thread has kept. */
	stat_add(r->stats.updates, c->several);
	stat_add(r->stats.reads, c->reader.reads);
	stat_add(r->stats.yields, c->reader.waits.yields);
	stat_add(r->stats.parks, c->reader.waits.parks);
}

NR_PUBLIC int nr_register(struct nr *nr, const struct nr_context_attr *attr,
			  struct nr_context **out)
{
	struct nr_context_attr a = NR_CONTEXT_ATTR_INIT;
	struct nr_context *c = NULL;
	struct replica *r;
	int err = attr ? sized_read(&a, sizeof(a), attr) : 0;

	if (err)
		return err;
	if (!a.depth)
		a.depth = DEPTH_DEFAULT;
	if (a.depth > DEPTH_MAX)
		return -EINVAL;
	gate_lock(&nr->admin);
	r = choose(nr, a.replica);
	err = r ? 0 : -ENOENT;
	if (!err) {
		c = context_alloc(r, (uint32_t)roundup_pow2(a.depth));
		err = c ? 0 : -ENOMEM;
	}
	if (!err) {
		gate_lock(&r->lock.gate);
		err = add_context(r, c);
		gate_unlock(&r->lock.gate);
		if (err)
			mem_node_free(c, c->bytes);
	}
	gate_unlock(&nr->admin);
	if (!err)
		*out = c;
	return err;
}

NR_PUBLIC void nr_leave(struct nr_context *c)
{
	struct replica *r;
	struct nr *nr;

	if (!c)
		return;
	r = c->replica;
	nr = r->nr;
	/* Where the results were to go may be gone. */
	for (uint32_t i = 0; i <= c->mask; i++)
		c->tickets[i].result = NULL;
	while (nr_wait(c, NULL, UINT32_MAX, UINT32_MAX) != -ENOENT)
		;
	gate_lock(&nr->admin);
	gate_lock(&r->lock.gate);
	del_context(r, c);
	gate_unlock(&r->lock.gate);
	gate_unlock(&nr->admin);
	mem_node_free(c, c->bytes);
}

NR_PUBLIC uint32_t nr_context_replica(const struct nr_context *c)
{
	return c->replica->id;
}
