/* SPDX-License-Identifier: MIT */
/*
 * cnr_help.c - bringing another replica forward, in one of several logs
 *
 * Who helps may hold gates of his own replica. So he waits for no gate of the
 * other one: where it stands at an operation in several logs, he tries to get
 * all their parts. If he fails, then whoever has one of them is on the way to
 * it himself, or will give the gate back. If on the way there a part comes to
 * another such operation, that one is older: then it is the one that he helps
 * with, and what he has done counts for the next one who comes.
 */
#include "cnr.h"

static struct log_entry *several_at(struct replica *r, uint64_t i)
{
	struct log_entry *e = log_entry(r->log, i);

	return e->len & CNR_SEVERAL && log_op(r->log, e) ? e : NULL;
}

/* Apply the log up to @upto, or the next entry that is in several. Return: is
 * it there? */
static int advance(struct replica *r, uint64_t upto)
{
	/* Relaxed: its gate is ours. */
	uint64_t i = load_relaxed(&r->ltail);

	replica_wait_alive(r->log, i, upto);
	while (i < upto && !several_at(r, i))
		i++;
	replica_apply(r, i);
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

/* Those that have been got. */
struct taken {
	struct part *first;
};

static void take(struct taken *t, struct part *p)
{
	p->next_taken = t->first;
	t->first = p;
}

/*
 * All parts to their entries of @s. Return: @s; an older one that has to go
 * first; or NULL: a gate could not be got.
 */
static const struct several *gather(struct cnr_replica *r,
				    const struct several *s, struct taken *t)
{
	for (uint32_t k = 0; k < s->n; k++) {
		struct replica *part = r->parts[s->in[k].log];
		struct part *p = part_of(part);
		struct part *has = t->first;

		while (has && has != p)
			has = has->next_taken;
		if (!has) {
			if (!gate_try(&part->lock.gate))
				return NULL;
			take(t, p);
		}
		if (!advance(part, s->in[k].at))
			return stands_at(part);
	}
	return s;
}

static void do_it(struct cnr_replica *r, const struct several *s)
{
	for (uint32_t k = 0; k < s->n; k++)
		rlock_write_begin(&r->parts[s->in[k].log]->lock);
	cnr_do(r, s);
	cnr_set_done(r, &s->post.leader);
	/* The leader last: then its log may be written over, and @s with it. */
	for (uint32_t k = s->n; k--;)
		cnr_let_go(r->parts[s->in[k].log], s->in[k].at);
}

void cnr_help(struct replica *r, uint64_t upto)
{
	struct part *me = part_of(r);
	struct cnr_replica *all = me->replica;
	const struct several *s = NULL, *older;
	struct taken t = { NULL };

	if (mutant(CNR_HELP_WAITS)) {
		replica_apply(r, upto);
		return;
	}
	if (advance(r, upto))
		return;
	take(&t, me);
	for (older = stands_at(r); older && older != s;) {
		s = older;
		older = gather(all, s, &t);
	}
	if (older)
		do_it(all, s);
	/* What sleeps there has something to look for; ours the caller has. */
	while (t.first) {
		struct part *p = t.first;

		t.first = p->next_taken;
		if (p != me)
			gate_unlock(&all->parts[p->log]->lock.gate);
	}
	gate_news(&r->lock.gate);
}
