/* SPDX-License-Identifier: MIT */
/* combine.c - flat combining: from the contexts into the log, and back */
#include "apply.h"

static void take_slot(struct replica *r, struct slot *s, struct batch *b)
{
	struct item *item = &b->items[b->n++];

	item->len = s->len & ~SLOT_WANTED;
	item->op = s->data;
	if (log_long(r->log, item->len))
		memcpy(&item->op, s->data, sizeof(item->op));
	item->result = s->len & SLOT_WANTED ? s->data : NULL;
	item->slot = s;
}

static int is_pending(const struct slot *s)
{
	/* Acquire pairs with context_fill(). */
	return load_acquire(&s->state) == SLOT_PENDING;
}

/*
 * Take what context @c has pending, as far as there is room in the batch. The
 * synchronous one is last, but looked for first: those that are older than it
 * are seen then.
 */
static void take(struct replica *r, struct nr_context *c, struct batch *b)
{
	struct slot *sync = context_sync(c);
	int waits = !mutant(SYNC_LATE) && is_pending(sync);

	/* Once round: what is taken stays pending until it is answered. */
	for (uint32_t k = 0;
	     (k <= c->mask || mutant(RING_TWICE)) && b->n < b->max; k++) {
		struct slot *s = context_slot(c, c->taken);

		if (!is_pending(s))
			break;
		c->taken++;
		take_slot(r, s, b);
	}
	if (mutant(SYNC_LATE))
		waits = is_pending(sync);
	if (waits && b->n < b->max)
		take_slot(r, sync, b);
}

/*
 * Everybody's in turn, so that when the batch is full those who were left out
 * are the first of the next one. The combiner's own slots are none better.
 */
static __attribute__((noinline)) void take_all(struct replica *r,
					       struct batch *b)
{
	uint32_t n = r->ncontexts, i = r->turn;

	for (uint32_t k = 0; k < n && b->n < b->max; k++) {
		if (i >= n)
			i = 0;
		take(r, r->contexts[i++], b);
	}
	r->turn = i;
}

/* Put it into the log. Return: was the log full? */
static int append(struct replica *r, struct batch *b)
{
	struct backoff backoff = { 0, 0 };
	int full = 0;

	while (unlikely(!log_take(r->log, b->n, &b->first))) {
		full = 1;
		replica_make_room(r);
		backoff_only(&backoff);
	}
	for (uint32_t i = 0; i < b->n; i++)
		log_write(r->log, b->first + i, b->items[i].op,
			  b->items[i].len);
	return full;
}

/* From @first on they have slots. */
static void answer(struct batch *b, uint32_t first)
{
	for (uint32_t i = first; i < b->n && !mutant(ANSWER_EARLY); i++)
		/* Release pairs with slot_done(): the result, and the
		 * completed tail that covers the update. */
		store_release_or_relaxed(&b->items[i].slot->state, SLOT_DONE,
					 RELAXED_ANSWER);
}

static unsigned log2_of(uint32_t n)
{
	return 31 - (unsigned)__builtin_clz(n);
}

void combine(struct replica *r, const struct item *own)
{
	struct batch b = { 0, 0, r->nr->attr.batch, r->items };
	int full;

	if (own) {
		b.items[b.n++] = *own;
		b.max++; /* the others have a whole batch */
	}
	/* If there is nobody else, then there is nothing else. */
	if (!own || r->ncontexts > 1 || mutant(OVERTAKE))
		take_all(r, &b);
	if (!b.n)
		return;
	full = append(r, &b);
	apply(r, b.first + b.n, &b);
	if (mutant(TWICE) && full) {
		append(r, &b);
		apply(r, b.first + b.n, &b);
	}
	answer(&b, own ? 1 : 0);
	stat_add(r->stats.updates, b.n);
	stat_add(r->stats.batch_sizes[log2_of(b.n)], 1);
}
