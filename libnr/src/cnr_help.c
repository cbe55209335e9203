/* SPDX-License-Identifier: MIT */
/*
 * cnr_help.c - bringing another replica forward, in one of several logs
 *
 * Who helps may hold gates of his own replica. So he waits for no gate that a
 * thread of the other one has: where it stands at an operation in several logs,
 * he tries to get all their parts. If he fails, then whoever has one of them is
 * on the way to it himself, or will give the gate back. If on the way there a
 * part comes to another such operation, that one is older: then it is the one
 * that he helps with, and what he has done counts for the next one who comes.
 *
 * What one update takes longer for it is bounded, as it is with one log: he
 * applies so many entries, in all logs together, and does one operation that is
 * in several.
 *
 * He gets there, or somebody else does:
 *
 * - Of two helpers who have come by different logs each has a gate that the
 *   other one wants. One of them is the first to get replica->helping. The
 *   other one gives back what he has; and until then is waited for, as are all
 *   who have tried before they saw that there is somebody: the gate says that
 *   it is a helper's (GATE_HELPED), and he waits for none as long as he has not
 *   got replica->helping.
 * - A thread of that replica that has a gate is on the way to the operation. If
 *   it has arrived there it waits until that is done, and does not have to be
 *   waited for by who has the leader's gate. If it leads, and waits for a gate
 *   that we have, then we give that back, and helpers keep away (part.wanted).
 *
 * So nobody goes round for ever in which nothing is done.
 */
#include "cnr.h"

static struct log_entry *several_at(struct replica *r, uint64_t i)
{
	struct log_entry *e = log_entry(r->log, i);

	return e->len & CNR_SEVERAL && log_op(r->log, e) ? e : NULL;
}

struct helping {
	struct part *taken; /* those that have been got */
	uint64_t left;	    /* entries that may yet be applied */
};

/* Apply the log up to @upto, or the next entry that is in several, or as far as
 * we may. Return: is it there? */
static int advance(struct helping *h, struct replica *r, uint64_t upto)
{
	/* Relaxed: its gate is ours. */
	uint64_t from = load_relaxed(&r->ltail), i = from;
	uint64_t end = from + min_u64(upto - from, h->left);

	/* What it stands at has not been done, so no part is past it. */
	invariant(from <= upto);
	replica_wait_alive(r->log, i, end);
	while (i < end && !several_at(r, i))
		i++;
	replica_apply(r, i);
	h->left -= i - from;
	return i >= upto;
}

/* The operation in several logs that @r stands at. */
static const struct several *stands_at(struct replica *r)
{
	uint64_t i = load_relaxed(&r->ltail);
	const struct post *post;

	post = log_op(r->log, several_at(r, i));
	return cnr_leader(part_of(r)->replica->cnr, &post->leader);
}

static void take(struct helping *h, struct part *p)
{
	p->helped = 1;
	p->next_taken = h->taken;
	h->taken = p;
}

/* Relaxed: who sees it late has been in the way once. */
static int is_wanted(struct part *p)
{
	return load_relaxed(&p->wanted) > 0;
}

int cnr_may_help(struct replica *r)
{
	struct part *p = part_of(r);
	uint32_t helping = load_relaxed(&p->replica->helping.word);

	return !(helping & GATE_HELD) && !is_wanted(p);
}

/*
 * Get the gate; or it is one of that replica's threads that has it, or waits
 * for it: he does also while it is free, and we, who have come by another log,
 * could be there first again and again.
 */
static int get(struct helping *h, struct replica *r)
{
	struct gate *g = &r->lock.gate;
	struct backoff b = { 0, 0 };

	while (!is_wanted(part_of(r))) {
		uint32_t word;

		if (gate_try_as(g, GATE_HELD | GATE_HELPED)) {
			take(h, part_of(r));
			return 1;
		}
		word = load_relaxed(&g->word);
		if ((word & GATE_HELD && !(word & GATE_HELPED)) ||
		    mutant(CNR_HELP_BOTH))
			return 0;
		backoff_only(&b);
	}
	return 0;
}

/*
 * All parts to their entries of @s, the leader's first. Return: @s; an older
 * one that has to go first; or NULL: a gate could not be got, or that was
 * enough.
 */
static const struct several *gather(struct cnr_replica *r,
				    const struct several *s, struct helping *h)
{
	for (uint32_t k = 0; k < s->n; k++) {
		struct replica *part = r->parts[s->in[k].log];
		struct part *p = part_of(part);

		if (!p->helped && !get(h, part)) {
			/* It stays there, for we have the leader's. */
			if (k && cnr_arrived(p, s->in[k].at))
				continue;
			return NULL;
		}
		if (!advance(h, part, s->in[k].at))
			return h->left ? stands_at(part) : NULL;
	}
	return s;
}

static void do_it(struct cnr_replica *r, const struct several *s)
{
	for (uint32_t k = 0; k < s->n; k++)
		if (part_of(r->parts[s->in[k].log])->helped)
			rlock_write_begin(&r->parts[s->in[k].log]->lock);
	cnr_do(r, s);
	cnr_set_done(r, &s->post.leader);
	/* The leader last: then its log may be written over, and @s with it. */
	for (uint32_t k = s->n; k--;)
		if (part_of(r->parts[s->in[k].log])->helped)
			cnr_let_go(r->parts[s->in[k].log], s->in[k].at);
}

/* What sleeps there has something to look for; ours the caller has. */
static void give_back(struct cnr_replica *r, struct helping *h,
		      const struct part *mine)
{
	while (h->taken) {
		struct part *p = h->taken;

		h->taken = p->next_taken;
		p->helped = 0;
		if (p != mine)
			gate_unlock(&r->parts[p->log]->lock.gate);
	}
}

void cnr_help(struct replica *r, uint64_t upto, uint64_t most)
{
	struct part *me = part_of(r);
	struct cnr_replica *all = me->replica;
	const struct several *s = NULL, *older;
	struct helping h = { NULL, most };

	if (mutant(CNR_HELP_WAITS)) {
		replica_apply(r, upto);
		return;
	}
	if (advance(&h, r, upto) || !gate_try(&all->helping))
		return;
	take(&h, me);
	/* Each is older than the one before, and one that a part stands at: at
	 * most as many as there are logs. */
	for (older = stands_at(r); older && older != s;) {
		s = older;
		older = gather(all, s, &h);
	}
	if (older)
		do_it(all, s);
	give_back(all, &h, me);
	/* It is not removed as long as we have a gate. */
	gate_unlock(&all->helping);
	gate_news(&r->lock.gate);
}
